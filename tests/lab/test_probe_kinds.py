"""The kinds that look at hosts through Ansible, on real hosts: the examples, and what goes wrong there."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import Project

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOSTS = ("pilot-1", "finance-1", "sales-1")
LOCKS = (
    "import fcntl,time; f=open('/var/lib/dpkg/lock-frontend','w'); "
    "fcntl.lockf(f,fcntl.LOCK_EX); time.sleep(900)"
)
GOOD, BAD, ERROR = "good", "bad", "error"


@pytest.fixture(scope="module")
def installed(project: Project) -> Project:
    """The examples as one rollout over three hosts: its gates let it through."""
    rollout = examples(project, "probed")
    rollout["vars"]["intranet_allow_downgrade"] = True  # whatever other tests left there
    rollout["gates"]["well"]["probes"].append("our-own-tests")
    project.call("run", project.write("rollouts/probed.yml", rollout))
    return project


def examples(project: Project, name: str) -> dict[str, Any]:
    """Return both examples as one rollout file over three hosts."""
    rollout, more = (
        yaml.safe_load((project.root / f"rollouts/probes-{kind}.yml").read_text())
        for kind in ("host", "testinfra")
    )
    probes = {**rollout["probes"], **more["probes"]}
    return dict(rollout) | {"name": name, "hosts": ":".join(HOSTS), "probes": probes}


@pytest.fixture
def ill(installed: Project) -> Iterator[Project]:
    """A lock of dpkg is held and a service complains on finance-1; the service is down on sales-1."""
    run = "systemd-run --quiet"
    as_root(installed, "finance-1", f'{run} --unit=locker python3 -c "{LOCKS}"')
    as_root(
        installed, "finance-1", f"{run} --remain-after-exit --unit=noisy sh -c 'echo CRITICAL: it is full'"
    )
    installed.call("lab", "break", "service", "sales-1")
    try:
        yield installed
    finally:
        installed.call("lab", "heal", "sales-1")
        as_root(installed, "finance-1", "systemctl stop locker noisy")


def as_root(project: Project, host: str, script: str) -> None:
    ansible = Path(sys.executable).with_name("ansible")
    command = [
        ansible,
        host,
        "-i",
        "inventories/lab",
        "--become",
        "-m",
        "ansible.builtin.shell",
        "-a",
        script,
    ]
    subprocess.run(command, cwd=project.root, check=True, capture_output=True, timeout=60)


def measure(
    project: Project, name: str, probes: dict[str, Any], **changes: Any
) -> dict[tuple[str, str], tuple[str, str]]:
    """Return (probe, host) -> (reading, detail) of one `wavegate probe` of exactly these probes."""
    rollout = examples(project, name) | {
        "probes": probes,
        "waves": [{"name": "all", "hosts": "all"}],
        **changes,
    }
    rollout = {key: value for key, value in rollout.items() if key not in {"gates", "before"}}
    process = project.start("probe", project.write(f"rollouts/{name}.yml", rollout), "--json")
    out, err = process.communicate(timeout=280)
    assert out, err
    return {
        (probe["probe"], one["target"]): (one["reading"], one["detail"])
        for probe in json.loads(out)["probes"]
        for one in probe["measurements"]
    }


def test_what_is_well_and_what_is_not_is_told_of_each_host_by_every_kind(ill: Project) -> None:
    log = {"unit": "noisy", "pattern": "CRITICAL", "since": "10m"}
    probes = {**examples(ill, "every-kind")["probes"], "quiet": {"host": {"logs": [log]}}}
    seen = measure(ill, "every-kind", probes)
    readings = {key: reading for key, (reading, _) in seen.items()}
    expected = {
        "room-for-it": (GOOD, BAD, GOOD),
        "not-logged-in-away": (GOOD, GOOD, GOOD),
        "state-is-right": (GOOD, GOOD, BAD),
        "nothing-complains": (ERROR, ERROR, ERROR),
        "roles-keep-their-promise": (GOOD, GOOD, BAD),
        "our-own-tests": (GOOD, GOOD, BAD),
        "quiet": (ERROR, BAD, ERROR),
    }
    for probe, wanted in expected.items():
        assert tuple(readings[probe, host] for host in HOSTS) == wanted, (probe, seen)
    assert "lock-frontend is held by python3" in seen["room-for-it", "finance-1"][1]
    assert "service intranet is" in seen["state-is-right", "sales-1"][1]
    assert "nothing listens on TCP port 8080" in seen["state-is-right", "sales-1"][1]
    assert "intranet does not run" in seen["our-own-tests", "sales-1"][1]
    assert "3 tests passed" in seen["our-own-tests", "pilot-1"][1]
    assert "CRITICAL: it is full" in seen["quiet", "finance-1"][1]
    assert "there is no such unit" in seen["quiet", "pilot-1"][1]
    assert "nothing was changed on this host yet" in seen["nothing-complains", "pilot-1"][1]
    for host in HOSTS:  # no list of a security archive and no time service: never good
        assert readings["told-only", host] in {BAD, ERROR}, seen["told-only", host]


def test_what_only_root_may_see_is_never_good_for_others(ill: Project) -> None:
    log = {"unit": "noisy", "pattern": "CRITICAL", "since": "10m"}
    probes = {"log": {"host": {"logs": [log]}}, "lock": {"host": {"package_manager_free": True}}}
    seen = measure(ill, "not-root", probes, become=False)
    assert seen["log", "finance-1"][0] == ERROR
    assert "this user may not read the journal" in seen["log", "finance-1"][1]
    assert seen["lock", "finance-1"][0] in {BAD, ERROR}, seen["lock", "finance-1"]


def test_the_reports_of_suites_and_the_output_of_playbooks_are_kept(installed: Project) -> None:
    newest = next(row["id"] for row in installed.read("history")["rollouts"] if row["name"] == "probed")
    probes = installed.root / ".wavegate" / "rollouts" / newest / "probes"
    assert {path.name for path in (probes / "our-own-tests").iterdir()} == {
        "pilot after 1.xml",
        "everybody after 1.xml",
    }
    cases = list(ET.parse(probes / "our-own-tests" / "pilot after 1.xml").getroot().iter("testcase"))
    assert len(cases) == 3
    assert "PLAY RECAP" in (probes / "roles-keep-their-promise" / "pilot after 1.txt").read_text()
