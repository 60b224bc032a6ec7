"""The plan: the frozen, hashed answer to who, in which order, with which gates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from msgspec import Struct, field, to_builtins

from wavegate.core.spec import (
    ApprovalSpec,
    Budget,
    CompareSpec,
    ErrorBudget,
    GateProbe,
    GateSpec,
    OnBreach,
    ProbeSpec,
    Procedure,
    RollbackSpec,
    Sampling,
    Scope,
)

_FORWARD = (Procedure.PRECHECK, Procedure.BACKUP, Procedure.APPLY, Procedure.VERIFY)


class PlannedBatch(Struct, frozen=True):
    """The hosts one Ansible process handles; never empty. `step` is the place in a ramp such as [1, 50%]."""

    hosts: tuple[str, ...]
    step: int = 0

    def __post_init__(self) -> None:
        if not self.hosts:
            raise ValueError("a batch cannot be empty: an empty limit means every host")


class PlannedWave(Struct, frozen=True, dict=True):
    """One wave with its hosts settled: `budget` is in hosts, `apart` maps host to key value."""

    name: str
    batches: tuple[PlannedBatch, ...]
    in_flight: int
    budget: Budget = field(default_factory=Budget)
    before: str = ""
    after: str = ""
    apart_key: str = ""
    apart: Mapping[str, str] = field(default_factory=dict)
    at_most: int = 1
    during: str = ""

    @property
    def tolerated(self) -> int:
        """Return how many hosts of the wave may be bad; its own budget always has a number."""
        return self.budget.tolerated or 0

    @cached_property
    def hosts(self) -> tuple[str, ...]:
        """Return the wave's hosts in the order in which they are done."""
        return tuple(host for batch in self.batches for host in batch.hosts)

    @cached_property
    def largest_batch(self) -> int:
        """Return how many hosts its largest batch has, 0 without any batch."""
        return max((len(batch.hosts) for batch in self.batches), default=0)


class Plan(Struct, frozen=True, kw_only=True):
    """Everything a rollout needs to know, and nothing secret: variables appear by name only.

    `digests` maps a part of the material (`rollout file`, `project`, ...) to its sha256;
    `before` is the gate over all hosts before the first wave; `groups` maps the key of probes with scope
    `group` to host -> value, for the hosts that they measure; `notes` are sentences for people (a play with
    `serial`, a budget that is zero by rounding).
    """

    name: str
    description: str
    waves: tuple[PlannedWave, ...]
    left_out: tuple[str, ...]
    probes: Mapping[str, ProbeSpec]
    gates: Mapping[str, GateSpec]
    playbooks: Mapping[Procedure, tuple[str, ...]]
    inventory: tuple[str, ...]
    variables: tuple[str, ...]
    on_breach: OnBreach
    batch_timeout: float
    before: str = ""
    budget: Budget = field(default_factory=lambda: Budget(None))
    rollback: RollbackSpec = field(default_factory=RollbackSpec)
    seed: int | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    groups: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return every host of every wave, in order."""
        return tuple(host for wave in self.waves for host in wave.hosts)

    @property
    def tolerated(self) -> int | None:
        """Return how many hosts of the whole rollout may be bad; None without such a limit."""
        return self.budget.tolerated

    @property
    def procedures(self) -> tuple[Procedure, ...]:
        """Return what one batch does to a host, in order."""
        return tuple(procedure for procedure in _FORWARD if self.playbooks.get(procedure))

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON data with stable keys; `from_json` takes it back."""
        data: dict[str, Any] = to_builtins(self)
        return data

    @property
    def hash(self) -> str:
        """Return the sha256 of the plan's canonical JSON; approvals and resumption are bound to it."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """Return the plan that `to_json` wrote."""
        fields = dict(data)
        fields["waves"] = tuple(_wave(wave) for wave in data["waves"])
        fields["probes"] = {name: _probe(probe) for name, probe in data["probes"].items()}
        fields["gates"] = {name: _gate(gate) for name, gate in data["gates"].items()}
        fields["playbooks"] = {Procedure(name): tuple(paths) for name, paths in data["playbooks"].items()}
        fields["on_breach"] = OnBreach(data["on_breach"])
        fields["budget"] = _budget(fields)
        fields["rollback"] = RollbackSpec(**data.get("rollback", {}))
        for key in ("left_out", "inventory", "variables", "notes"):
            fields[key] = tuple(data[key])
        return cls(**fields)


def _wave(data: Mapping[str, Any]) -> PlannedWave:
    batches = tuple(PlannedBatch(tuple(batch["hosts"]), batch["step"]) for batch in data["batches"])
    fields = {**data, "batches": batches}
    fields["budget"] = _budget(fields)
    return PlannedWave(**fields)


def _budget(fields: dict[str, Any]) -> Budget:
    """Return the budget; the first plans wrote only how many hosts it tolerates."""
    tolerated = fields.pop("tolerated", None)
    return Budget(**fields["budget"]) if "budget" in fields else Budget(tolerated)


def _probe(data: Mapping[str, Any]) -> ProbeSpec:
    compare = data.get("compare")
    fields = {**data, "scope": Scope(data["scope"]), "compare": CompareSpec(**compare) if compare else None}
    return ProbeSpec(**fields)


def _gate(data: Mapping[str, Any]) -> GateSpec:
    probes = tuple(GateProbe(probe=p["probe"], sampling=Sampling(**p["sampling"])) for p in data["probes"])
    fields = {**data, "probes": probes}
    if asked := data.get("approval"):
        names = {key: tuple(asked[key]) for key in ("by", "test_cases")}
        fields["approval"] = ApprovalSpec(**{**asked, **names})
    if budget := data.get("error_budget"):
        fields["error_budget"] = ErrorBudget(**budget)
    return GateSpec(**fields)
