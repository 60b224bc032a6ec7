"""Probes that measure each group once: which hosts make a group, and who is measured for it.

A group are the gate's hosts that share the value of the probe's `by`; the first of them is measured. The
group is looked at as long as any of its hosts is not known to be bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from wavegate.core.plan import Plan
from wavegate.core.spec import Scope

if TYPE_CHECKING:
    from wavegate.core.state import GateState


def groups_of(plan: Plan, gate: GateState, probe: str) -> Mapping[str, tuple[str, ...]]:
    """Return first host -> all hosts of its group, of a probe with scope `group`; made once a gate."""
    key = plan.probes[probe].by
    known = gate.groups.get(key)
    if known is None:
        known = gate.groups[key] = group_hosts(plan.groups[key], gate.targets)
    return known


def group_hosts(values: Mapping[str, str], hosts: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return first host -> all hosts that share its value; one without a value is a group of its own."""
    members: dict[tuple[str, ...], list[str]] = {}
    for host in hosts:
        group = ("by value", values[host]) if host in values else ("alone", host)
        members.setdefault(group, []).append(host)
    return {found[0]: tuple(found) for found in members.values()}


def measured_hosts(plan: Plan, probe: str, hosts: tuple[str, ...]) -> tuple[str, ...]:
    """Return what the probe measures of these hosts: all, the first of each group, or "" once."""
    spec = plan.probes[probe]
    if spec.scope is Scope.ONCE:
        return ("",)
    return tuple(group_hosts(plan.groups[spec.by], hosts)) if spec.scope is Scope.GROUP else hosts


def groups_to_look_at(plan: Plan, gate: GateState, probe: str) -> tuple[str, ...]:
    """Return the hosts measured for groups of which not every host is known to be bad."""
    groups = groups_of(plan, gate, probe)
    if not gate.out:
        return tuple(groups)
    return tuple(first for first, hosts in groups.items() if not gate.out.issuperset(hosts))


def tell_target(plan: Plan, probe: str, target: str) -> str:
    """Return what is measured, for people: a host, a group by its value, or "" for one thing."""
    spec = plan.probes.get(probe)
    if spec is None or spec.scope is not Scope.GROUP or not target:
        return target
    return plan.groups.get(spec.by, {}).get(target, target)
