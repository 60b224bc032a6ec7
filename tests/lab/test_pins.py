"""The same bits everywhere, from a repository that moves between the pilot and the hosts after it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.balanced import Balanced
from tests.lab.conftest import wait_for
from tests.lab.test_faults import LOCAL, is_begun, standings, tells

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]


@pytest.fixture
def fleet(at_1_0: Balanced) -> Balanced:
    return at_1_0


def start(fleet: Balanced, name: str, **changes: Any) -> tuple[subprocess.Popen[str], Path]:
    """Start a patch that waits before the second host until the file that is returned is there."""
    project, go = fleet.project, fleet.project.root / ".wavegate" / f"go-{name}"
    hold = {
        "name": "Hold",
        "ansible.builtin.wait_for": {"path": str(go), "timeout": 300},
        "delegate_to": "localhost",
        "become": False,
        "vars": LOCAL,
        "when": "inventory_hostname == 'finance-1'",
    }
    patch: dict[str, Any] = yaml.safe_load((project.root / "playbooks/patch.yml").read_text())[0]
    project.write(
        f"playbooks/{name}.yml", [{**patch, "tasks": [tells(project, name), hold, *patch["tasks"]]}]
    )
    waves = [{"name": "pilot", "hosts": "pilot"}, {"name": "finance", "hosts": "department_finance"}]
    rollout = {
        "name": name,
        "playbook": f"playbooks/{name}.yml",
        "inventory": "inventories/lab",
        "hosts": "pilot:department_finance",
        "waves": waves,
        **changes,
    }
    process = project.start("run", project.write(f"rollouts/{name}.yml", rollout))
    wait_for(lambda: is_begun(project, name, "finance-1"))
    return process, go


def move_and_finish(fleet: Balanced, name: str, state: str, **changes: Any) -> tuple[int, str]:
    """Move the repository while the pilot is done and the next host has not begun."""
    process, go = start(fleet, name, **changes)
    assert fleet.versions() == ("1.1", "1.0")
    fleet.publish(state)
    go.touch()
    out, err = process.communicate(timeout=300)
    return process.returncode, out + err


def pins(fleet: Balanced, name: str) -> dict[str, str]:
    return {event["key"]: event["value"] for event in fleet.project.events(name, "version_pinned")}


def test_later_hosts_get_what_the_pilot_got_and_not_what_is_newest_by_then(fleet: Balanced) -> None:
    code, talk = move_and_finish(fleet, "newer", "newer", vars={"intranet_version": "latest"})
    assert code == 0, talk
    assert fleet.versions() == ("1.1", "1.1")
    found = pins(fleet, "newer")
    assert found["intranet"] == "1.1"
    assert found["intranet 1.1"].startswith("sha256:")
    told = {entry["key"]: entry["host"] for entry in fleet.project.read("report")["pins"]}
    assert told == {"intranet": "pilot-1", "intranet 1.1": "pilot-1"}


def test_a_version_that_was_withdrawn_stops_the_rollout_and_says_why(fleet: Balanced) -> None:
    code, talk = move_and_finish(fleet, "withdrawn", "withdrawn", vars={"intranet_version": "latest"})
    assert code == 30, talk
    assert fleet.versions() == ("1.1", "1.0")
    assert standings(fleet.project)["finance-1"] == "failed"
    (failed,) = [e for e in fleet.project.events("withdrawn", "host_finished") if e["host"] == "finance-1"]
    assert "1.1 (which the first host of this rollout got) are not to be had" in failed["reason"]
    fleet.project.call("abort", "--reason", "the test is over")


def test_other_bits_under_the_same_version_stop_the_rollout_and_it_says_why(fleet: Balanced) -> None:
    code, talk = move_and_finish(fleet, "rebuilt", "rebuilt", vars={"intranet_version": "1.1"})
    assert code == 30, talk
    assert fleet.versions() == ("1.1", "1.0")
    assert "for intranet 1.1, and finance-1 resolved sha256:" in " ".join(talk.split())
    fleet.project.call("abort", "--reason", "the test is over")
