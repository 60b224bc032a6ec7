"""The rollout file after reading and checking: what a person asked for, before any host is known."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct, field

from wavegate.core.quantity import Amount


class Order(StrEnum):
    """The order of the hosts inside a wave (Ansible's own words for it)."""

    SORTED = "sorted"
    INVENTORY = "inventory"
    REVERSE_SORTED = "reverse_sorted"
    REVERSE_INVENTORY = "reverse_inventory"
    SHUFFLE = "shuffle"


class OnBreach(StrEnum):
    """What happens when the failure budget is overspent or a gate fails."""

    HALT = "halt"
    ROLLBACK_BATCH = "rollback_batch"
    ROLLBACK_WAVE = "rollback_wave"
    ROLLBACK_ALL = "rollback_all"


ROLLING_BACK = (OnBreach.ROLLBACK_BATCH, OnBreach.ROLLBACK_WAVE, OnBreach.ROLLBACK_ALL)


class Scope(StrEnum):
    """Whether a probe measures every host of the wave, one host of each group, or one thing once."""

    HOST = "host"
    GROUP = "group"
    ONCE = "once"


class Procedure(StrEnum):
    """What is done to a host inside one batch, in this order; rollback and discharge stand alone.

    `SETTLE` comes before all others where a task of an earlier batch may still be at work on a host.
    `DISCHARGE` puts back what an obligation names, by the playbook that the obligation names.
    """

    SETTLE = "settle"
    PRECHECK = "precheck"
    BACKUP = "backup"
    APPLY = "apply"
    VERIFY = "verify"
    ROLLBACK = "rollback"
    DISCHARGE = "discharge"


class Sampling(Struct, frozen=True, kw_only=True):
    """How often a probe measures and how much trouble it tolerates; all limits are strict (`>`).

    Durations are seconds. `consecutive_success_limit` 0 means off.
    """

    interval: float = 10.0
    count: int = 1
    initial_delay: float = 0.0
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int = 0
    dry_run: bool = False


class CompareSpec(Struct, frozen=True, kw_only=True):
    """How a probe's numbers are compared with those of at most `hosts` hosts that are still to come.

    `at_most` is the share by which they may be worse (0.2 for +20%), `confidence` from 0.5 to below 1.
    """

    at_most: float
    confidence: float = 0.95
    hosts: int = 50
    reference: str = "not_yet_changed"
    test: str = "mann-whitney"


class ProbeSpec(Struct, frozen=True, kw_only=True):
    """One named probe; `settings` is what its kind understands, with templates still unrendered.

    `by` is what makes the groups of scope `group`: a host variable, or the beginning of groups' names.
    """

    name: str
    kind: str
    scope: Scope
    settings: Mapping[str, Any]
    timeout: float
    retries: int = 0
    """How often what was not good is measured again, at once, before it counts."""
    by: str = ""
    compare: CompareSpec | None = None


class GateProbe(Struct, frozen=True, kw_only=True):
    """A probe as one gate uses it."""

    probe: str
    sampling: Sampling


class ApprovalSpec(Struct, frozen=True, kw_only=True):
    """Whom a gate asks: `required` different people of `by` (empty: anybody), within `timeout` seconds.

    `test_cases` must each be reported as passed. With `signed`, a vote counts only with a signature by a key
    of the file `allowed_signers` (relative to the project root).
    """

    required: int = 1
    by: tuple[str, ...] = ()
    launcher_may_vote: bool = False
    comment: bool = False
    timeout: float = 604800.0
    test_cases: tuple[str, ...] = ()
    signed: bool = False
    allowed_signers: str = ""


class ErrorBudget(Struct, frozen=True, kw_only=True):
    """How much a background gate tolerates: seconds of downtime, a share (0 to 1) of failed requests."""

    downtime: float | None = None
    errors: float | None = None


class GateSpec(Struct, frozen=True, kw_only=True):
    """One named gate: its probes, how long they go on after the last host, and whom it asks.

    Times are seconds. After `max_wait` without a verdict the gate is inconclusive; 0 means it waits on.
    `error_budget` is a background gate's; without one, such a gate measures and never decides.
    """

    name: str
    probes: tuple[GateProbe, ...]
    soak: float = 0.0
    max_wait: float = 0.0
    approval: ApprovalSpec | None = None
    error_budget: ErrorBudget | None = None


BUDGET_CLASSES = ("failed", "unreachable", "timed_out", "aborted", "found_bad")
"""The ways in which a host can be bad, each of which may have a budget of its own."""


class BudgetSpec(Struct, frozen=True):
    """A failure budget as written: in total (None: not said), by class, and judged from how many hosts on."""

    total: Amount | None = None
    by_class: Mapping[str, Amount] = field(default_factory=dict)
    minimum_sample: int = 0

    def of(self, whole: int) -> Budget:
        """Return the budget in hosts, for so many hosts."""
        by_class = {name: amount.of(whole) for name, amount in self.by_class.items()}
        return Budget(self.total.of(whole) if self.total else None, by_class, self.minimum_sample)

    def __str__(self) -> str:
        return str(self.total) if self.total else "0"


class Budget(Struct, frozen=True):
    """How many hosts may be bad, in absolute numbers. `tolerated` None: no limit of its own."""

    tolerated: int | None = 0
    by_class: Mapping[str, int] = field(default_factory=dict)
    minimum_sample: int = 0


class RollbackSpec(Struct, frozen=True, kw_only=True):
    """How hosts are put back: how many may fail at it before it stops, and the gate over those put back."""

    tolerated: int = 0
    gate: str = ""


class RehearsalSpec(Struct, frozen=True, kw_only=True):
    """Where a rollout is rehearsed; what is empty is taken from the rollout itself."""

    inventory: tuple[str, ...] = ()
    hosts: str = ""
    gate: str = ""


class WaveSpec(Struct, frozen=True, kw_only=True):
    """One entry of `waves:`; either `hosts` (a pattern) or `each` (a group glob, one wave a group).

    `path` is where the entry stands in the file (`waves[1]`), for error messages.
    """

    name: str
    path: str
    hosts: str = ""
    each: str = ""
    batch: tuple[Amount, ...] = (Amount(100, percent=True),)
    order: Order = Order.SORTED
    in_flight: int | None = None
    failure_budget: BudgetSpec | None = None
    apart: str = ""
    at_most: int = 1
    before: str = ""
    during: str = ""
    after: str = ""
    may_be_empty: bool = False


class Become(Struct, frozen=True, kw_only=True):
    """Privilege escalation for the playbooks; empty strings leave ansible.cfg's own values."""

    enabled: bool
    user: str = ""
    method: str = ""
    password_file: str = ""


class RolloutSpec(Struct, frozen=True, kw_only=True):
    """A whole rollout file. Paths are as written, relative to the project root."""

    name: str
    description: str = ""
    playbooks: Mapping[Procedure, tuple[str, ...]]
    inventory: tuple[str, ...] = ()
    hosts: str = "all"
    leave_out: str = ""
    before: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    vault_password_files: tuple[str, ...] = ()
    become: Become | None = None
    in_flight: int | None = None
    batch_timeout: float = 3600.0
    failure_budget: BudgetSpec | None = None
    rollback: RollbackSpec = field(default_factory=RollbackSpec)
    rehearsal: RehearsalSpec = field(default_factory=RehearsalSpec)
    on_breach: OnBreach = OnBreach.HALT
    probes: Mapping[str, ProbeSpec] = field(default_factory=dict)
    gates: Mapping[str, GateSpec] = field(default_factory=dict)
    waves: tuple[WaveSpec, ...] = ()
