"""What Ansible did in one batch, as far as it counts for the hosts' outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct


class Result(StrEnum):
    """How one task ended on one host."""

    OK = "ok"
    SKIPPED = "skipped"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


class TaskStarted(Struct, frozen=True):
    """A task was sent to the host."""

    host: str


class TaskEnded(Struct, frozen=True):
    """A task's result on a host; `ignored` means the playbook says that this trouble does not count.

    `uuid` is Ansible's, `task` the task's name and place, `message` what it said when it went wrong.
    """

    host: str
    result: Result
    uuid: str = ""
    task: str = ""
    message: str = ""
    changed: bool = False
    ignored: bool = False


class TaskAnnounced(Struct, frozen=True):
    """A task is about to be sent to hosts: what its trouble would mean.

    `rescuable`: a block around it may rescue a failure. `ignores_unreachable` is None when only the task's
    end can tell.
    """

    uuid: str
    rescuable: bool
    ignores_unreachable: bool | None


class PlayStarted(Struct, frozen=True):
    """A play began for `hosts`, of all those that it targets (fewer where the play has `serial`)."""

    play: str
    name: str
    targets: tuple[str, ...]
    hosts: tuple[str, ...]


class EndedEarly(Struct, frozen=True):
    """A `meta: end_…` task ended the play for these hosts without failing them."""

    hosts: tuple[str, ...]
    how: str


class ProcedureClosed(Struct, frozen=True):
    """The completion play of the procedure began: no play of the procedure starts after it."""

    procedure: str


class ProcedureCompleted(Struct, frozen=True):
    """The completion play of the procedure reached the host."""

    host: str
    procedure: str


class Recap(Struct, frozen=True):
    """Ansible's own counts of failed and unreachable results, without the rescued and ignored ones."""

    failures: Mapping[str, int]
    unreachable: Mapping[str, int]
    rescued: Mapping[str, int]


AnsibleEvent = (
    TaskStarted
    | TaskEnded
    | TaskAnnounced
    | PlayStarted
    | EndedEarly
    | ProcedureClosed
    | ProcedureCompleted
    | Recap
)
