"""Folds what Ansible did in one batch into one outcome for each host (design 4.2).

A host gets through a procedure only when the **completion play** that follows the procedure's playbooks
reached it: Ansible leaves failed and unreachable hosts out of later plays, and all hosts of a play that was
cut off, so reaching it is positive evidence. Everything else is a named outcome. Bad wins over good.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from msgspec import Struct, field

from wavegate.core.ansible_events import (
    AnsibleEvent,
    EndedEarly,
    PlayStarted,
    ProcedureClosed,
    ProcedureCompleted,
    Recap,
    Result,
    TaskAnnounced,
    TaskEnded,
    TaskStarted,
)
from wavegate.core.events import BatchSubmitted, HostFinished
from wavegate.core.outcomes import BAD_OUTCOMES, Outcome

_MAIN = ("apply", "rollback", "discharge")


class Ending(StrEnum):
    """How the batch's process ended: by itself, or because it was stopped."""

    ENDED = "ended"
    TIMED_OUT = "timed_out"
    CANCELED = "canceled"
    LOST = "lost"


class _Trail(Struct):
    """What is known about one host."""

    started: bool = False
    changed: int = 0
    troubles: list[TaskEnded] = field(default_factory=list)
    settled: TaskEnded | None = None
    notes: list[str] = field(default_factory=list)
    completed: list[str] = field(default_factory=list)
    targeted: set[str] = field(default_factory=set)
    finished: bool = False


class _Play(Struct):
    name: str
    targets: frozenset[str]
    reached: set[str]


class BatchEvidence:
    """The fold. `add` and `end` return outcomes as soon as nothing can change them, each host once."""

    def __init__(self, order: BatchSubmitted) -> None:
        self._order = order
        self._trails = {host: _Trail() for host in order.hosts}
        self._plays: dict[str, _Play] = {}
        self._tasks: dict[str, TaskAnnounced] = {}
        self._procedures = list(order.procedures)
        self._recap: Recap | None = None
        self._strangers: set[str] = set()

    @property
    def strangers(self) -> tuple[str, ...]:
        """Hosts outside of the order that Ansible worked on: must be empty."""
        return tuple(sorted(self._strangers))

    @property
    def first_trouble(self) -> str:
        """One sentence about the first host whose trouble was not rescued ("" when there is none)."""
        for host, trail in self._trails.items():
            if (trouble := self._decisive(host, trail)) is not None:
                return f"after {host} {_verb(trouble)} in {trouble.task!r}"
        return ""

    def add(self, event: AnsibleEvent) -> tuple[HostFinished, ...]:
        """Take one event in; return the outcomes that it settles."""
        match event:
            case PlayStarted():
                self._start_play(event)
            case ProcedureClosed():
                self._procedures = [p for p in self._procedures if p != event.procedure]
            case TaskAnnounced():
                self._tasks[event.uuid] = event
            case Recap():
                self._recap = event
            case EndedEarly():
                for host in event.hosts:
                    if trail := self._trails.get(host):
                        trail.notes.append(event.how)
            case TaskStarted() | TaskEnded() | ProcedureCompleted():
                return self._add_to_host(event)
        return ()

    def end(self, ending: Ending, why: str = "") -> tuple[HostFinished, ...]:
        """Return the outcome of every host that has none yet; after a cancel or a loss only certain ones.

        `why` says what cut the others off, for their reason.
        """
        certain_only = ending in {Ending.CANCELED, Ending.LOST}
        open_hosts = [(host, trail) for host, trail in self._trails.items() if not trail.finished]
        if certain_only:
            certain = (self._finish_if_certain(host, trail) for host, trail in open_hosts)
            return tuple(outcome for outcome in certain if outcome is not None)
        return tuple(self._finish_at_end(host, trail, ending, why) for host, trail in open_hosts)

    def _start_play(self, event: PlayStarted) -> None:
        play = self._plays.setdefault(event.play, _Play(event.name, frozenset(event.targets), set()))
        play.reached.update(event.hosts)
        self._strangers.update(host for host in event.hosts if host not in self._trails)
        for host in event.targets:
            if (trail := self._trails.get(host)) and self._procedures:
                trail.targeted.add(self._procedures[0])

    def _add_to_host(self, event: TaskStarted | TaskEnded | ProcedureCompleted) -> tuple[HostFinished, ...]:
        trail = self._trails.get(event.host)
        if trail is None:
            self._strangers.add(event.host)
            return ()
        match event:
            case TaskStarted():
                trail.started = True
            case TaskEnded():
                trail.started = True
                trail.changed += event.changed
                return self._weigh(event, trail)
            case ProcedureCompleted():
                trail.completed.append(event.procedure)
                if self._got_through(trail) and not trail.troubles and not trail.finished:
                    return (self._finish_good(event.host, trail),)
        return ()

    def _weigh(self, event: TaskEnded, trail: _Trail) -> tuple[HostFinished, ...]:
        """Take trouble in; it settles the host when nothing in the playbook can undo it."""
        task = self._tasks.get(
            event.uuid, TaskAnnounced(event.uuid, rescuable=True, ignores_unreachable=None)
        )
        unreachable = event.result is Result.UNREACHABLE
        ignored = event.ignored or (unreachable and task.ignores_unreachable)
        if ignored or event.result not in {Result.FAILED, Result.UNREACHABLE}:
            return ()
        trail.troubles.append(event)
        final = task.ignores_unreachable is False if unreachable else not task.rescuable
        if not final or trail.finished:
            return ()
        trail.settled = event
        return (self._finish_bad(event.host, trail, event),)

    def _got_through(self, trail: _Trail) -> bool:
        return set(self._order.procedures) <= set(trail.completed)

    def _finish_if_certain(self, host: str, trail: _Trail) -> HostFinished | None:
        if self._recap is None and (trail.troubles or not self._got_through(trail)):
            return None
        trouble = self._decisive(host, trail)
        if trouble is not None:
            return self._finish_bad(host, trail, trouble)
        return self._finish_good(host, trail) if self._got_through(trail) else None

    def _finish_at_end(self, host: str, trail: _Trail, ending: Ending, why: str) -> HostFinished:
        trouble = self._decisive(host, trail)
        if trouble is not None:
            return self._finish_bad(host, trail, trouble)
        if self._got_through(trail) and self._recap is not None:
            return self._finish_good(host, trail)
        why = why or self.first_trouble
        if not trail.started:
            return self._finish(host, trail, Outcome.NOT_STARTED, why)
        if ending is Ending.TIMED_OUT:
            return self._finish(host, trail, Outcome.TIMED_OUT, why)
        return self._finish(host, trail, Outcome.ABORTED, f"cut off {why}".strip())

    def _decisive(self, host: str, trail: _Trail) -> TaskEnded | None:
        """Return the trouble that makes the host bad, if one does."""
        if trail.settled is not None:
            return trail.settled
        if not trail.troubles:
            return None
        if self._recap is None:
            return None if self._got_through(trail) else trail.troubles[-1]
        if self._recap.unreachable.get(host):
            return _last(trail, Result.UNREACHABLE)
        return _last(trail, Result.FAILED) if self._recap.failures.get(host) else None

    def _finish_good(self, host: str, trail: _Trail) -> HostFinished:
        missed = [p.name for p in self._plays.values() if host in p.targets and host not in p.reached]
        if missed:
            outcome = Outcome.ABORTED if trail.started else Outcome.NOT_STARTED
            return self._finish(host, trail, outcome, f"its turn in the play {missed[0]!r} never came")
        main = [p for p in self._order.procedures if p in _MAIN] or list(self._order.procedures)
        if not trail.targeted.intersection(main):
            return self._finish(host, trail, Outcome.SKIPPED, "no play of the playbook targets this host")
        return self._finish(host, trail, Outcome.DONE, "; ".join(dict.fromkeys(trail.notes)))

    def _finish_bad(self, host: str, trail: _Trail, trouble: TaskEnded) -> HostFinished:
        outcome = Outcome.UNREACHABLE if trouble.result is Result.UNREACHABLE else Outcome.FAILED
        return self._finish(host, trail, outcome, trouble.message, trouble.task)

    def _finish(
        self, host: str, trail: _Trail, outcome: Outcome, reason: str, task: str = ""
    ) -> HostFinished:
        trail.finished = True
        if "rollback" in self._order.procedures:
            outcome, reason = _of_rollback(outcome, reason)
        return HostFinished(
            batch=self._order.batch,
            host=host,
            outcome=outcome,
            reason=reason,
            task=task,
            completed=tuple(trail.completed),
            changed=trail.changed,
            rescued=self._rescued(host, trail),
        )

    def _rescued(self, host: str, trail: _Trail) -> int:
        if self._recap is not None:
            return self._recap.rescued.get(host, 0)
        return 0 if trail.settled is None else len(trail.troubles) - 1


def _last(trail: _Trail, result: Result) -> TaskEnded:
    matching: Iterator[TaskEnded] = (t for t in reversed(trail.troubles) if t.result is result)
    return next(matching, trail.troubles[-1])


def _verb(trouble: TaskEnded) -> str:
    return "was unreachable" if trouble.result is Result.UNREACHABLE else "failed"


def _of_rollback(outcome: Outcome, reason: str) -> tuple[Outcome, str]:
    if outcome is Outcome.DONE:
        return Outcome.ROLLED_BACK, reason
    if outcome in BAD_OUTCOMES:
        return Outcome.ROLLBACK_FAILED, f"{outcome.value.replace('_', ' ')}: {reason}".rstrip(": ")
    return outcome, reason
