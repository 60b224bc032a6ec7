"""The wheel alone brings up a lab in somebody's project and rolls its own demo out there."""

from __future__ import annotations

import json

import pytest

from tests.unit.scratch import Scratch
from tests.unit.test_wheel import build_wheel, install

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a project made by the wheel's `init --demo`, with a lab of six hosts, which goes at the end."""
    folder = tmp_path_factory.mktemp("wheel-lab")
    programs = install(build_wheel(folder), folder / "venv")
    scratch = Scratch(folder / "demo", python=programs / "python")
    scratch.folder.mkdir()
    scratch.call("wavegate", "init", "--demo")
    try:
        scratch.call("wavegate", "lab", "up", "--hosts", "6", timeout=600)
        yield scratch
    finally:
        scratch.call("wavegate", "lab", "down")


def test_the_demo_installs_its_service_on_every_host(project):
    project.call("wavegate", "run", "rollouts/install-intranet.yml", timeout=600)
    status = json.loads(project.call("wavegate", "status", "--json").stdout)
    assert status["status"] == "completed"
    report = json.loads(project.call("wavegate", "report", "--format", "json").stdout)
    assert [host["standing"] for host in report["hosts"]] == ["done"] * 6


def test_the_lab_left_nothing_but_its_inventory_outside_of_its_folder(project):
    assert (project.folder / "inventories/lab/hosts.yml").exists()
    assert {path.name for path in project.folder.iterdir()} == {
        *(
            ".gitignore",
            ".wavegate",
            "ansible.cfg",
            "inventories",
            "playbooks",
            "plugins",
            "roles",
            "rollouts",
        )
    }
