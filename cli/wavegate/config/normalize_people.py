"""Whom a gate asks and what it wants to be rehearsed, in the core's own words; nothing here can fail."""

from __future__ import annotations

from wavegate.config.schema import Approval, Gate, Rehearsed, RolloutFile
from wavegate.core.quantity import format_duration
from wavegate.core.rehearsal import CONDITION
from wavegate.core.spec import ApprovalSpec, GateProbe, ProbeSpec, Sampling, Scope

_CONDITION_SECONDS = 30.0


def collect_conditions(file: RolloutFile) -> dict[str, ProbeSpec]:
    """Return the gates' conditions, each of which is a probe that measures once for all hosts."""
    wanted = [gate.rehearsed for gate in file.gates.values() if gate.rehearsed]
    return {
        _name_condition(one): ProbeSpec(
            name=_name_condition(one),
            kind=CONDITION,
            scope=Scope.ONCE,
            settings={"within": one.within, "roles": one.roles},
            timeout=_CONDITION_SECONDS,
        )
        for one in wanted
    }


def use_condition(gate: Gate) -> tuple[GateProbe, ...]:
    """Return how the gate uses its condition, if it has one: cheap and stateless, so it comes first."""
    if gate.rehearsed is None:
        return ()
    sampling = Sampling(interval=gate.interval or Sampling().interval)
    return (GateProbe(probe=_name_condition(gate.rehearsed), sampling=sampling),)


def _name_condition(rehearsed: Rehearsed) -> str:
    of = f"{', '.join(rehearsed.roles)} " if rehearsed.roles else ""
    return f"{of}rehearsed within {format_duration(rehearsed.within or 0.0)}"


def normalize_approval(asked: Approval | None, groups: dict[str, tuple[str, ...]]) -> ApprovalSpec | None:
    """Return whom the gate asks, with groups written out: a group that is edited later changes no plan."""
    if asked is None:
        return None
    people = (person for name in asked.by for person in groups.get(name, (name,)))
    values = asked.model_dump() | {"by": tuple(dict.fromkeys(people))}
    return ApprovalSpec(**values)
