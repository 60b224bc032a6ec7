"""Have exporter and Prometheus run what their files say, or ask whether all is well; print JSON.

Arguments: VERB QUESTION. Verbs: `prove` (restart or reload what is behind its files, await good answers),
`verify` (also compare targets and rules). QUESTION is JSON, see vars/main.yml.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

EXPORTER, SERVER, LOOK = "prometheus-node-exporter", "prometheus", "wavegate-certificates.service"
CONFIGURATION = "/etc/prometheus/prometheus.yml"
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """What is wrong, for a person."""


def fetch(port, path):
    """Return what a service answers."""
    with opener.open(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()


def metrics(port, names):
    """Return the values of metrics without labels."""
    rows = [
        line.split() for line in fetch(port, "/metrics").splitlines() if line and not line.startswith("#")
    ]
    return {row[0]: float(row[1]) for row in rows if row[0] in names}


def control(verb, unit):
    """Have systemd do something, and say what it says where it cannot."""
    done = subprocess.run(["systemctl", verb, unit], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"systemctl {verb} {unit}: {done.stderr.strip()}; see journalctl -u {unit}")


def started_at(unit):
    """Return when a unit was started, in seconds since 1970."""
    command = ["systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", unit]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return time.time() - time.monotonic() + int(said or 0) / 1e6


def is_outdated(unit):
    """Say whether the unit was started before its program or its options were replaced."""
    newest = max(os.path.getctime(f"/usr/bin/{unit}"), os.path.getmtime(f"/etc/default/{unit}"))
    return newest > started_at(unit)


def await_that(problem_of, end):
    """Return when there is no problem any more; refuse with the last one after the end."""
    while True:
        try:
            problem = problem_of()
        except (OSError, ValueError, KeyError) as error:
            problem = f"{type(error).__name__}: {error}"
        if not problem:
            return
        if time.monotonic() > end:
            raise Refused(problem)
        time.sleep(0.2)


def exporter_problem(question):
    """Return what is wrong with the exporter, "" where nothing is."""
    text = fetch(question["exporter"], "/metrics")
    wanted = (
        "node_exporter_build_info",
        "node_systemd_unit_state",
        "wavegate_certificates_looked_at_seconds",
    )
    missing = [name for name in wanted if f"\n{name}" not in text]
    return f"the exporter does not tell {', '.join(missing)}" if missing else ""


def changed_at(question):
    """Return when what Prometheus reads changed last."""
    return max(os.path.getmtime(CONFIGURATION), os.path.getmtime(question["rules"]))


def has_read(question):
    """Say whether Prometheus has read its configuration and rules as they are now."""
    good, at = (
        "prometheus_config_last_reload_successful",
        "prometheus_config_last_reload_success_timestamp_seconds",
    )
    said = metrics(question["server"], {good, at})
    return said[good] == 1 and said[at] >= changed_at(question)


def server_problem(question):
    """Return what is wrong with Prometheus, "" where nothing is."""
    fetch(question["server"], "/-/ready")
    return "" if has_read(question) else "Prometheus has not read its configuration"


def prove(question, end):
    """Restart and reload what is behind its files, and await good answers."""
    did = []
    newest = max(
        os.path.getmtime(question["certificates"]),
        os.path.getmtime("/usr/local/lib/wavegate/certificates.py"),
    )
    if not os.path.exists(question["metrics"]) or os.path.getmtime(question["metrics"]) < newest:
        control("start", LOOK)
        did.append("looked at certificates")
    for unit in (EXPORTER, SERVER)[: 2 if question["server"] else 1]:
        if is_outdated(unit):
            control("restart", unit)
            did.append(f"restarted {unit}")
    await_that(lambda: exporter_problem(question), end)
    if question["server"]:
        await_that(lambda: fetch(question["server"], "/-/ready") and "", end)
        if not has_read(question):
            control("reload", SERVER)
            did.append(f"reloaded {SERVER}")
        await_that(lambda: server_problem(question), end)
    return {"did": did, "changed": bool(did)}


def targets_problem(question):
    """Return how targets and rules differ from those that are wanted, "" where they do not."""
    active = json.loads(fetch(question["server"], "/api/v1/targets?state=active"))["data"]["activeTargets"]
    found = sorted(target["labels"]["instance"] for target in active)
    if found != sorted(question["targets"]):
        return f"Prometheus asks {', '.join(found)}, wanted {', '.join(sorted(question['targets']))}"
    groups = json.loads(fetch(question["server"], "/api/v1/rules"))["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    bad = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]
    return "; ".join(bad) if rules else "Prometheus has no rules"


def verify(question, end):
    """Ask both, and compare."""
    await_that(lambda: exporter_problem(question), end)
    if question["server"]:
        await_that(lambda: server_problem(question) or targets_problem(question), end)
    return {"changed": False}


if __name__ == "__main__":
    asked = json.loads(sys.argv[2])
    try:
        print(
            json.dumps(
                {"prove": prove, "verify": verify}[sys.argv[1]](asked, time.monotonic() + asked["seconds"])
            )
        )
    except (Refused, OSError) as error:
        sys.exit(f"{error}")
