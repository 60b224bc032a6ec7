"""A fleet of another size, with the same waves in the same proportions, so that the same file can be planned.

Each host of the plan stands for so many of the new fleet. Percentages of the rollout file follow; absolute
numbers stay as written. Copies of a host are in as many racks (or what `apart:` names) as there are copies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from wavegate.core.fleet import Fleet
from wavegate.core.plan import Plan
from wavegate.core.spec import RolloutSpec
from wavegate.errors import WavegateError


def scale_fleet(fleet: Fleet, spec: RolloutSpec, plan: Plan, hosts: int) -> Fleet:
    """Return a fleet whose plan has `hosts` hosts; each wave keeps its share, and at least one host.

    Raise WavegateError `too-few-hosts` when there are more waves than hosts.
    """
    if hosts < len(plan.waves):
        what = f"{hosts} hosts are too few for {len(plan.waves)} waves"
        raise WavegateError("too-few-hosts", what, hint=f"ask for at least {len(plan.waves)}: --hosts N")
    sizes = share_out(hosts, [len(wave.hosts) for wave in plan.waves])
    copies: dict[str, tuple[str, ...]] = {}
    for wave, size in zip(plan.waves, sizes, strict=True):
        each, more = divmod(size, len(wave.hosts))
        for place, host in enumerate(wave.hosts):
            copies[host] = _copy(host, each + (place < more), plain=size <= len(wave.hosts))
    return Fleet(
        _replace(fleet.hosts, copies),
        {group: _replace(members, copies) for group, members in fleet.groups.items()},
        {pattern: _replace(members, copies) for pattern, members in fleet.patterns.items()},
        _scale_values(fleet, spec, plan, copies),
    )


def share_out(total: int, weights: Sequence[int]) -> list[int]:
    """Return whole numbers that add up to `total`, as the weights have it, each at least 1."""
    whole = sum(weights)
    shares = [max(1, total * weight // whole) for weight in weights]
    by_rest = sorted(range(len(weights)), key=lambda place: total * weights[place] % whole, reverse=True)
    turn = 0
    while sum(shares) != total:
        place = by_rest[turn % len(by_rest)]
        if sum(shares) < total:
            shares[place] += 1
        elif shares[place] > 1:
            shares[place] -= 1
        turn += 1
    return shares


def plan_spec(spec: RolloutSpec) -> RolloutSpec:
    """Return the rollout file for a scaled fleet: a group that lost all of its hosts is no mistake there."""
    waves = tuple(replace(wave, may_be_empty=True) for wave in spec.waves)
    return replace(spec, waves=waves)


def _copy(host: str, number: int, *, plain: bool) -> tuple[str, ...]:
    if plain:
        return (host,) * number
    return tuple(f"{host}~{copy}" for copy in range(1, number + 1))


def _replace(hosts: Sequence[str], copies: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the hosts with each one of the plan replaced by those that it stands for."""
    return tuple(copy for host in hosts for copy in copies.get(host, ()))


def _scale_values(
    fleet: Fleet, spec: RolloutSpec, plan: Plan, copies: Mapping[str, tuple[str, ...]]
) -> dict[str, dict[str, str]]:
    """Return the values of what `apart:` names: a copy's own, so that clusters keep their size."""
    values = {key: dict(of) for key, of in fleet.values.items()}
    for wave in plan.waves:
        here = values.setdefault(wave.apart_key, {}) if wave.apart_key else {}
        for host, value in wave.apart.items():
            for number, copy in enumerate(copies[host], 1):
                here[copy] = value if copy == host else f"{value}~{number}"
    for key, groups in plan.groups.items():
        values[key] = {copy: value for host, value in groups.items() for copy in copies[host]}
    wanted = {*plan.groups, *(wave.apart for wave in spec.waves if wave.apart)}
    return {key: values.get(key, {}) for key in wanted}


def without_watching(plan: Plan) -> Plan:
    """Return the plan without what a fake world has no numbers for: background gates and comparisons."""
    waves = tuple(replace(wave, during="") for wave in plan.waves)
    probes = {name: replace(probe, compare=None) for name, probe in plan.probes.items()}
    return replace(plan, waves=waves, probes=probes)
