"""Wires what a rollout walks with: engine, executor, probes, signals; and ends all of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from wavegate.bootstrap.material import Frozen, forget_secrets
from wavegate.bootstrap.probe_secrets import find_probe_secrets
from wavegate.bootstrap.reading import cache_of
from wavegate.bootstrap.rehearsals import judge_rehearsal
from wavegate.core.events import StopRequested
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.engine.engine import Engine, Watcher
from wavegate.engine.inbox import Inbox
from wavegate.errors import WavegateError
from wavegate.ports import Journal

if TYPE_CHECKING:
    from wavegate.adapters.executor import Launch
    from wavegate.adapters.probes.prober import LocalProber
    from wavegate.adapters.signatures import SshSignatures


class SystemClock:
    """The controller's clock, which never jumps: it goes on from where it stood when it was made.

    `not_before` is the time of the journal's last record: a clock that was set back in between does not make
    a soak longer, and one that is set while the process lives changes nothing.
    """

    def __init__(self, not_before: float = 0.0) -> None:
        self._began = max(time.time(), not_before)
        self._elapsed = _elapsed()

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        return self._began + _elapsed() - self._elapsed


def _elapsed() -> float:
    """Return seconds that nobody sets; where the system can, a machine's sleep counts too."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


@contextmanager
def wire(  # noqa: PLR0913 - what an engine is made of
    rollout_id: str,
    plan: Plan,
    journal: Journal,
    frozen: Frozen,
    watcher: Watcher,
    *,
    stays: bool = True,
    state: State | None = None,
) -> Iterator[Engine]:
    """Yield a wired engine that listens to signals; release the lease and every helper process afterwards.

    `state` is what is known of the rollout already.

    When the journal cannot be written any more, what is in flight ends first: its outcomes stay on disk for
    `resume`. When the lease was taken over, what is in flight is the new owner's business.
    """
    from wavegate.adapters.executor import LocalExecutor

    launch = make_launch(rollout_id, plan, frozen)
    executor = LocalExecutor(launch)

    def changed_ago(host: str) -> float | None:
        return engine.state.changed_ago(host, engine.clock.now())

    prober = make_prober(launch, plan, frozen, changed_ago)
    engine = Engine(
        rollout_id=rollout_id,
        plan=plan,
        journal=journal,
        executor=executor,
        prober=prober,
        clock=SystemClock(state.at if state else 0.0),
        inbox=Inbox(),
        watcher=watcher,
        signatures=make_signatures(rollout_id, plan, frozen.material),
        stays=stays,
        state=state or State(),
    )
    lost = False
    try:
        with _signals(engine.inbox):
            yield engine
        journal.release(rollout_id)
    except WavegateError as error:
        lost = error.code == "lease-lost"
        if lost:
            executor.abandon()
        else:
            executor.drain()
        raise
    finally:
        prober.close()
        if not lost:
            executor.close()
        if engine.state.is_closed:
            forget_secrets(frozen.work)


def make_signatures(rollout_id: str, plan: Plan, material: Path) -> SshSignatures:
    """Return who verifies signed votes, by the allowed signers that were frozen with the plan."""
    from wavegate.adapters.signatures import SshSignatures

    asked = {name: gate.approval for name, gate in plan.gates.items() if gate.approval}
    files = {name: one.allowed_signers for name, one in asked.items() if one.allowed_signers}
    return SshSignatures(rollout_id, {name: material / file for name, file in files.items()})


def make_launch(rollout_id: str, plan: Plan, frozen: Frozen) -> Launch:
    """Return what the batches and the host probes of the rollout have in common."""
    from wavegate.adapters.executor import Launch

    return Launch(
        rollout_id=rollout_id,
        work=frozen.work,
        material=frozen.material,
        project=frozen.project,
        playbooks=plan.playbooks,
        variables=frozen.spec.variables,
        inventory=frozen.spec.inventory,
        snapshot=frozen.snapshot,
        settings=frozen.answer.settings,
        vault_password_files=frozen.spec.vault_password_files,
        become=frozen.spec.become,
        timeout=plan.batch_timeout,
        secrets=frozen.answer.secrets
        | _become_secrets(frozen)
        | find_probe_secrets(frozen.spec.probes, frozen.answer.rendered),
        cache=cache_of(frozen.project),
    )


def _become_secrets(frozen: Frozen) -> frozenset[str]:
    """Return the become password that the rollout file names a file for; a script's answer is not known."""
    name = frozen.spec.become.password_file if frozen.spec.become else ""
    path = frozen.project / Path(name).expanduser()
    if not name or not path.is_file() or os.access(path, os.X_OK):
        return frozenset()
    return frozenset({path.read_text(encoding="utf-8").strip()})


def make_prober(
    launch: Launch, plan: Plan, frozen: Frozen, changed_ago: Callable[[str], float | None] = lambda _: None
) -> LocalProber:
    """Return what measures; what reaches hosts goes through the ssh connections that batches left open.

    `changed_ago` returns how many seconds ago the change began on a host (None: it did not).
    """
    from wavegate.adapters.executor.private import open_runtime_folder
    from wavegate.adapters.probes.ansible_host import AnsibleHostRunner
    from wavegate.adapters.probes.ansible_task import AnsibleTaskRunner
    from wavegate.adapters.probes.kinds import Runners
    from wavegate.adapters.probes.playbook_runs import AnsiblePlaybookRunner
    from wavegate.adapters.probes.prober import LocalProber
    from wavegate.adapters.probes.suite_runs import PytestSuiteRunner
    from wavegate.adapters.redact import Redactor

    runtime = open_runtime_folder(launch.work)
    return LocalProber(
        frozen.answer.rendered,
        Redactor(launch.secrets),
        AnsibleHostRunner(launch, runtime),
        frozen.material,
        frozen.spec.name,
        partial(judge_rehearsal, frozen.project, frozen.material, plan),
        runners=Runners(
            AnsibleTaskRunner(launch, runtime),
            AnsiblePlaybookRunner(launch, runtime),
            PytestSuiteRunner(launch, runtime),
        ),
        changed_ago=changed_ago,
    )


@contextmanager
def _signals(inbox: Inbox) -> Iterator[None]:
    """First Ctrl-C or SIGTERM: start nothing new. Second: stop what is in flight too."""
    seen: list[int] = []

    def ask_to_stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        seen.append(number)
        inbox.put(StopRequested(signal.Signals(number).name, now=len(seen) > 1))

    before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def forget_runtime(work: Path) -> None:
    """Close the shared ssh connections of probes outside of a rollout and remove their folder."""
    from wavegate.adapters.executor.private import open_runtime_folder, remove_runtime_folder
    from wavegate.adapters.executor.sockets import close_connections

    folder = open_runtime_folder(work)
    close_connections(folder)
    remove_runtime_folder(work, folder)
