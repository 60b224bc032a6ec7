"""How it ended for a host: only positive evidence makes it `done` (design 4.2)."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The named end of one host's way through a batch."""

    DONE = "done"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"
    NOT_STARTED = "not_started"
    SKIPPED = "skipped"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"


BAD_OUTCOMES = frozenset({Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.ABORTED})
"""What counts against a failure budget; a host that a probe found bad counts too."""


class Reading(StrEnum):
    """One answer of one probe. An error has measured nothing: it is neither good nor bad."""

    GOOD = "good"
    BAD = "bad"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"


class Verdict(StrEnum):
    """What a gate says."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


class Status(StrEnum):
    """Where a rollout stands."""

    PLANNED = "planned"
    RUNNING = "running"
    ROLLING_BACK = "rolling_back"
    WAITING = "waiting"
    HELD = "held"
    INTERRUPTED = "interrupted"
    COMPLETED = "completed"
    HALTED = "halted"
    ROLLED_BACK = "rolled_back"
    ROLLBACK_FAILED = "rollback_failed"
    ABORTED = "aborted"


WALKING = frozenset({Status.RUNNING, Status.ROLLING_BACK})
"""States in which a process carries the rollout on."""

CLOSED = frozenset({Status.COMPLETED, Status.ROLLED_BACK, Status.ABORTED})
"""States in which nothing is left to do. Halted is none: a person retries, skips, rolls back or aborts."""
