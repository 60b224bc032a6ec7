"""The rollout file after reading and checking: what a person asked for, before any host is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

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
    ROLLBACK_WAVE = "rollback_wave"


class Scope(StrEnum):
    """Whether a probe measures every host of the wave, or one thing once."""

    HOST = "host"
    ONCE = "once"


class Procedure(StrEnum):
    """What is done to a host inside one batch, in this order; rollback stands alone."""

    BACKUP = "backup"
    APPLY = "apply"
    VERIFY = "verify"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec:
    """One named probe; `settings` is what its kind understands, with templates still unrendered."""

    name: str
    kind: str
    scope: Scope
    settings: Mapping[str, Any]
    timeout: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GateProbe:
    """A probe as one gate uses it."""

    probe: str
    sampling: Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpec:
    """One named gate: its probes and how long they go on measuring after the last host (seconds)."""

    name: str
    probes: tuple[GateProbe, ...]
    soak: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveSpec:
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
    failure_budget: Amount | None = None
    apart: str = ""
    at_most: int = 1
    before: str = ""
    after: str = ""
    may_be_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Become:
    """Privilege escalation for the playbooks; empty strings leave ansible.cfg's own values."""

    enabled: bool
    user: str = ""
    method: str = ""
    password_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSpec:
    """A whole rollout file. Paths are as written, relative to the project root."""

    name: str
    description: str = ""
    playbooks: Mapping[Procedure, tuple[str, ...]]
    inventory: tuple[str, ...] = ()
    hosts: str = "all"
    leave_out: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    vault_password_files: tuple[str, ...] = ()
    become: Become | None = None
    in_flight: int | None = None
    batch_timeout: float = 3600.0
    failure_budget: Amount | None = None
    on_breach: OnBreach = OnBreach.HALT
    probes: Mapping[str, ProbeSpec] = field(default_factory=dict)
    gates: Mapping[str, GateSpec] = field(default_factory=dict)
    waves: tuple[WaveSpec, ...] = ()
