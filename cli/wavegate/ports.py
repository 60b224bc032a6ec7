"""The doors between the engine and the world. Adapters implement them; tests and the simulator fake them.

No port decides anything. Executors and probers answer later, by handing core events to `report`, which is
safe to call from any thread and never raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from msgspec import Struct, field

from wavegate.core.events import BatchSubmitted, Event, HostFinished, Record, SweepStarted, VoteCast
from wavegate.core.fleet import Fleet
from wavegate.core.plan import Plan
from wavegate.core.spec import ProbeSpec

Report = Callable[[Event], None]


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> float:
        """Return seconds since the epoch, UTC."""
        ...


class Executor(Protocol):
    """Runs batches. The batch is the unit of dispatch; the local one drives ansible-runner."""

    def submit(self, order: BatchSubmitted, report: Report) -> None:
        """Start the batch and return at once.

        Reports one HostFinished for each host as soon as its end is known, then exactly one BatchEnded,
        also when the process could not be started, timed out, was canceled or died. In between it reports
        what the playbook announces (obligations, versions), and the playbook waits for `acknowledge`.
        """
        ...

    def cancel(self, batch: str) -> None:
        """End the batch's processes, gently then hard; its BatchEnded follows when they were seen gone."""
        ...

    def acknowledge(self, event: Event) -> None:
        """Take note that the event is durable: what was kept until then may be removed, who waits goes on.

        A VersionPinned tells it what later batches get, also one of a process before this one.
        """
        ...

    def collect(self, order: BatchSubmitted) -> tuple[HostFinished, ...]:
        """Return what a batch of a dead process left on disk, after its processes were seen gone.

        Waits for processes that outlived their parent, up to a limit, then ends them. Only hosts with a
        certain outcome are returned.
        """
        ...


class Prober(Protocol):
    """Takes measurements."""

    def measure(self, sweep: SweepStarted, probe: ProbeSpec, report: Report) -> None:
        """Measure every target once, concurrently, and return at once.

        Reports exactly one SweepEnded with one measurement for each target. What cannot be measured is a
        Reading.ERROR with the reason in its detail; nothing raises, and no try outlives the probe's timeout.
        """
        ...


class Signatures(Protocol):
    """Knows whose keys are whose."""

    def find_fault(self, vote: VoteCast) -> str:
        """Return why the vote's signature does not hold for this rollout; "" when it does, now."""
        ...


class RolloutRow(Struct, frozen=True):
    """A rollout as `history` lists it; `owner` fields are empty when nobody holds the lease.

    `owner_process` tells the owner's process from every other one that has had, or will have, its pid;
    `silent_for` is how long ago the last heartbeat was when the row was read, by the clock that wrote it.
    """

    id: str
    name: str
    file: str
    plan_hash: str
    created_at: float
    status: str
    owner: str = ""
    owner_host: str = ""
    owner_pid: int = 0
    owner_process: str = ""
    owner_since: float = 0.0
    heartbeat_at: float = 0.0
    silent_for: float = 0.0


class Request(Struct, frozen=True):
    """What another process asks of the one that walks a rollout."""

    number: int
    event: Event


class Journal(Protocol):
    """The append-only record. Every write is durable before it returns, and compare-and-swap."""

    def create(self, rollout_id: str, plan: Plan, file: str, at: float) -> None:
        """Write a new rollout with its plan."""
        ...

    def rollouts(self) -> Sequence[RolloutRow]:
        """Return all rollouts, newest first."""
        ...

    def find(self, prefix: str) -> RolloutRow:
        """Return the rollout whose id starts with `prefix`; raise WavegateError when none or several do."""
        ...

    def plan(self, rollout_id: str) -> Plan:
        """Return the rollout's frozen plan."""
        ...

    def read(self, rollout_id: str, after: int = 0) -> Sequence[Record]:
        """Return the rollout's records with seq > `after`, in order."""
        ...

    def acquire(self, rollout_id: str, at: float) -> None:
        """Take the lease; raise WavegateError `rollout-locked` (exit 41) when a live process holds it."""
        ...

    def heartbeat(self, rollout_id: str, at: float) -> None:
        """Say that the owner lives; raise WavegateError `lease-lost` when the lease was taken over."""
        ...

    def release(self, rollout_id: str) -> None:
        """Give the lease back."""
        ...

    def request(self, rollout_id: str, event: Event, at: float) -> None:
        """Ask the process that walks the rollout to make this an event of it; needs no lease."""
        ...

    def requests(self, rollout_id: str) -> Sequence[Request]:
        """Return what was asked and not yet taken, in order."""
        ...

    def forget_requests(self, taken: Sequence[Request]) -> None:
        """Forget requests: they are events now."""
        ...

    def append(
        self, rollout_id: str, expected_seq: int, events: Sequence[Event], at: float
    ) -> Sequence[Record]:
        """Append in one durable transaction; the first gets seq `expected_seq` + 1.

        Raise WavegateError `lease-lost` when this process no longer holds the lease, or somebody else wrote.
        """
        ...


class SharedJournal(Journal, Protocol):
    """A journal that others start rollouts in, too, maybe from other machines."""

    def claiming(self) -> AbstractContextManager[None]:
        """Make everything in the block one step, which no other process's claim comes between.

        What is written in it is there for others when the block ends, or not at all when it raises.
        """
        ...

    def listen(self, rollout_id: str, at: float) -> None:
        """Wait until it is known whether the lease's owner lives, as `acquire` does outside of a claim."""
        ...


class Question(Struct, frozen=True, kw_only=True):
    """Everything that is asked of Ansible about a project, in one go (one inventory reading).

    `templates` maps a key (a probe's name) to data with Jinja templates, which is rendered for every host
    that `patterns` named; `variables` are the rollout's extra vars; `host_variables` are names whose values
    the plan needs (for `apart`); `playbooks` are loaded by Ansible, to find mistakes before anything starts.
    `plan_only` leaves out of the answer what only batches and probes need: snapshot, rendered templates and
    secrets. Without `wants_snapshot` only the snapshot is left out.
    """

    inventory: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    host_variables: tuple[str, ...] = ()
    playbooks: tuple[str, ...] = ()
    variables: Mapping[str, Any] = field(default_factory=dict)
    vault_password_files: tuple[str, ...] = ()
    templates: Mapping[str, Any] = field(default_factory=dict)
    plan_only: bool = False
    wants_snapshot: bool = True


class PlayFact(Struct, frozen=True, kw_only=True):
    """What a play says about itself, for the plan's notes."""

    playbook: str
    name: str
    hosts: str
    serial: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()


class AnsibleProblem(Struct, frozen=True, kw_only=True):
    """Something Ansible made no sense of; `subject` is the inventory, pattern, playbook or template."""

    kind: str
    subject: str
    message: str
    hint: str = ""


class Answer(Struct, frozen=True, kw_only=True):
    """What Ansible answered. `secrets`, which `rendered` may hold too, are never written anywhere.

    `rendered[key][host]` is the rendered template; `secrets` are strings to redact wherever they appear;
    `snapshot` is the inventory as read, for the batches (None when there were problems);
    `settings` are the project's effective Ansible settings that running a batch must keep;
    `repeatable` when nothing but files and settings had a part in it: no script, service, lookup or clock;
    `files` are those that were opened then.
    """

    fleet: Fleet
    plays: tuple[PlayFact, ...] = ()
    problems: tuple[AnsibleProblem, ...] = ()
    rendered: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    snapshot: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    repeatable: bool = False
    files: tuple[str, ...] = ()
