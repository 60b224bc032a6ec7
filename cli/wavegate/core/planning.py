"""From what a person asked for and what the inventory holds to a frozen plan, or to every problem at once."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from msgspec import Struct
from msgspec.structs import replace

from wavegate.core.batching import make_batches
from wavegate.core.comparison import note_comparisons
from wavegate.core.fleet import Fleet
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.quantity import some
from wavegate.core.spec import Budget, BudgetSpec, Order, RolloutSpec, Scope, WaveSpec
from wavegate.errors import InputError, Problem


class _NamedWave(Struct, frozen=True):
    """A wave whose name and hosts are known, before batching."""

    spec: WaveSpec
    name: str
    hosts: tuple[str, ...]


def patterns_of(spec: RolloutSpec) -> tuple[str, ...]:
    """Return every host pattern of the rollout file, for one inventory reading to resolve."""
    patterns = [spec.hosts, spec.leave_out, *(wave.hosts for wave in spec.waves)]
    return tuple(dict.fromkeys(pattern for pattern in patterns if pattern))


def make_plan(  # noqa: PLR0913 - the six things a plan is made of
    spec: RolloutSpec,
    fleet: Fleet,
    *,
    digests: Mapping[str, str],
    seed: int,
    inventory: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Plan:
    """Return the plan; raise InputError `plan-impossible` with every problem (each with its key path)."""
    problems: list[Problem] = []
    named = _assign_hosts(spec, fleet, problems)
    waves = [_plan_wave(spec, wave, fleet, seed, problems) for wave in named if wave.hosts]
    left_out = _find_left_out(spec, fleet, named, problems)
    groups = _find_groups(spec, fleet, waves, problems)
    if problems or not _understands(fleet, *patterns_of(spec)):
        raise InputError("plan-impossible", f"{spec.name} cannot be planned", problems)
    shuffled = any(wave.order is Order.SHUFFLE for wave in spec.waves)
    plan = Plan(
        name=spec.name,
        description=spec.description,
        waves=tuple(waves),
        left_out=left_out,
        probes=spec.probes,
        gates=spec.gates,
        playbooks=spec.playbooks,
        inventory=tuple(inventory),
        before=spec.before,
        variables=tuple(sorted(spec.variables)),
        on_breach=spec.on_breach,
        budget=(spec.failure_budget or BudgetSpec()).of(sum(len(w.hosts) for w in waves)),
        rollback=spec.rollback,
        batch_timeout=spec.batch_timeout,
        seed=seed if shuffled else None,
        digests=digests,
        groups=groups,
    )
    return replace(plan, notes=(*notes, *_note_budgets(spec, named), *note_comparisons(plan)))


def _assign_hosts(spec: RolloutSpec, fleet: Fleet, problems: list[Problem]) -> list[_NamedWave]:
    """Give each host of the scope to the first wave that names it, and to no other."""
    scope = set(fleet.patterns.get(spec.hosts, ())) - set(fleet.patterns.get(spec.leave_out, ()))
    place = {host: number for number, host in enumerate(fleet.hosts)}
    free = set(scope)
    named: list[_NamedWave] = []
    for wave in spec.waves:
        for name, members in _expand(wave, fleet, problems):
            chosen = tuple(sorted(free.intersection(members), key=place.__getitem__))
            free.difference_update(chosen)
            if not chosen and not wave.may_be_empty and _understands(fleet, spec.hosts, wave.hosts):
                problems.append(_empty_wave(wave, name, members))
            named.append(_NamedWave(wave, name, chosen))
    _find_doubles(named, problems)
    return named


def _expand(wave: WaveSpec, fleet: Fleet, problems: list[Problem]) -> list[tuple[str, tuple[str, ...]]]:
    """Return the (name, hosts) of the wave, or of one wave for each group that `each` matches."""
    if not wave.each:
        return [(wave.name, fleet.patterns.get(wave.hosts, ()))]
    groups = _match_groups(wave, fleet)
    if not groups and not wave.may_be_empty:
        near = get_close_matches(wave.each.rstrip("*"), list(fleet.groups), n=3, cutoff=0.5)
        hint = f"groups: {some(near or list(fleet.groups))}"
        problems.append(Problem(f"no group matches {wave.each!r}", path=f"{wave.path}.each", hint=hint))
    return [(group, fleet.groups[group]) for group in sorted(groups, key=_natural)]


def _match_groups(wave: WaveSpec, fleet: Fleet) -> list[str]:
    return [group for group in fleet.groups if fnmatchcase(group, wave.each)]


def _understands(fleet: Fleet, *patterns: str) -> bool:
    """Return whether Ansible made sense of the patterns; where it did not, what follows is no news."""
    return all(pattern in fleet.patterns for pattern in patterns if pattern)


def _empty_wave(wave: WaveSpec, name: str, members: Sequence[str]) -> Problem:
    key = "each" if wave.each else "hosts"
    if members:
        what = f"wave {name!r} is empty: its hosts ({some(members)}) are in an earlier wave or left out"
    else:
        what = f"wave {name!r} is empty: {wave.hosts or wave.each!r} matches no host of the scope"
    hint = "remove the wave, correct the pattern, or write `may_be_empty: true`"
    return Problem(what, path=f"{wave.path}.{key}", hint=hint)


def _find_doubles(named: Sequence[_NamedWave], problems: list[Problem]) -> None:
    seen: set[str] = set()
    for wave in named:
        if wave.name in seen:
            message = f"two waves are called {wave.name!r}"
            problems.append(Problem(message, path=f"{wave.spec.path}.name", hint="wave names are unique"))
        seen.add(wave.name)


def _find_left_out(
    spec: RolloutSpec, fleet: Fleet, named: Sequence[_NamedWave], problems: list[Problem]
) -> tuple[str, ...]:
    """Return the hosts left out by name; every other host of the scope must be in a wave."""
    scope = fleet.patterns.get(spec.hosts, ())
    covered = {host for wave in named for host in wave.hosts}
    named_out = set(fleet.patterns.get(spec.leave_out, ()))
    forgotten = [host for host in scope if host not in covered and host not in named_out]
    if not scope and _understands(fleet, spec.hosts):
        problems.append(Problem(f"the scope {spec.hosts!r} holds no host", path="hosts"))
    if forgotten and _is_assignable(spec, fleet):
        verb = "host is" if len(forgotten) == 1 else "hosts are"
        problems.append(
            Problem(
                f"{len(forgotten)} {verb} in the scope but in no wave: {some(forgotten)}",
                path="waves",
                hint="add a wave for them, narrow the top-level `hosts:`, or name them in `leave_out:`",
            )
        )
    return tuple(host for host in scope if host in named_out)


def _is_assignable(spec: RolloutSpec, fleet: Fleet) -> bool:
    """Return whether every pattern and glob names somebody, so that a host in no wave is news."""
    globs = [wave for wave in spec.waves if wave.each and not wave.may_be_empty]
    return _understands(fleet, *patterns_of(spec)) and all(_match_groups(wave, fleet) for wave in globs)


def _plan_wave(
    spec: RolloutSpec, wave: _NamedWave, fleet: Fleet, seed: int, problems: list[Problem]
) -> PlannedWave:
    apart = _find_apart(wave, fleet, problems)
    hosts = put_in_order(wave.hosts, wave.spec.order, f"{seed}/{wave.name}")
    in_flight = wave.spec.in_flight or spec.in_flight
    batches = make_batches(
        hosts, wave.spec.batch, in_flight=in_flight, apart=apart, at_most=wave.spec.at_most
    )
    return PlannedWave(
        name=wave.name,
        batches=batches,
        in_flight=in_flight or max(len(batch.hosts) for batch in batches),
        budget=_plan_budget(wave),
        before=wave.spec.before,
        during=wave.spec.during,
        after=wave.spec.after,
        apart_key=wave.spec.apart,
        apart=apart,
        at_most=wave.spec.at_most,
    )


def _plan_budget(wave: _NamedWave) -> Budget:
    """Return the wave's budget in hosts; without a total of its own it tolerates none."""
    budget = (wave.spec.failure_budget or BudgetSpec()).of(len(wave.hosts))
    if budget.tolerated is None and budget.by_class:
        # With classes alone, they are the limit: the total is what they tolerate together.
        return replace(budget, tolerated=sum(budget.by_class.values()))
    return replace(budget, tolerated=budget.tolerated or 0)


def _find_apart(wave: _NamedWave, fleet: Fleet, problems: list[Problem]) -> dict[str, str]:
    """Return host -> value of `apart:`, from a host variable of that name or from groups with that prefix."""
    key = wave.spec.apart
    if not key:
        return {}
    values = _values_of(key, fleet)
    found = {host: values[host] for host in wave.hosts if host in values}
    if not found:
        problems.append(
            Problem(
                f"apart: no host of wave {wave.name!r} has a variable {key!r} or a group that starts with it",
                path=f"{wave.spec.path}.apart",
            )
        )
    return found


def _values_of(key: str, fleet: Fleet) -> dict[str, str]:
    """Return host -> value of a host variable of that name, or else the first group that begins so."""
    values = dict(fleet.values.get(key, {}))
    for group, members in fleet.groups.items():
        if group.startswith(key):
            for host in members:
                values.setdefault(host, group)
    return values


def _find_groups(
    spec: RolloutSpec, fleet: Fleet, waves: Sequence[PlannedWave], problems: list[Problem]
) -> dict[str, dict[str, str]]:
    """Return key -> host -> value for the probes that measure groups; every host they look at needs one."""
    found: dict[str, dict[str, str]] = {}
    for name, probe in spec.probes.items():
        if probe.scope is not Scope.GROUP:
            continue
        gates = {gate.name for gate in spec.gates.values() if name in {use.probe for use in gate.probes}}
        rollback = spec.rollback.gate in gates
        looked_at = [w for w in waves if rollback or gates.intersection((w.before, w.during, w.after))]
        values = _values_of(probe.by, fleet)
        found.setdefault(probe.by, {})
        found[probe.by] |= {host: values[host] for w in waves for host in w.hosts if host in values}
        without = [host for w in looked_at for host in w.hosts if host not in values]
        if without:
            what = f"by: no variable {probe.by!r} and no group that starts with it, for {some(without)}"
            problems.append(Problem(what, path=f"probes.{name}.by", hint="every host needs its group"))
    return found


def put_in_order(hosts: Sequence[str], order: Order, seed: str) -> tuple[str, ...]:
    """Return hosts (given in inventory order) in `order`; a shuffle is repeatable for the same seed."""
    match order:
        case Order.SORTED:
            return tuple(sorted(hosts))
        case Order.REVERSE_SORTED:
            return tuple(sorted(hosts, reverse=True))
        case Order.INVENTORY:
            return tuple(hosts)
        case Order.REVERSE_INVENTORY:
            return tuple(reversed(hosts))
        case Order.SHUFFLE:
            shuffled = sorted(hosts)
            random.Random(seed).shuffle(shuffled)  # noqa: S311 - an order, not a secret
            return tuple(shuffled)


def _note_budgets(spec: RolloutSpec, named: Sequence[_NamedWave]) -> list[str]:
    """Say where a percentage became 0 hosts by flooring, since few expect it."""
    notes = []
    for entry in spec.waves:
        budget = entry.failure_budget.total if entry.failure_budget else None
        zero = [w for w in named if w.spec is entry and w.hosts and budget and budget.of(len(w.hosts)) == 0]
        if zero and budget and budget.value:
            waves = ", ".join(f"{w.name} ({len(w.hosts)})" for w in zero)
            notes.append(f"a failure budget of {budget} tolerates 0 hosts in {waves}; it is floored")
    if spec.in_flight:
        for wave in named:
            wanted = max((size.of(len(wave.hosts)) for size in wave.spec.batch), default=0)
            window = wave.spec.in_flight or spec.in_flight
            if wanted > window and wave.spec.batch != WaveSpec(name="", path="").batch:
                notes.append(f"wave {wave.name}: batches of {wanted} are cut to in_flight: {window}")
    return notes


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a sort key in which site_2 comes before site_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]
