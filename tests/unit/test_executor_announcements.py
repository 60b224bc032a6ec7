"""What playbooks announce: real ansible-playbook over local connections, and an executor that must answer."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.executor_world import WAIT, Reports, World, order_for
from wavegate.adapters.executor import LocalExecutor
from wavegate.adapters.executor.messages import Pins
from wavegate.core.events import (
    BatchEnded,
    BatchSubmitted,
    Event,
    HostFinished,
    ObligationClosed,
    ObligationOpened,
    VersionPinned,
)
from wavegate.core.outcomes import Outcome
from wavegate.core.spec import Procedure

PLUGINS = Path(__file__).parents[2] / "plugins"
UNDO = "undo.yml"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.inventory({"a": {}, "b": {}})
    world.write(UNDO, [_play({"name": "Back", "ansible.builtin.command": "true", "changed_when": False})])
    return world


def _play(*tasks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "A play", "hosts": "all", "gather_facts": False, "tasks": list(tasks), **more}


def _open(key: str = "pool", undo: str = UNDO, **more: Any) -> dict[str, Any]:
    return {"name": "Announce", "wavegate_obligation": {"key": key, "undo": undo}, **more}


def _touch(path: Path) -> dict[str, Any]:
    return {
        "name": "Take out",
        "ansible.builtin.file": {"path": f"{path}-{{{{ inventory_hostname }}}}", "state": "touch"},
    }


class Scribe:
    """An engine in small: whatever is reported is durable at once, unless `holds` says that it waits."""

    def __init__(self, executor: LocalExecutor, *, holds: type | None = None) -> None:
        self.executor, self.holds = executor, holds
        self.queue: queue.Queue[Event] = queue.Queue()
        self.seen: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.queue.put(event)

    def until(self, kind: type) -> Any:
        """Write events down until one of the kind came; one that is held back is not acknowledged."""
        while True:
            event = self.queue.get(timeout=WAIT)
            self.seen.append(event)
            if not (self.holds and isinstance(event, self.holds)):
                self.executor.acknowledge(event)
            if isinstance(event, kind):
                return event

    def outcome(self, host: str) -> HostFinished:
        return next(e for e in self.seen if isinstance(e, HostFinished) and e.host == host)


def _play_batch(world: World, order: BatchSubmitted, **changes: Any) -> Scribe:
    with world.executor(**changes) as executor:
        scribe = Scribe(executor)
        executor.submit(order, scribe)
        scribe.until(BatchEnded)
        return scribe


def test_an_obligation_is_reported_before_anything_is_taken_out(world: World, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    world.write("site.yml", [_play(_open(), _touch(taken))])
    with world.executor() as executor:
        scribe = Scribe(executor, holds=ObligationOpened)
        executor.submit(order_for("a"), scribe)
        opened = scribe.until(ObligationOpened)
        assert opened == ObligationOpened("pilot.1", "a", "pool", UNDO)
        assert not Path(f"{taken}-a").exists()
        executor.acknowledge(opened)
        scribe.until(BatchEnded)
    assert Path(f"{taken}-a").exists()
    assert scribe.outcome("a").outcome is Outcome.DONE


def test_every_host_of_a_batch_announces_for_itself_and_closes_what_it_opened(world: World) -> None:
    close = {"name": "It is back", "wavegate_obligation": {"key": "pool", "state": "closed"}}
    world.write("site.yml", [_play(_open(), close)])
    scribe = _play_batch(world, order_for("a", "b"))
    opened = {e.host for e in scribe.seen if isinstance(e, ObligationOpened)}
    closed = {e.host for e in scribe.seen if isinstance(e, ObligationClosed)}
    assert opened == closed == {"a", "b"}


def test_a_delegated_task_announces_for_the_host_that_it_is_about(world: World) -> None:
    world.write("site.yml", [_play(_open(delegate_to="b"))])
    scribe = _play_batch(world, order_for("a"))
    assert [e.host for e in scribe.seen if isinstance(e, ObligationOpened)] == ["a"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"key": "pool", "undo": "gone.yml"}, "there is no playbook 'gone.yml'"),
        ({"key": "k" * 201, "undo": UNDO}, "1 to 200 characters"),
        ({"key": "k" * 5000, "undo": UNDO}, "too long"),
        ({"key": "two\nlines", "undo": UNDO}, "one line"),
        ({"key": "s3cret-word", "undo": UNDO}, "holds a secret"),
        ({"key": "pool"}, "undo"),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_taken_out(
    world: World, tmp_path: Path, arguments: dict[str, str], why: str
) -> None:
    task = {"name": "Announce", "wavegate_obligation": arguments}
    world.write("site.yml", [_play(task, _touch(tmp_path / "taken"))])
    scribe = _play_batch(world, order_for("a"), secrets=frozenset({"s3cret-word"}))
    assert scribe.outcome("a").outcome is Outcome.FAILED
    assert why in scribe.outcome("a").reason
    assert not [e for e in scribe.seen if isinstance(e, ObligationOpened)]
    assert not (tmp_path / "taken-a").exists()
    assert "s3cret-word" not in (world.work / "batches/pilot.1/output.txt").read_text()


def test_a_discharge_runs_the_undo_playbook_with_the_key(world: World, tmp_path: Path) -> None:
    told = tmp_path / "told"
    copy = {"content": "{{ wavegate_obligation_key }}", "dest": str(told)}
    world.write(UNDO, [_play({"name": "Back", "ansible.builtin.copy": copy})])
    order = BatchSubmitted("pilot.1-discharge", "pilot", 0, ("a",), ("discharge",), "pool/a", UNDO)
    scribe = _play_batch(world, order)
    assert scribe.outcome("a").outcome is Outcome.DONE
    assert told.read_text() == "pool/a"


def test_a_discharge_that_targets_another_host_is_not_done(world: World) -> None:
    world.write(UNDO, [_play({"name": "Back", "ansible.builtin.debug": {"msg": "x"}}, hosts="b")])
    order = BatchSubmitted("pilot.1-discharge", "pilot", 0, ("a",), ("discharge",), "pool", UNDO)
    assert _play_batch(world, order).outcome("a").outcome is Outcome.SKIPPED


def test_under_plain_ansible_playbook_nothing_is_announced_and_the_play_goes_on(world: World) -> None:
    pin = {"name": "Pin", "wavegate_pin": {"key": "k", "value": "1"}}
    world.write(
        "site.yml",
        [_play(_open(register="said"), pin, {"name": "Say", "ansible.builtin.debug": {"var": "said"}})],
    )
    done = _ansible(world)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "this is not a batch of wavegate" in done.stdout


def _ansible(world: World, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    found = {"ANSIBLE_ACTION_PLUGINS": str(PLUGINS / "action"), "ANSIBLE_LIBRARY": str(PLUGINS / "modules")}
    program = Path(sys.executable).with_name("ansible-playbook")
    return subprocess.run(
        [program, "-i", "hosts.sh", "site.yml", *arguments],
        cwd=world.material,
        env={**os.environ, **found, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_ansible_playbook_that_a_task_of_the_batch_starts_announces_nothing(world: World) -> None:
    world.write("inner.yml", [_play(_open())])
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    inner = {"name": "Inner", "ansible.builtin.command": {"argv": [program, "-i", "hosts.sh", "inner.yml"]}}
    world.write("site.yml", [_play({**inner, "args": {"chdir": str(world.material)}, "changed_when": False})])
    scribe = _play_batch(world, order_for("a"))
    assert scribe.outcome("a").outcome is Outcome.DONE
    assert not [e for e in scribe.seen if isinstance(e, ObligationOpened)]


def test_in_check_mode_nothing_is_announced(world: World) -> None:
    world.write("site.yml", [_play(_open(), check_mode=True)])
    scribe = _play_batch(world, order_for("a"))
    assert scribe.outcome("a").outcome is Outcome.DONE
    assert not [e for e in scribe.seen if isinstance(e, ObligationOpened)]


WALKER = """
import sys
from pathlib import Path
from tests.unit.executor_world import World, order_for
from wavegate.adapters.executor import LocalExecutor

world = World(Path(sys.argv[1]))
executor = LocalExecutor(world.launch(rollout_id=sys.argv[2]))
executor.submit(order_for("a"), lambda event: print(type(event).__name__, flush=True))
sys.stdin.read()
"""


def test_a_task_that_waits_for_a_process_that_died_takes_nothing_out(world: World, tmp_path: Path) -> None:
    world.write("site.yml", [_play(_open(), _touch(tmp_path / "taken"))])
    rollout = f"orphan-{os.getpid()}"
    walker = subprocess.Popen(
        [sys.executable, "-c", WALKER, str(world.root), rollout],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert walker.stdout
    assert walker.stdout.readline() == b"ObligationOpened\n"
    walker.send_signal(signal.SIGKILL)
    walker.wait()
    with world.executor(rollout_id=rollout) as executor:
        assert executor.collect(order_for("a")) == ()  # no outcome: it gets its turn again
    assert not (tmp_path / "taken-a").exists()


def _pin(value: str, key: str = "intranet/bookworm") -> dict[str, Any]:
    return {"name": "Pin", "wavegate_pin": {"key": key, "value": value}}


def test_the_first_version_is_pinned_and_later_batches_are_told(world: World, tmp_path: Path) -> None:
    told = {
        "content": "{{ wavegate_pins | to_json }}",
        "dest": f"{tmp_path}/told-{{{{ inventory_hostname }}}}",
    }
    world.write("site.yml", [_play({"name": "Told", "ansible.builtin.copy": told}, _pin("1.1.0"))])
    with world.executor() as executor:
        for host, batch in (("a", "pilot.1"), ("b", "pilot.2")):
            scribe = Scribe(executor)
            executor.submit(order_for(host, batch=batch), scribe)
            scribe.until(BatchEnded)
            assert scribe.outcome(host).outcome is Outcome.DONE
    assert json.loads((tmp_path / "told-a").read_text()) == {}
    assert json.loads((tmp_path / "told-b").read_text()) == {"intranet/bookworm": "1.1.0"}


def test_a_host_that_resolved_another_version_fails_before_it_changes_anything(
    world: World, tmp_path: Path
) -> None:
    world.write("site.yml", [_play(_pin("1.1.1"), _touch(tmp_path / "changed"))])
    with world.executor() as executor:
        executor.acknowledge(VersionPinned("pilot.1", "pilot-1", "intranet/bookworm", "1.1.0"))
        scribe = Scribe(executor)
        executor.submit(order_for("a"), scribe)
        scribe.until(BatchEnded)
    assert scribe.outcome("a").outcome is Outcome.FAILED
    assert "pilot-1 got 1.1.0 for intranet/bookworm, and a resolved 1.1.1" in scribe.outcome("a").reason
    assert not (tmp_path / "changed-a").exists()
    assert not [e for e in scribe.seen if isinstance(e, VersionPinned)]


def test_a_pin_is_durable_before_any_host_goes_on_with_it() -> None:
    pins, answers = Pins(), []
    first, second = VersionPinned("x.1", "a", "k", "1"), VersionPinned("x.2", "b", "k", "1")
    assert pins.announce(first, lambda why: answers.append(("a", why)))
    assert not pins.announce(second, lambda why: answers.append(("b", why)))
    assert pins.durable == {}
    assert answers == []
    pins.confirm(first)
    assert answers == [("a", ""), ("b", "")]
    assert pins.durable == {"k": "1"}
    assert not pins.announce(VersionPinned("x.3", "c", "k", "2"), lambda why: answers.append(("c", why)))
    assert "a got 1 for k" in answers[-1][1]


def test_the_undo_procedure_is_no_playbook_of_the_rollout_file(world: World) -> None:
    assert Procedure.DISCHARGE not in world.launch().playbooks


def test_reports_are_not_held_up_by_a_batch_that_announces_nothing(world: World) -> None:
    world.write("site.yml", [_play({"name": "Say", "ansible.builtin.debug": {"msg": "x"}})])
    with world.executor() as executor:
        reports = Reports(executor=executor)
        executor.submit(order_for("a"), reports)
        assert reports.wait().outcomes == {"a": Outcome.DONE}
