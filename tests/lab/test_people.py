"""Gates that ask people, rehearsals, the gate over the whole fleet: rollouts of `rollouts/` on real hosts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.lab.conftest import Project

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

REHEARSED, APPROVED = "rollouts/rehearsed-patch.yml", "rollouts/approved-patch.yml"
SCOPE = "pilot:department_finance:site_north[0]"
HOSTS = ("pilot", "department_finance")


@pytest.fixture(scope="module")
def installed(project: Project) -> Project:
    """The hosts of these rollouts have 1.0."""
    rollout = yaml.safe_load((project.root / "rollouts" / "install-intranet.yml").read_text())
    everybody = {"name": "everybody", "hosts": SCOPE}
    rollout |= {"name": "install-some", "hosts": SCOPE, "waves": [everybody], "in_flight": 6}
    rollout["vars"]["intranet_allow_downgrade"] = True  # whatever other tests left there
    project.call("run", project.write("rollouts/install-some.yml", rollout))
    return project


def versions(project: Project, *groups: str) -> set[str]:
    hosts = project.read("lab", "status")["hosts"]
    return {str(project.health(host["name"])["version"]) for host in hosts if host["group"] in groups}


def test_a_patch_waits_until_its_rollback_was_rehearsed_elsewhere(installed: Project) -> None:
    project = installed
    assert "this plan was never rehearsed" in " ".join(project.call("run", REHEARSED, code=20).split())
    [fit] = [gate for gate in project.read("report")["gates"] if gate["name"] == "fit"]
    assert fit["verdict"] == "pass"
    assert versions(project, *HOSTS) == {"1.0"}
    told = project.call("rehearse", REHEARSED)
    assert "there again in" in " ".join(told.split())
    assert versions(project, *HOSTS) == {"1.0"}
    project.call("resume")
    assert versions(project, *HOSTS) == {"1.1"}


def test_owners_sign_after_the_pilot_and_nobody_else_can(installed: Project, tmp_path: Path) -> None:
    project = installed
    keygen = shutil.which("ssh-keygen")
    assert keygen
    signers = []
    for name in ("alice", "bob", "eve"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
        signers.append(f"{name} {(tmp_path / name).with_suffix('.pub').read_text()}")
    (project.root / "rollouts" / "allowed_signers").write_text("".join(signers[:2]))
    assert "people at gate accepted" in " ".join(project.call("run", APPROVED, "--no-wait", code=20).split())
    vote = ("approve", "--case", "login works=passed")
    forged = project.call(*vote, "--as", "alice", "--sign", str(tmp_path / "eve"), code=40)
    assert "by no key of alice" in " ".join(forged.split())
    evidence = ("--evidence", f"login works={project.root / 'ansible.cfg'}")
    project.call(*vote, *evidence, "--as", "alice", "--sign", str(tmp_path / "alice"))
    project.call("approve", "--as", "bob", "--sign", str(tmp_path / "bob"), "--comment", "as usual")
    project.call("tick")
    accepted = next(gate for gate in project.read("report")["gates"] if gate["name"] == "accepted")
    assert accepted["reason"] == "approved by alice, bob, 2 signed, 1 test case passed"
    assert [vote["by"] for vote in accepted["votes"] if not vote["refused"]] == ["alice", "bob"]
