"""The verdict algebra: what measurements mean. No data is never a pass; nothing overrides a fail.

All limits are strict: `failure_limit: 3` fails on the 4th bad measurement. The words and the meaning of the
limits follow progressive-delivery practice (metric, measurement, inconclusive), without failing open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from wavegate.core import grouping
from wavegate.core.comparison import Compared, compare
from wavegate.core.outcomes import Reading, Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import GateProbe, GateSpec, Sampling, Scope
from wavegate.core.state import GateState
from wavegate.core.tallies import Series, Tally

_RANK = {Verdict.PASS: 0, None: 1, Verdict.INCONCLUSIVE: 2, Verdict.FAIL: 3}


class Judgement(Struct, frozen=True):
    """A verdict, or None while it is too early to say, and the sentence that names both numbers."""

    verdict: Verdict | None
    reason: str = ""


def judge_tally(tally: Tally, sampling: Sampling) -> Judgement:
    """Return what one target's measurements mean so far."""
    if tally.bad > sampling.failure_limit:
        return Judgement(Verdict.FAIL, f"bad {tally.bad} > failure_limit {sampling.failure_limit}")
    if tally.consecutive_error > sampling.consecutive_error_limit:
        numbers = f"{tally.consecutive_error} > consecutive_error_limit {sampling.consecutive_error_limit}"
        return Judgement(Verdict.INCONCLUSIVE, f"could not measure: errors in a row {numbers}")
    if tally.inconclusive > sampling.inconclusive_limit:
        numbers = f"{tally.inconclusive} > inconclusive_limit {sampling.inconclusive_limit}"
        return Judgement(Verdict.INCONCLUSIVE, f"inconclusive {numbers}")
    if 0 < sampling.consecutive_success_limit <= tally.consecutive_good:
        return Judgement(Verdict.PASS, f"good {tally.consecutive_good} times in a row")
    measured = tally.good + tally.bad + tally.inconclusive
    if measured >= sampling.count and tally.last is Reading.GOOD:
        return Judgement(Verdict.PASS, f"good {tally.good} of {measured}")
    return Judgement(None, f"measured {measured} of {sampling.count}")


def worst(judgements: Iterable[Judgement]) -> Judgement:
    """Return the worst judgement; of none at all, nothing can be concluded."""
    ranked = sorted(judgements, key=lambda judgement: _RANK[judgement.verdict], reverse=True)
    return ranked[0] if ranked else Judgement(Verdict.INCONCLUSIVE, "nothing was measured")


def targets_of(plan: Plan, gate: GateState, probe: str) -> tuple[str, ...]:
    """Return what the probe measures now: the gate's hosts (or groups) not known to be bad, or "" once."""
    if plan.probes[probe].scope is Scope.ONCE:
        return ("",)
    if plan.probes[probe].scope is Scope.GROUP:
        return grouping.groups_to_look_at(plan, gate, probe)
    if not gate.out:
        return gate.targets
    return tuple(host for host in gate.targets if host not in gate.out)


def find_bad_hosts(plan: Plan, gate: GateState) -> dict[str, tuple[str, str]]:
    """Return host -> (probe, reason) for hosts that a deciding probe finds bad and nobody reported yet."""
    found: dict[str, tuple[str, str]] = {}
    for use in plan.gates[gate.gate].probes:
        series = gate.series.get(use.probe)
        if series is None or use.sampling.dry_run or plan.probes[use.probe].scope is Scope.ONCE:
            continue
        if plan.probes[use.probe].scope is Scope.GROUP:
            for host, why in _find_bad_groups(plan, gate, use, series):
                found.setdefault(host, (use.probe, why))
            continue
        for group in series.alike.values():
            judgement = judge_tally(series.tallies[_first(group)], use.sampling)
            if judgement.verdict is Verdict.FAIL:
                for host in group:
                    found.setdefault(host, (use.probe, f"{series.tallies[host].detail} ({judgement.reason})"))
    return found


def _find_bad_groups(
    plan: Plan, gate: GateState, use: GateProbe, series: Series
) -> Iterator[tuple[str, str]]:
    """Yield (host, reason) for every host of a group that is bad, unless it is known to be bad."""
    groups = grouping.groups_of(plan, gate, use.probe)
    for first in grouping.groups_to_look_at(plan, gate, use.probe):
        judgement = judge_tally(series.tallies.get(first, Tally()), use.sampling)
        if judgement.verdict is Verdict.FAIL:
            name = grouping.tell_target(plan, use.probe, first)
            why = f"{name}, measured for {first}: {series.tallies[first].detail} ({judgement.reason})"
            yield from ((host, why) for host in groups[first] if host not in gate.out)


def judge_gate(plan: Plan, gate: GateState, now: float) -> Judgement:
    """Return the gate's verdict at `now`; a pass waits for the soak's end and a measurement close to it.

    Hosts that a probe found bad are out of it: they count against the failure budget instead.
    """
    spec = plan.gates[gate.gate]
    deciding = [use for use in spec.probes if not use.sampling.dry_run]
    overall = worst(_judge_probe(plan, gate, use) for use in deciding)
    if overall.verdict is not Verdict.PASS:
        return overall
    soaked_until = gate.opened_at + spec.soak
    if now < soaked_until:
        return Judgement(None, "soaking")
    for use in deciding:
        if not is_fresh(gate.series[use.probe], use, soaked_until):
            return Judgement(None, f"waiting for a last measurement of {use.probe}")
    compared = list(_compare(plan, gate, deciding))
    told = "".join(f"; {probe}: {one.reason}" for probe, one in compared)
    if any(one.verdict is not Verdict.PASS for _, one in compared):
        return worst(Judgement(one.verdict, f"{probe}: {one.reason}") for probe, one in compared)
    return Judgement(Verdict.PASS, _tell_pass(spec, gate, deciding) + told)


def _compare(plan: Plan, gate: GateState, deciding: Iterable[GateProbe]) -> Iterator[tuple[str, Compared]]:
    """Yield (probe, how its hosts compare with untouched ones) for the probes that compare."""
    for use in deciding:
        if spec := plan.probes[use.probe].compare:
            yield use.probe, compare(spec, gate.series[use.probe].samples, gate.out)


def is_fresh(series: Series, use: GateProbe, soaked_until: float) -> bool:
    """Whether the newest sweep that is over began within one interval of the soak's end, or later.

    Another one may be under way: where each takes longer than the interval, there always is one.
    """
    return series.ended > 0 and series.measured_at >= soaked_until - use.sampling.interval


def _judge_probe(plan: Plan, gate: GateState, use: GateProbe) -> Judgement:
    """Judge one target of each group of equal tallies, and once those that were never measured."""
    series = gate.series.get(use.probe, Series())
    if plan.probes[use.probe].scope is Scope.GROUP:
        looked_at = targets_of(plan, gate, use.probe)
        measured = [first for first in looked_at if first in series.tallies]
        judged = [_judge_target(plan, series, use, first) for first in measured]
        is_missing = len(measured) < len(looked_at)
    else:
        judged = [_judge_target(plan, series, use, _first(group)) for group in series.alike.values()]
        targets = 1 if plan.probes[use.probe].scope is Scope.ONCE else len(gate.targets) - len(gate.out)
        is_missing = targets > sum(map(len, series.alike.values()))
    if is_missing:
        judged.append(Judgement(None, f"{use.probe}: {judge_tally(Tally(), use.sampling).reason}"))
    return worst(judged)


def _judge_target(plan: Plan, series: Series, use: GateProbe, target: str) -> Judgement:
    tally = series.tallies[target]
    judgement = judge_tally(tally, use.sampling)
    shown = grouping.tell_target(plan, use.probe, target)
    name = f"{use.probe} on {shown}" if shown else use.probe
    detail = f": {tally.detail}" if tally.detail and _matters(judgement) else ""
    return Judgement(judgement.verdict, f"{name}: {judgement.reason}{detail}")


def _first(group: Iterable[str]) -> str:
    return next(iter(group))


def _matters(judgement: Judgement) -> bool:
    return judgement.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}


def _tell_pass(spec: GateSpec, gate: GateState, deciding: Iterable[GateProbe]) -> str:
    totals = [gate.series[use.probe].total for use in deciding]
    good = sum(total.good for total in totals)
    total = sum(total.good + total.bad + total.inconclusive + total.error for total in totals)
    soak = f" over a soak of {spec.soak:g} s" if spec.soak else ""
    return f"{good} of {total} measurements good{soak}"
