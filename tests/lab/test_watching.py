"""What users feel of a patch behind a real load balancer: nothing with drain, and something without."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.lab.balanced import Balanced
from tests.lab.conftest import Project, wait_for

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOSTS = "pilot:department_finance"
FILE = "rollouts/watch-from-outside.yml"
WANTED = 10_000
RATE = 200


DOWNGRADE = (
    "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --allow-downgrades intranet=1.0 libintranet=1.0"
)


@pytest.fixture
def fleet(balanced: Balanced) -> Balanced:
    """Have both hosts at 1.0 and in the balancer."""
    for host in ("pilot-1", "finance-1"):
        if balanced.project.health(host)["version"] != "1.0":
            balanced.engine.execute(balanced.lab.container(host), "sh", "-c", DOWNGRADE)
        wait_for(lambda host=host: balanced.project.health(host)["version"] == "1.0")
        balanced.ask(f"set server intranet/{host} state ready")
    return balanced


def watch(fleet: Balanced, name: str, **changes: Any) -> str:
    """Return the example for two hosts in one wave, asked as often as the demonstration needs."""
    data = yaml.safe_load((fleet.project.root / FILE).read_text(encoding="utf-8"))
    data["probes"]["as-users-see-it"]["http"]["rate"] = RATE
    data["probes"]["as-users-see-it"]["http"].update(changes.pop("http", {}))
    data["gates"]["from-outside"].pop("error_budget" if changes.pop("only_measures", False) else "", None)
    data["gates"]["answers"]["soak"] = changes.pop("soak", "1s")
    wave = {"name": "both", "hosts": HOSTS, "batch": changes.pop("batch", 1), "after": "answers"}
    return fleet.project.write(
        f"rollouts/{name}.yml", {**data, "hosts": HOSTS, "waves": [wave], "name": name, **changes}
    )


def impact(fleet: Balanced) -> dict[str, Any]:
    newest = fleet.project.read("history")["rollouts"][0]["id"]
    (one,) = fleet.project.read("report", newest)["impact"]
    return dict(one)


def test_with_drain_not_one_of_ten_thousand_requests_is_lost(fleet: Balanced) -> None:
    file = watch(fleet, "watched-drained", soak="52s", in_flight=1)
    talk = fleet.project.call("run", file, timeout=500)
    found = impact(fleet)
    print(found)
    assert {fleet.project.health(host)["version"] for host in ("pilot-1", "finance-1")} == {"1.1"}
    assert (found["failed"], found["lost"], found["down_seconds"]) == (0, 0, 0.0)
    assert found["requests"] >= WANTED
    assert found["unknown_seconds"] < 1
    assert "gate from-outside during wave both: PASS: as-users-see-it: 0.0 s down of " in talk
    assert f"0 of {found['requests']:,} requests failed" in fleet.project.call("report", code=None).replace(
        "\n", " "
    )


def test_without_drain_users_lose_requests_and_the_report_says_how_many(fleet: Balanced) -> None:
    # Behind this balancer a refused request is tried again after a second: who waits 0.3 s has lost it.
    impatient = {"timeout": "300ms"}
    direct = {"playbook": "playbooks/patch.yml", "batch": "100%", "only_measures": True, "http": impatient}
    fleet.project.call("run", watch(fleet, "watched-direct", **direct), timeout=300)
    found = impact(fleet)
    print(found)
    assert 0 < found["failed"] < found["requests"]
    assert 0 < found["down_seconds"] < found["watched_seconds"]
    text = " ".join(fleet.project.call("report", code=None).split())
    assert f"{found['failed']:,} of {found['requests']:,} requests failed" in text


def test_the_pilot_is_compared_with_hosts_that_are_still_to_come(project: Project) -> None:
    few = {"hosts": HOSTS, "name": "compared"}
    if not answers(project, "pilot-1"):
        install = yaml.safe_load((project.root / "rollouts/install-intranet.yml").read_text(encoding="utf-8"))
        everybody = {**few, "name": "begin", "waves": [{"name": "all", "hosts": HOSTS}]}
        del install["verify"]
        project.call("run", project.write("rollouts/begin.yml", {**install, **everybody}), timeout=300)
    data = yaml.safe_load((project.root / "rollouts/compare-latency.yml").read_text(encoding="utf-8"))
    data["waves"][1]["hosts"] = "department_finance"
    project.call("run", project.write("rollouts/compared.yml", {**data, **few}), timeout=300)
    newest = project.read("history")["rollouts"][0]["id"]
    quick = next(gate for gate in project.read("report", newest)["gates"] if gate["name"] == "quick")
    compared = next(probe["compared"] for probe in quick["probes"] if probe["compared"])
    others = {host for host, health in hosts_of(project).items() if health == "department_finance"}
    assert (quick["verdict"], compared["verdict"]) == ("pass", "pass")
    assert (compared["changed_hosts"], compared["untouched_hosts"]) == (1, len(others))
    assert compared["changed"] >= 20
    assert compared["untouched"] >= 20 * len(others)
    assert compared["reason"] in quick["reason"]
    assert f"on {len(others)} untouched hosts" in quick["reason"]


def answers(project: Project, host: str) -> bool:
    try:
        return bool(project.health(host))
    except OSError:
        return False


def hosts_of(project: Project) -> dict[str, str]:
    return {host["name"]: host["group"] for host in project.read("lab", "status")["hosts"]}
