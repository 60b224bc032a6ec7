"""Roles inside a real rollout: the same bits for all, what was taken out is put back, and the way back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.balanced import HOSTS, Balanced
from tests.lab.conftest import ROOT, wait_for
from tests.lab.test_faults import is_begun, tells
from tests.lab.test_obligations import SCOPE, hold, kill_all
from tests.lab.test_pins import move_and_finish, pins
from tests.lab.test_rollouts import make_rollout

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

ONLY_THE_INTRANET = ["[!il]*", "i[!n]*", "l[!i]*", "li[!b]*", "lib[!i]*", "libi[!n]*"]
PATCHES = {
    "wavegate_roles": ["os_patches"],
    "os_patches_scope": "all",
    "os_patches_exclude": ONLY_THE_INTRANET,
    "os_patches_lists_age": 0,
}
NGINX = {
    "wavegate_roles": ["nginx"],
    "nginx_balancer": "balancer-1",
    "nginx_sites": [{"name": "intranet", "port": 8000, "upstream": "intranet"}],
}


@pytest.fixture
def fleet(at_1_0: Balanced) -> Iterator[Balanced]:
    """Afterwards nothing is barred on the hosts."""
    yield at_1_0
    for host in HOSTS:
        at_1_0.engine.execute(
            at_1_0.lab.container(host), "rm", "-f", "/etc/apt/preferences.d/wavegate-rolled-back"
        )


def play(fleet: Balanced, playbook: str, hosts: str, variables: dict[str, Any]) -> None:
    """Run a playbook as a person would, with bare Ansible."""
    (fleet.project.root / "by-hand.json").write_text(json.dumps(variables), encoding="utf-8")
    done = fleet.shell(f"ansible-playbook playbooks/{playbook} --limit {hosts} -e @by-hand.json")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_patches_of_packages_are_those_of_the_pilot_and_all_of_them_can_be_taken_back(
    fleet: Balanced,
) -> None:
    play(fleet, "install.yml", "pilot:department_finance", PATCHES)
    code, talk = move_and_finish(
        fleet, "os-patches", "newer", vars=PATCHES, rollback={"playbook": "playbooks/rollback.yml"}
    )
    assert code == 0, talk
    assert fleet.versions() == ("1.1", "1.1")
    found = pins(fleet, "os-patches")
    assert sorted(value.split()[0] for value in found.values()) == ["1.1", "1.1"], found

    talk = fleet.project.call("rollback", "--all", code=31, timeout=400)
    assert fleet.versions() == ("1.0", "1.0"), talk
    assert fleet.project.read("status")["status"] == "rolled_back"


def members_out(fleet: Balanced) -> dict[str, list[str]]:
    """Return upstream to the members that nginx passes nothing to, as it keeps them itself."""
    program = (ROOT / "roles/nginx/files/nginx.py").read_bytes()
    said = fleet.engine.execute(fleet.lab.container("balancer-1"), "python3", "-", "look", stdin=program)
    return {name: list(out) for name, out in json.loads(said)["out"].items() if out}


def test_a_member_that_nginx_lost_to_a_dead_rollout_is_put_back_when_that_is_aborted(
    fleet: Balanced,
) -> None:
    project = fleet.project
    members = [{"name": host, "address": f"{project.address(host)}:8080"} for host in HOSTS]
    upstreams = [{"name": "intranet", "members": members}]
    play(fleet, "install.yml", "balancer-1", {**NGINX, "nginx_upstreams": upstreams})
    assert members_out(fleet) == {}

    drain = {"name": "Drain", "ansible.builtin.include_role": {"name": "nginx", "tasks_from": "drain"}}
    tasks = [drain, tells(project, "nginx"), hold(fleet, "nginx")]
    process = project.start("run", make_rollout(project, "nginx", tasks, vars=NGINX, **SCOPE))
    wait_for(lambda: is_begun(project, "nginx", "pilot-1"))
    assert members_out(fleet) == {"intranet": ["pilot-1"]}

    kill_all(fleet, process)
    talk = project.call("abort", "--reason", "the test says so", timeout=400)
    assert members_out(fleet) == {}, talk
    assert project.read("status")["taken_out"] == []
