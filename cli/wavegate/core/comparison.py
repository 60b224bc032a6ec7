"""Compares changed hosts with those that are still to come: are they worse, by more than they may be.

Both are measured in the same sweeps. What is compared are single numbers: of the changed hosts every one that
was measured, good or bad; of the untouched ones only the good, since a sick host is no yardstick. Decided is
once, when nothing else keeps the gate from passing: whoever tests after every sweep finds by chance what he
looks for. Too little to decide on is inconclusive, never a pass.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.mann_whitney import least_p, p_greater
from wavegate.core.outcomes import Outcome, Reading, Verdict
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.spec import CompareSpec

if TYPE_CHECKING:
    from wavegate.core.state import State

LEAST_VALUES = 10
"""Fewer numbers of either side decide nothing, whatever the test says of them."""
LEAST_HOSTS = 2
"""With a single untouched host, its own nature would be the yardstick."""
MOST_VALUES = 2000
"""Of a longer soak, every second sweep is left out, and then every second of the rest."""
MOST_OF_A_SWEEP = 200

_Values = tuple[tuple[str, float], ...]


class Samples(Struct):
    """The numbers of a probe's sweeps in which both sides were measured, as (changed, untouched)."""

    sweeps: list[tuple[_Values, _Values]] = field(default_factory=list)
    stride: int = 1
    seen: int = 0
    kept: int = 0

    def add(self, sweep: ev.SweepEnded) -> None:
        """Take in a sweep; what is kept is bounded, and depends on the sweeps alone."""
        changed = _numbers(sweep.measurements, {Reading.GOOD, Reading.BAD})
        untouched = _numbers(sweep.untouched, {Reading.GOOD})
        if not changed or not untouched:
            return
        if self.seen % self.stride == 0:
            self.sweeps.append((_thin(changed), _thin(untouched)))
            self.kept += sum(map(len, self.sweeps[-1]))
        self.seen += 1
        if self.kept > 2 * MOST_VALUES:
            self.sweeps, self.stride = self.sweeps[::2], self.stride * 2
            self.kept = sum(len(one) + len(other) for one, other in self.sweeps)


def _numbers(measurements: Sequence[ev.Measurement], wanted: Collection[Reading]) -> _Values:
    return tuple(
        (one.target, one.value)
        for one in measurements
        if one.value is not None and math.isfinite(one.value) and one.reading in wanted
    )


def _thin(values: _Values) -> _Values:
    return values[:: -(-len(values) // MOST_OF_A_SWEEP)]


class Compared(Struct, frozen=True, kw_only=True):
    """What was compared and how it came out; medians, `ratio` and `p` are None where there is no such number.

    `changed` and `untouched` are numbers of values; `ratio` is the changed hosts' median over the others'.
    """

    verdict: Verdict
    reason: str
    changed: int
    changed_hosts: int
    untouched: int
    untouched_hosts: int
    median_changed: float | None = None
    median_untouched: float | None = None
    ratio: float | None = None
    p: float | None = None


def compare(spec: CompareSpec, samples: Samples | None, out: Collection[str] = ()) -> Compared:
    """Return how the changed hosts compare with the untouched ones; hosts that are `out` do not count."""
    sweeps = samples.sweeps if samples else []
    first = [pair for changed, _ in sweeps for pair in changed if pair[0] not in out]
    second = [pair for _, untouched in sweeps for pair in untouched]
    mine, others = [value for _, value in first], [value for _, value in second]
    hosts = len({host for host, _ in first}), len({host for host, _ in second})
    few = _too_few(spec, len(mine), len(others), hosts[1])
    middle = (_median(mine), _median(others)) if mine and others else None
    p = None if few else p_greater(mine, [value * (1 + spec.at_most) for value in others])
    ratio = middle[0] / middle[1] if middle and middle[1] > 0 else None
    worse = p is not None and p <= _alpha(spec)
    verdict = Verdict.INCONCLUSIVE if few else Verdict.FAIL if worse else Verdict.PASS
    sides = _tell_sides((len(mine), len(others)), hosts, middle, ratio) if middle else ""
    numbers = f"{sides}{_tell_test(spec, p)}"
    return Compared(
        verdict=verdict,
        reason=f"{few} ({numbers})" if few and numbers else few or numbers,
        changed=len(mine),
        changed_hosts=hosts[0],
        untouched=len(others),
        untouched_hosts=hosts[1],
        median_changed=middle[0] if middle else None,
        median_untouched=middle[1] if middle else None,
        ratio=ratio,
        p=p,
    )


def _alpha(spec: CompareSpec) -> float:
    return round(1 - spec.confidence, 12)


def _too_few(spec: CompareSpec, changed: int, untouched: int, hosts: int) -> str:
    """Return why nothing can be decided; "" when it can."""
    if not hosts:
        return "no untouched host was measured in the same sweeps: there is nothing to compare with"
    if hosts < LEAST_HOSTS:
        return f"only {hosts} untouched host was measured, and {LEAST_HOSTS} are needed"
    if min(changed, untouched) < LEAST_VALUES:
        return f"too few values: {changed} against {untouched}, and {LEAST_VALUES} of each are needed"
    if least_p(changed, untouched) > _alpha(spec):
        return f"{changed} against {untouched} values cannot reach a confidence of {spec.confidence:g}"
    return ""


def _tell_sides(
    counts: tuple[int, int], hosts: tuple[int, int], middle: tuple[float, float], ratio: float | None
) -> str:
    """Return both medians with the sizes of their samples, and their ratio."""
    changed = f"median {middle[0]:.3g} of {counts[0]} values on {_count(hosts[0], 'changed')}"
    untouched = f"{middle[1]:.3g} of {counts[1]} on {_count(hosts[1], 'untouched')}"
    return f"{changed} against {untouched}" + (f", ratio {ratio:.3g}" if ratio is not None else "")


def _tell_test(spec: CompareSpec, p: float | None) -> str:
    if p is None:
        return ""
    word = "significantly worse" if p <= _alpha(spec) else "not significantly worse"
    limit = f"than +{round(100 * spec.at_most, 6):g}%"
    return f": {word} {limit} (p = {p:.2g}, confidence {spec.confidence:g})"


def _count(hosts: int, kind: str) -> str:
    return f"{hosts} {kind} host{'' if hosts == 1 else 's'}"


def choose_untouched(plan: Plan, state: State, wave: PlannedWave, gate: str) -> tuple[str, ...]:
    """Return the hosts of later waves that the gate's probes compare with: one of each wave in turn.

    Not among them are hosts that were touched or skipped, or that are bad.
    """
    specs = [plan.probes[use.probe].compare for use in plan.gates[gate].probes]
    most = max((spec.hosts for spec in specs if spec), default=0)
    if not most:
        return ()
    place = next(place for place, one in enumerate(plan.waves) if one.name == wave.name)
    rows = zip_longest(*(_to_come(state, later) for later in plan.waves[place + 1 :]))
    return tuple(islice((host for row in rows for host in row if host is not None), most))


def _to_come(state: State, wave: PlannedWave) -> Iterator[str]:
    skipped = state.wave(wave.name).skipped
    for name in wave.hosts:
        host = state.hosts.get(name)
        if name in skipped or (host and (host.touched or host.is_bad or host.outcome is Outcome.SKIPPED)):
            continue
        yield name


def note_comparisons(plan: Plan) -> list[str]:
    """Say where it is certain before the start that a comparison cannot decide."""
    notes = []
    for place, wave in enumerate(plan.waves):
        later = sum(len(one.hosts) for one in plan.waves[place + 1 :])
        for use in plan.gates[wave.after].probes if wave.after in plan.gates else ():
            spec = plan.probes[use.probe].compare
            if spec is None or use.sampling.dry_run:
                continue
            why = _certain(spec, later)
            if why:
                notes.append(f"gate {wave.after} after wave {wave.name} will hold: {use.probe} {why}")
            elif hint := _tell_count(spec, use.sampling.count * len(wave.hosts), use.sampling.count, later):
                notes.append(f"gate {wave.after} after wave {wave.name} may hold: {use.probe} {hint}")
    return notes


def _certain(spec: CompareSpec, later: int) -> str:
    others = min(spec.hosts, later)
    if not others:
        return "compares with hosts that are still to come, and none is"
    if others < LEAST_HOSTS:
        return f"compares with {others} host that is still to come, and {LEAST_HOSTS} are needed"
    return ""


def _tell_count(spec: CompareSpec, changed: int, count: int, later: int) -> str:
    """Return what is wrong with `count` measurements of each host; "" when they are enough."""
    others = count * min(spec.hosts, later)
    few = _too_few(spec, changed, others, min(spec.hosts, later))
    return f"with count: {count} has {few}; only the soak may bring more" if few else ""


def _median(numbers: Sequence[float]) -> float:
    from statistics import median  # it loads decimals and fractions, for which `status` has no time

    return median(numbers)
