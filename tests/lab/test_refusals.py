"""Each role refuses, in `precheck` and all at once, what cannot work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import Project

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "refusals.yml").read_text())
NAMES = [f"{case['role']}-{number}" for number, case in enumerate(CASES)]
PLAY = [
    {
        "hosts": "refusals",
        "gather_facts": False,
        "become": True,
        "tasks": [
            {
                "block": [
                    {
                        "ansible.builtin.include_role": {"name": "{{ role }}", "tasks_from": "precheck"},
                    },
                    {"ansible.builtin.set_fact": {"said": "nothing"}},
                ],
                "rescue": [{"ansible.builtin.set_fact": {"said": "{{ ansible_failed_result.msg }}"}}],
            },
            {
                "ansible.builtin.copy": {
                    "content": "{{ said }}",
                    "dest": "{{ answers }}/{{ inventory_hostname }}",
                    "mode": "0600",
                },
                "delegate_to": "localhost",
                "become": False,
                "vars": {"ansible_connection": "local"},
            },
        ],
    }
]


@pytest.fixture(scope="module")
def answers(project: Project) -> Path:
    """Return a folder with what each case was told; one host stands for all of them, under many names."""
    folder = project.root / "answers"
    folder.mkdir()
    address = project.address("finance-1")
    hosts = {
        name: {"ansible_host": address, "role": case["role"], **case["vars"]}
        for name, case in zip(NAMES, CASES, strict=True)
    }
    group = {"refusals": {"hosts": hosts, "vars": {"answers": str(folder)}}}
    inventory = project.write("refusals.yml", {"all": {"children": group}})
    command = [
        Path(sys.executable).with_name("ansible-playbook"),
        "-i",
        "inventories/lab",
        "-i",
        inventory,
        project.write("refuse.yml", PLAY),
    ]
    done = subprocess.run(command, cwd=project.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    return folder


@pytest.mark.parametrize(("name", "case"), list(zip(NAMES, CASES, strict=True)), ids=NAMES)
def test_everything_that_cannot_work_is_said_at_once(answers: Path, name: str, case: dict[str, Any]) -> None:
    said = (answers / name).read_text()
    missing = [told for told in case["told"] if told not in said]
    assert not missing, f"{json.dumps(missing)} are not in: {said}"


def test_every_role_is_asked() -> None:
    roles = {path.parent.name for path in (Path(__file__).parents[2] / "roles").glob("*/tasks")}
    assert {case["role"] for case in CASES} == roles - {"common"}
