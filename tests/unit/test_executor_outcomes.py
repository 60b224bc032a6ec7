"""Real ansible-runner over local hosts: which outcome each host gets. The traps of design section 5."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.executor_world import World, order_for
from wavegate.core.evidence import Ending
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Procedure

DONE, FAILED, UNREACHABLE = Outcome.DONE, Outcome.FAILED, Outcome.UNREACHABLE
ABORTED, NOT_STARTED, SKIPPED = Outcome.ABORTED, Outcome.NOT_STARTED, Outcome.SKIPPED
GONE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.inventory({"a": {}, "b": {}, "c": {}, "d": {}, "gone": GONE}, {"web": ["a", "b"], "db": ["c"]})
    yield world
    shutil.rmtree(tmp_path, ignore_errors=True)


def play(tasks: list[Any], **keywords: Any) -> dict[str, Any]:
    return {"hosts": "all", "gather_facts": False, "tasks": tasks} | keywords


TOUCH: dict[str, Any] = {"name": "touch", "ansible.builtin.debug": {"msg": "hello"}}
PING: dict[str, Any] = {"name": "reach", "ansible.builtin.ping": {}}


def fail_on(host: str, **keywords: Any) -> dict[str, Any]:
    task = {"name": f"break {host}", "ansible.builtin.fail": {"msg": f"{host} is broken"}}
    return task | {"when": f"inventory_hostname == '{host}'"} | keywords


def test_each_host_gets_its_own_outcome_as_soon_as_it_is_known(world: World) -> None:
    world.write("site.yml", [play([TOUCH, fail_on("b"), TOUCH])])
    finished = world.play(order_for("a", "b", "c"))
    assert finished.outcomes == {"a": DONE, "b": FAILED, "c": DONE}
    assert finished.reported[0].host == "b"
    assert finished.hosts["b"].task == "break b (site.yml:8)"
    assert finished.hosts["b"].reason == "b is broken"
    assert finished.hosts["a"].completed == ("apply",)
    assert (finished.end.status, finished.end.detail) == ("ended", "")


def test_a_host_outside_of_the_batch_is_never_touched(world: World) -> None:
    world.write("site.yml", [play([TOUCH])])
    finished = world.play(order_for("a"))
    assert finished.outcomes == {"a": DONE}
    assert "[b]" not in world.output(finished)


def test_an_empty_batch_is_refused_before_anything_runs(world: World) -> None:
    world.write("site.yml", [play([TOUCH])])
    with world.executor() as executor, pytest.raises(ValueError, match="names no host"):
        executor.submit(order_for(), lambda _: None)


CASES: dict[str, tuple[list[dict[str, Any]], dict[str, Outcome]]] = {
    "an unreachable host is not done, though Ansible counts it in ok as well": (
        [play([TOUCH, PING])],
        {"a": DONE, "gone": UNREACHABLE},
    ),
    "an ignored unreachable result does not count": (
        [play([PING | {"ignore_unreachable": True}, TOUCH])],
        {"a": DONE, "gone": DONE},
    ),
    "an ignored failure does not count": ([play([fail_on("b", ignore_errors=True)])], {"a": DONE, "b": DONE}),
    "a rescued failure is no failure": (
        [play([{"block": [fail_on("b")], "rescue": [TOUCH]}])],
        {"a": DONE, "b": DONE},
    ),
    "a failure in the rescue is one": (
        [play([{"block": [fail_on("b")], "rescue": [fail_on("b")]}])],
        {"a": DONE, "b": FAILED},
    ),
    "a failure followed by an always section stays one": (
        [play([{"block": [fail_on("b")], "always": [TOUCH]}])],
        {"a": DONE, "b": FAILED},
    ),
    "a failure after a rescued one counts": (
        [play([{"block": [fail_on("b")], "rescue": [TOUCH]}, fail_on("b")])],
        {"a": DONE, "b": FAILED},
    ),
    "an error that clear_host_errors hides stays bad": (
        [play([fail_on("b"), {"meta": "clear_host_errors"}]), play([TOUCH])],
        {"a": DONE, "b": FAILED},
    ),
    "an unreachable host that clear_host_errors brings back stays bad": (
        [play([PING, {"meta": "clear_host_errors"}]), play([TOUCH])],
        {"a": DONE, "gone": UNREACHABLE},
    ),
    "a host that end_host ended is done": (
        [play([{"meta": "end_host", "when": "inventory_hostname == 'a'"}, TOUCH])],
        {"a": DONE, "b": DONE},
    ),
    "hosts that end_play ended are done": (
        [play([TOUCH, {"meta": "end_play"}, TOUCH])],
        {"a": DONE, "b": DONE},
    ),
    "hosts that end_batch ended are done": (
        [play([TOUCH, {"meta": "end_batch"}, TOUCH], serial=1)],
        {"a": DONE, "b": DONE},
    ),
    "end_play in a play with serial leaves the later hosts unprocessed": (
        [play([TOUCH, {"meta": "end_play"}], serial=1)],
        {"a": DONE, "b": NOT_STARTED},
    ),
    "end_play with serial, and another play that touches all": (
        [play([TOUCH]), play([TOUCH, {"meta": "end_play"}], serial=1)],
        {"a": DONE, "b": ABORTED},
    ),
    "any_errors_fatal cuts the others off": (
        [play([TOUCH, fail_on("b"), TOUCH], any_errors_fatal=True)],
        {"a": ABORTED, "b": FAILED, "c": ABORTED},
    ),
    "any_errors_fatal and an unreachable host: the recap shows nothing": (
        [play([PING, TOUCH], any_errors_fatal=True)],
        {"a": ABORTED, "gone": UNREACHABLE},
    ),
    "any_errors_fatal and an unreachable host with serial: the next batch runs": (
        [play([PING, TOUCH], any_errors_fatal=True, serial=2, order="reverse_sorted")],
        {"a": DONE, "c": ABORTED, "gone": UNREACHABLE},
    ),
    "max_fail_percentage cuts the others off": (
        [play([TOUCH, fail_on("b"), TOUCH], max_fail_percentage=0)],
        {"a": ABORTED, "b": FAILED},
    ),
    "max_fail_percentage does not count unreachable hosts": (
        [play([PING, TOUCH], max_fail_percentage=0)],
        {"a": DONE, "gone": UNREACHABLE},
    ),
    "max_fail_percentage with serial: the rest of the playbook is not run": (
        [play([TOUCH, fail_on("a")], max_fail_percentage=0, serial=2), play([TOUCH])],
        {"a": FAILED, "b": ABORTED, "c": NOT_STARTED},
    ),
    "a serial batch that failed wholly stops the later ones": (
        [play([TOUCH, fail_on("a")], serial=1)],
        {"a": FAILED, "b": NOT_STARTED, "c": NOT_STARTED},
    ),
    "serial batches that go well are all done": (
        [play([TOUCH], serial=1)],
        {"a": DONE, "b": DONE, "c": DONE},
    ),
    "a failing run_once task fails everybody": (
        [play([TOUCH, fail_on("a", run_once=True), TOUCH])],
        {"a": FAILED, "b": ABORTED},
    ),
    "run_once on one host is done on the others too": (
        [play([TOUCH | {"run_once": True}])],
        {"a": DONE, "b": DONE},
    ),
    "free strategy": (
        [play([TOUCH, fail_on("b"), TOUCH], strategy="free")],
        {"a": DONE, "b": FAILED, "c": DONE},
    ),
    "free strategy with run_once: every host runs it, one failure fails all": (
        [play([fail_on("b", run_once=True), TOUCH], strategy="free"), play([TOUCH])],
        {"b": FAILED},
    ),
    "host_pinned strategy": (
        [play([TOUCH, fail_on("b"), TOUCH], strategy="host_pinned")],
        {"a": DONE, "b": FAILED},
    ),
    "a play whose hosts match nothing targets nobody": (
        [play([TOUCH], hosts="nowhere")],
        {"a": SKIPPED, "b": SKIPPED},
    ),
    "hosts that no play targets are skipped": ([play([TOUCH], hosts="web")], {"a": DONE, "c": SKIPPED}),
    "a play on the implicit localhost is left out by Ansible itself": (
        [play([{"fail": {}}], hosts="localhost"), play([TOUCH])],
        {"a": DONE},
    ),
    "a play without tasks is gone through": ([play([])], {"a": DONE}),
    "tasks that are all skipped are gone through": ([play([TOUCH | {"when": False}])], {"a": DONE}),
    "a failing handler counts": (
        [
            play(
                [TOUCH | {"changed_when": True, "notify": "break"}],
                handlers=[{"name": "break", "fail": {}, "when": "inventory_hostname == 'b'"}],
            )
        ],
        {"a": DONE, "b": FAILED},
    ),
    "all hosts of one play fail: hosts of later plays were not started": (
        [play([{"fail": {}}], hosts="web"), play([TOUCH], hosts="db")],
        {"a": FAILED, "b": FAILED, "c": NOT_STARTED},
    ),
    "an include that does not exist fails its hosts": (
        [play([TOUCH, {"include_tasks": "missing.yml", "when": "inventory_hostname == 'b'"}])],
        {"a": DONE, "b": FAILED},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_outcomes(world: World, name: str) -> None:
    plays, expected = CASES[name]
    world.write("site.yml", plays)
    finished = world.play(order_for(*expected))
    assert finished.outcomes == expected
    assert finished.end.status == Ending.ENDED


def test_what_ended_a_host_early_is_said(world: World) -> None:
    ending = {"meta": "end_host", "when": "inventory_hostname == 'a'"}
    world.write("site.yml", [play([TOUCH, ending, TOUCH])])
    finished = world.play(order_for("a", "b"))
    assert finished.hosts["a"].reason == "meta: end_host at site.yml:8"
    assert finished.hosts["b"].reason == ""


def test_what_cut_a_host_off_is_said(world: World) -> None:
    world.write("site.yml", [play([TOUCH, fail_on("b"), TOUCH], any_errors_fatal=True)])
    finished = world.play(order_for("a", "b"))
    assert finished.hosts["a"].reason == "cut off after b failed in 'break b (site.yml:8)'"


def test_procedures_follow_each_other_and_say_how_far_a_host_got(world: World) -> None:
    names = {
        Procedure.BACKUP: ("backup.yml",),
        Procedure.APPLY: ("site.yml",),
        Procedure.VERIFY: ("verify.yml",),
    }
    world.write("backup.yml", [play([fail_on("a")])])
    world.write("site.yml", [play([fail_on("b")])])
    world.write("verify.yml", [play([fail_on("c")])])
    order = order_for("a", "b", "c", "d", procedures=("backup", "apply", "verify"))
    finished = world.play(order, playbooks=names)
    assert finished.outcomes == {"a": FAILED, "b": FAILED, "c": FAILED, "d": DONE}
    completed = {host: found.completed for host, found in finished.hosts.items()}
    assert completed == {
        "a": (),
        "b": ("backup",),
        "c": ("backup", "apply"),
        "d": ("backup", "apply", "verify"),
    }


def test_a_host_that_only_the_backup_targets_is_skipped(world: World) -> None:
    names = {Procedure.BACKUP: ("backup.yml",), Procedure.APPLY: ("site.yml",)}
    world.write("backup.yml", [play([TOUCH])])
    world.write("site.yml", [play([TOUCH], hosts="web")])
    finished = world.play(order_for("a", "c", procedures=("backup", "apply")), playbooks=names)
    assert finished.outcomes == {"a": DONE, "c": SKIPPED}
    assert finished.hosts["c"].reason == "no play of the playbook targets this host"


def test_a_rollback_has_outcomes_of_its_own(world: World) -> None:
    world.write("back.yml", [play([fail_on("b"), PING])])
    order = order_for("a", "b", "gone", procedures=("rollback",))
    finished = world.play(order, playbooks={Procedure.ROLLBACK: ("back.yml",)})
    bad = Outcome.ROLLBACK_FAILED
    assert finished.outcomes == {"a": Outcome.ROLLED_BACK, "b": bad, "gone": bad}
    assert finished.hosts["b"].reason == "failed: b is broken"
    assert finished.hosts["gone"].reason.startswith("unreachable: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- hosts: all\n  tasks:\n    - no_such_module: {}\n", "no_such_module"),
        ("- hosts: all\n  tasks: {[\n", "site.yml:3"),
        (None, "'site.yml'"),
    ],
)
def test_a_playbook_that_ansible_cannot_load_starts_nothing_and_says_why(
    world: World, content: str | None, said: str
) -> None:
    if content is not None:
        world.write("site.yml", content)
    finished = world.play(order_for("a", "b"))
    assert finished.outcomes == {"a": NOT_STARTED, "b": NOT_STARTED}
    assert said in finished.end.detail
    assert said in finished.hosts["a"].reason


def test_an_inventory_that_lost_a_host_stops_the_batch_before_anything_runs(world: World) -> None:
    world.write("site.yml", [play([TOUCH])])
    finished = world.play(order_for("a", "vanished"))
    assert finished.outcomes == {"a": NOT_STARTED, "vanished": NOT_STARTED}
    assert "other hosts" in finished.end.detail


def test_a_host_that_disappeared_but_is_named_like_a_group_widens_nothing(world: World) -> None:
    world.write("site.yml", [play([TOUCH])])
    finished = world.play(order_for("web"))
    assert finished.outcomes == {"web": NOT_STARTED}
    assert "other hosts" in finished.end.detail


NASTY = [
    "with space", " leading", "trailing ", "co:lon", "!bang", "&and", "com,ma", "st*r", "~tilde", "@at",
    "a[1]", "[x]", "ünï", "-dash", "--limit", "q?", "a.b", "$(id)", "'quote\"", "back\\slash", "{{ 7 }}",
    "all!", "plain",
]  # fmt: skip


@pytest.mark.parametrize("start", [0, 1])
def test_names_with_any_characters_are_exact(world: World, start: int) -> None:
    world.inventory({name: {} for name in [*NASTY, "a", "b", "ab", "axb"]}, {"plain": ["a"], "st*r": ["b"]})
    world.write("site.yml", [play([TOUCH])])
    chosen = NASTY[start::2]
    finished = world.play(order_for(*chosen))
    assert finished.outcomes == dict.fromkeys(chosen, DONE)


@pytest.mark.parametrize("name", ["!bang", " leading", "-dash", "@at", "plain", "*"])
def test_a_batch_of_one_odd_name_is_exact(world: World, name: str) -> None:
    world.inventory({name: {}, "a": {}, "b": {}}, {"plain": ["a"]})
    world.write("site.yml", [play([TOUCH])])
    assert world.play(order_for(name)).outcomes == {name: DONE}
