"""What Ansible answered is kept for resume where it holds no secret, and asked for again elsewhere."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tests.unit.scratch import LOCAL, Scratch
from wavegate.bootstrap.kept_answer import find_answer, forget_answer, keep_answer
from wavegate.core.fleet import Fleet
from wavegate.core.spec import ProbeSpec, RolloutSpec, Scope
from wavegate.ports import AnsibleProblem, Answer

WITH_TOKEN = {"url": "http://a", "auth": {"token": "t0ken-of-somebody"}}
ANSWER = Answer(
    fleet=Fleet(hosts=("a",), groups={}),
    rendered={"p": {"a": {"url": "http://a"}}},
    settings={"DEFAULT_FORKS": {"value": 5}},
    repeatable=True,
)


def spec_with(kind: str = "http") -> RolloutSpec:
    probe = ProbeSpec(name="p", kind=kind, scope=Scope.HOST, settings={}, timeout=1.0)
    return RolloutSpec(name="x", playbooks={}, waves=(), probes={"p": probe})


def test_batches_and_probes_get_what_they_need_of_it_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    keep_answer(tmp_path, spec_with(), ANSWER)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    found = find_answer(tmp_path)
    assert found is not None
    assert (found.rendered, found.settings) == (ANSWER.rendered, ANSWER.settings)
    forget_answer(tmp_path)
    assert find_answer(tmp_path) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"secrets": frozenset({"s3cret"})},
        {"repeatable": False},
        {"problems": (AnsibleProblem(kind="vault", subject="x", message="locked"),)},
        {"rendered": {"p": {"a": WITH_TOKEN}}},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_secret_or_may_change_is_never_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    keep_answer(tmp_path, spec_with(), replace(ANSWER, **changes))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"wavegate": "0.0.0", "rendered": {}, "settings": {}}'])
def test_what_is_damaged_or_of_another_version_is_not_used(tmp_path: Path, text: str) -> None:
    keep_answer(tmp_path, spec_with(), ANSWER)
    (file,) = tmp_path.iterdir()
    file.write_text(text)
    assert find_answer(tmp_path) is None


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    scratch.write("hosts.yml", f"all:\n  hosts: {{a: , b: }}\n  vars: {{{LOCAL}, flag: {tmp_path}/flag}}\n")
    scratch.write("site.yml", "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: }]\n")
    scratch.write(
        "x.yml",
        """
        name: x
        playbook: site.yml
        probes:
          flagged: {command: {argv: [test, -e, "{{ flag }}-{{ inventory_hostname }}"]}}
        gates:
          well: {probes: [flagged], interval: 200ms}
        waves:
          - {name: first, hosts: a, after: well}
          - {name: rest, hosts: b, after: well}
        """,
    )
    return scratch


def test_a_rollout_that_is_carried_on_goes_on_with_it_and_forgets_it_at_its_end(
    project: Scratch, tmp_path: Path
) -> None:
    project.wavegate("run", "x.yml", code=30)
    (kept,) = project.folder.glob(".wavegate/rollouts/*/answer.json")
    assert json.loads(kept.read_bytes())["rendered"]["flagged"]["b"]["argv"][2] == f"{tmp_path}/flag-b"
    (tmp_path / "flag-a").touch()
    (tmp_path / "flag-b").touch()
    project.wavegate("retry")
    assert project.json("status", "--json")["status"] == "completed"
    assert not kept.exists()
