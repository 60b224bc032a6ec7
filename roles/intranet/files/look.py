"""Print as JSON what the intranet role must know of a host, in one round trip; change nothing.

The argument is JSON:
{"packages": [name], "port": number, "paths": [path], "configuration": path, "repository": address or ""}.
"""

import configparser
import functools
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request


def output(*command):
    """Return what the command printed, or "" where it could not be started."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def package_versions(names):
    """Return the installed version of each package, None where it is not installed."""
    form = "${Package} ${Version} ${db:Status-Status}\n"
    rows = [line.split() for line in output("dpkg-query", "-W", "-f", form, *names).splitlines()]
    installed = {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}
    return {name: installed.get(name) for name in names}


def free_bytes(path):
    """Return the free bytes of the file system that holds the path, or would hold it."""
    path = os.path.abspath(path)
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def port_holder(port):
    """Return "nobody", "intranet", "silent" (took the connection, no answer) or "other"."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=2) as answer:
            body = answer.read(10000)
    except urllib.error.HTTPError as error:
        body = error.read(10000)
    except urllib.error.URLError as error:
        return "nobody" if isinstance(error.reason, ConnectionRefusedError) else "silent"
    except TimeoutError:
        return "silent"
    except Exception:
        return "other"
    try:
        return "intranet" if "library" in json.loads(body) else "other"
    except (ValueError, TypeError):
        return "other"


def offered_versions(repository, packages):
    """Return {package: {version: sha256}} of a flat repository, or {"error": why} where it does not answer."""
    try:
        with urllib.request.urlopen(f"{repository}Packages", timeout=10) as answer:
            text = answer.read().decode()
    except (OSError, ValueError, http.client.HTTPException) as error:
        return {"error": str(error)}
    offered = {name: {} for name in packages}
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line[1:])
        if fields.get("Package") in offered:
            offered[fields["Package"]][fields.get("Version")] = fields.get("SHA256", "")
    return offered


def compare_versions(one, other):
    """Return -1, 0 or 1, as dpkg orders versions."""
    for answer, relation in ((-1, "lt"), (1, "gt")):
        if not subprocess.run(["dpkg", "--compare-versions", one, relation, other], check=False).returncode:
            return answer
    return 0


def digests_of(offered):
    """Return {version: digest of all packages' contents} of the versions that all packages have, oldest first."""
    if "error" in offered or not offered:
        return {}
    common = set.intersection(*map(set, offered.values()))
    return {
        version: hashlib.sha256(" ".join(offered[name][version] for name in sorted(offered)).encode()).hexdigest()
        for version in sorted(common, key=functools.cmp_to_key(compare_versions))
    }


def configured_port(path):
    """Return the port that the configuration on the host names, None where it names none."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(path)
        return parser.getint("intranet", "port")
    except (configparser.Error, ValueError, OSError):
        return None


def service_state():
    """Return what systemd says of the service, {} where it does not answer."""
    shown = output("systemctl", "show", "intranet.service", "-p", "ActiveState,UnitFileState,MainPID")
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def look(packages, port, paths, configuration, repository):
    """Return everything the role asks about the host."""
    offered = offered_versions(repository, packages) if repository else {}
    return {
        "interrupted": bool(output("dpkg", "--audit").strip()),
        "debian": os.path.exists("/etc/debian_version"),
        "packages": package_versions(packages),
        "offered": {name: list(found) for name, found in offered.items() if name != "error"},
        "unreachable": offered.get("error"),
        "digests": digests_of(offered),
        "free": {path: free_bytes(path) for path in paths},
        "port_holder": port_holder(port),
        "configured_port": configured_port(configuration),
        "service": service_state(),
    }


if __name__ == "__main__":
    print(json.dumps(look(**json.loads(sys.argv[1]))))
