"""Rehearsals: the evidence judged in a table, and the verb with real playbooks on local hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.unit.scratch import LOCAL, Scratch
from tests.world import make_spec, wave
from wavegate.bootstrap.rehearse import choose_hosts
from wavegate.core.events import Rehearsed
from wavegate.core.outcomes import Reading
from wavegate.core.rehearsal import Evidence, TriedRole, judge_rehearsals, judge_tried, make_rehearsal
from wavegate.core.spec import (
    ApprovalSpec,
    CompareSpec,
    GateProbe,
    GateSpec,
    ProbeSpec,
    RehearsalSpec,
    Sampling,
    Scope,
)
from wavegate.errors import WavegateError
from wavegate.lab.state import LabFolder

DAY = 86400.0
MINE, OTHER = "a" * 64, "b" * 64


def evidence(plan: str, at: float, *, succeeded: bool = True) -> Evidence:
    reason = "" if succeeded else "the way back is rollback failed: no"
    return Evidence(at, "r1", Rehearsed(plan, succeeded, ("lab-1",), 10.0, 4.0, 9.0, ("r1",), reason))


@pytest.mark.parametrize(
    ("found", "reading", "said"),
    [
        ([], Reading.BAD, "never rehearsed"),
        ([evidence(OTHER, 0.0)], Reading.BAD, f"the last rehearsal was of plan {OTHER[:12]}"),
        ([evidence(MINE, 0.0)], Reading.GOOD, "rehearsed 1 d 0 h ago on 1 host; the rollback took 4 s"),
        ([evidence(MINE, -DAY - 1)], Reading.BAD, "wanted within 2 d 0 h"),
        ([evidence(MINE, 0.0, succeeded=False)], Reading.BAD, "failed: the way back is rollback failed"),
        ([evidence(MINE, 1.0, succeeded=False), evidence(MINE, 0.0)], Reading.BAD, "failed"),
        ([evidence(MINE, 1.0), evidence(MINE, 0.0, succeeded=False)], Reading.GOOD, "rehearsed"),
        ([evidence(OTHER, 1.0, succeeded=False), evidence(MINE, 0.0)], Reading.GOOD, "rehearsed"),
    ],
)
def test_what_rehearsals_are_worth(found: list[Evidence], reading: Reading, said: str) -> None:
    judgement = judge_rehearsals(MINE, found, within=2 * DAY, now=DAY)
    assert judgement.reading is reading
    assert said in judgement.detail


def test_hosts_of_a_rehearsal_are_compared_with_nobody() -> None:
    compared = ProbeSpec(
        name="p", kind="tcp", scope=Scope.HOST, settings={}, timeout=1.0, compare=CompareSpec(at_most=0.2)
    )
    gate = GateSpec(name="g", probes=(GateProbe(probe="p", sampling=Sampling()),), approval=ApprovalSpec())
    spec = make_spec(wave("all", after="g"), probes={"p": compared}, gates={"g": gate})
    trial = make_rehearsal(spec, RehearsalSpec(hosts="lab"))
    assert trial.probes["p"].compare is None
    assert trial.gates["g"].approval is None
    assert [(one.hosts, one.after) for one in trial.waves] == [("lab", "g")]


def tried(name: str, digest: str = "d", tried_digest: str = "d", at: float = 0.0) -> TriedRole:
    return TriedRole(name, digest, tried_digest, at)


@pytest.mark.parametrize(
    ("roles", "says"),
    [
        ([tried("nonesuch", digest="")], "nonesuch is no role of this project: run the molecule scenario"),
        ([tried("new", tried_digest="")], "new was never tried there and back"),
        ([tried("nginx"), tried("edited", tried_digest="e")], "edited was edited since it was tried"),
        ([tried("old", at=-2 * DAY)], "old was tried 3 d 0 h ago, wanted within 2 d 0 h"),
        ([tried("one", digest=""), tried("two", tried_digest="")], "project; two was never"),
    ],
)
def test_a_role_that_was_not_tried_as_it_is_is_named(roles: list[TriedRole], says: str) -> None:
    judgement = judge_tried(roles, within=2 * DAY, now=DAY)
    assert judgement.reading is Reading.BAD
    assert says in judgement.detail


def test_roles_that_were_all_tried_lately_are_good() -> None:
    judgement = judge_tried([tried("one"), tried("two", at=DAY / 2)], within=2 * DAY, now=DAY)
    assert (judgement.reading, judgement.detail) == (
        Reading.GOOD,
        "there and back within the last 1 d 0 h: one, two",
    )


def test_without_a_word_about_hosts_it_is_the_lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inventory = tmp_path / "inventories" / "lab" / "hosts.yml"
    inventory.parent.mkdir(parents=True)
    nothing = RehearsalSpec()
    monkeypatch.setattr(LabFolder, "load", lambda self: object())
    with pytest.raises(WavegateError, match="cannot be rehearsed"):
        choose_hosts(tmp_path, nothing, nothing)  # the lab is half-way down: it has no inventory any more
    inventory.touch()
    assert choose_hosts(tmp_path, nothing, nothing) == RehearsalSpec(inventory=("inventories/lab",))
    written = RehearsalSpec(inventory=("staging",), hosts="web")
    assert choose_hosts(tmp_path, written, RehearsalSpec(hosts="db")) == replace(written, hosts="db")


ROLLOUT = """
name: change
playbook: there.yml
rollback: {playbook: back.yml, gate: as-before}
rehearsal: {hosts: staging}
probes:
  changed: {command: {argv: [test, -e, "got-{{ inventory_hostname }}"]}}
  unchanged: {command: {argv: [test, "!", -e, "got-{{ inventory_hostname }}"]}}
gates:
  healthy: {probes: [changed], interval: 500ms}
  as-before: {probes: [unchanged], interval: 500ms}
  tried: {rehearsed: {within: 14d}, interval: 500ms}
hosts: all
leave_out: staging
waves:
  - {name: everybody, hosts: real, before: tried, after: healthy}
"""


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """A project with a host to rehearse on, whose changes are files outside of the frozen material."""
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    scratch.write(
        "hosts.yml",
        f"""
        all:
          children:
            staging: {{hosts: {{rehearsing: }}}}
            real: {{hosts: {{one: , two: }}}}
          vars: {{{LOCAL}, state: {tmp_path}}}
        """,
    )
    task = "{{ansible.builtin.file: {{path: '{path}', state: {state}}}}}"
    play = f"- {{{{hosts: all, gather_facts: false, tasks: [{task}]}}}}\n"
    path = "{{ state }}/got-{{ inventory_hostname }}"
    scratch.write(
        "there.yml", play.format(path=path, state="touch, access_time: preserve, modification_time: preserve")
    )
    scratch.write("back.yml", play.format(path=path, state="absent"))
    scratch.write("x.yml", ROLLOUT.replace('"got-', f'"{tmp_path}/got-'))
    return scratch


def test_a_gate_opens_only_for_the_very_plan_that_was_rehearsed(project: Scratch) -> None:
    held = project.wavegate("run", "x.yml", code=20)
    assert "this plan was never rehearsed" in " ".join(held.stdout.split())
    told = json.loads(project.wavegate("rehearse", "x.yml", "--json").stdout)
    assert told["succeeded"]
    assert told["hosts"] == ["rehearsing"]
    assert told["rollback_seconds"] > 0
    plan_hash = json.loads(project.wavegate("plan", "x.yml", "--json").stdout)["hash"]
    assert told["plan_hash"] == plan_hash
    done = project.wavegate("resume")
    assert "2 of 2 hosts done" in done.stdout
    assert [path.name for path in project.folder.parent.glob("got-*")].count("got-rehearsing") == 1
    project.write("x.yml", (project.folder / "x.yml").read_text() + "batch_timeout: 5m\n")
    edited = project.wavegate("probe", "x.yml", "--gate", "tried", code=30)
    assert "which was edited since" in " ".join(edited.stdout.split())
    again = project.wavegate("rehearse", "x.yml", code=30)
    assert "the way there changed nothing" in " ".join(again.stdout.split())


def test_a_rollback_that_does_not_bring_back_what_was_fails_the_rehearsal(project: Scratch) -> None:
    project.write("back.yml", "- {hosts: all, gather_facts: false, tasks: [{ansible.builtin.ping: }]}\n")
    failed = project.wavegate("rehearse", "x.yml", code=30)
    assert "FAILED: the way back is rollback failed: gate as-before" in " ".join(failed.stdout.split())
    judged = project.wavegate("probe", "x.yml", "--gate", "tried", code=30)
    assert "failed: the way back" in " ".join(judged.stdout.split())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("rollback: {playbook: back.yml, gate: as-before}\n", "", "names no rollback playbook"),
        (", gate: as-before}", "}", "rollback.gate names no gate"),
        (", after: healthy", "", "nothing verifies the change"),
        (
            "healthy: {probes: [changed], interval: 500ms}",
            "healthy: {approval: {}}",
            "nothing verifies the change",
        ),
        ("rehearsal: {hosts: staging}\n", "", "nothing says on which hosts, and this project has no lab"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_before_anything_starts(
    project: Scratch, old: str, new: str, why: str
) -> None:
    text = (project.folder / "x.yml").read_text()
    assert old in text
    project.write("x.yml", text.replace(old, new, 1))
    refused = project.wavegate("rehearse", "x.yml", code=40)
    assert why in " ".join(refused.stderr.split())
    assert not (project.folder / ".wavegate" / "journal.db").exists()
