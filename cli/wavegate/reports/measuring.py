"""What the gates measured: counts, latencies over time, and the measurements worth telling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.comparison import Compared, Samples, compare
from wavegate.core.grouping import tell_target
from wavegate.core.judgement import TIMED
from wavegate.core.outcomes import Reading
from wavegate.core.plan import Plan
from wavegate.reports.facts import Counts, GateFacts, Latency, Point, ProbeFacts, Sighting, VoteFacts

MOST_POINTS = 120
"""A soak of days has thousands of sweeps; a picture and a JSON reader need no more than this."""


class _Look(Struct):
    """One opened gate with the sweeps that answered while it looked."""

    opened: ev.GateOpened
    opened_at: float
    sweeps: dict[str, list[tuple[float, ev.SweepEnded]]] = field(default_factory=dict)
    decided: ev.GateDecided | None = None
    decided_at: float | None = None
    asked_until: float | None = None
    votes: list[VoteFacts] = field(default_factory=list)
    overridden: ev.GateOverridden | None = None
    out: set[str] = field(default_factory=set)


def gather_gates(plan: Plan, records: Iterable[ev.Record]) -> tuple[GateFacts, ...]:
    """Return every look of every gate, in order of time."""
    looks: list[_Look] = []
    open_looks: dict[tuple[str, str], _Look] = {}
    for record in records:
        match record.event:
            case ev.GateOpened() as opened:
                open_looks[opened.wave, opened.side] = look = _Look(opened, record.at)
                looks.append(look)
            case ev.SweepEnded() as sweep:
                sweeps = open_looks[sweep.wave, sweep.side].sweeps
                sweeps.setdefault(sweep.probe, []).append((record.at, sweep))
            case ev.HostFoundBad() as found if (found.wave, "after") in open_looks:
                open_looks[found.wave, "after"].out.add(found.host)
            case ev.GateDecided() as decided:
                look = open_looks[decided.wave, decided.side]
                look.decided, look.decided_at = decided, record.at
            case ev.ApprovalRequested() | ev.VoteCast() | ev.VoteRefused() | ev.GateOverridden() as said:
                if spoken_to := open_looks.get((said.wave, said.side)):
                    _hear(spoken_to, said, record.at)
    return tuple(_make_gate(plan, look) for look in looks)


def _hear(
    look: _Look, said: ev.ApprovalRequested | ev.VoteCast | ev.VoteRefused | ev.GateOverridden, at: float
) -> None:
    """Take down what was asked of people at the gate, or what they said."""
    match said:
        case ev.ApprovalRequested():
            look.asked_until = said.until
        case ev.VoteCast():
            cases = tuple((one.name, one.result, one.evidence, one.sha256) for one in said.cases)
            vote = VoteFacts(
                at=at, by=said.by, choice=said.choice, comment=said.comment, key=said.key, cases=cases
            )
            look.votes.append(vote)
        case ev.VoteRefused():
            look.votes.append(VoteFacts(at=at, by=said.by, choice=said.choice, refused=said.reason))
        case ev.GateOverridden():
            look.overridden = said
            look.decided_at = look.decided_at or at


def _make_gate(plan: Plan, look: _Look) -> GateFacts:
    spec = plan.gates[look.opened.gate]
    return GateFacts(
        wave=look.opened.wave,
        side=look.opened.side,
        name=look.opened.gate,
        soak=spec.soak,
        opened_at=look.opened_at,
        decided_at=look.decided_at,
        verdict=look.decided.verdict if look.decided else None,
        reason=look.decided.reason if look.decided else "",
        targets=look.opened.targets,
        probes=tuple(
            _make_probe(plan, use.probe, look, decides=not use.sampling.dry_run) for use in spec.probes
        ),
        asked_until=look.asked_until,
        votes=tuple(look.votes),
        overridden_by=look.overridden.by if look.overridden else "",
        override_reason=look.overridden.reason if look.overridden else "",
        decides=look.opened.side != "during" or spec.error_budget is not None,
    )


def _make_probe(plan: Plan, name: str, look: _Look, *, decides: bool) -> ProbeFacts:
    kind, sweeps = plan.probes[name].kind, look.sweeps.get(name, [])
    every = [(at, one) for at, sweep in sweeps for one in sweep.measurements]
    bad = [_see(plan, name, at, one) for at, one in every if one.reading is Reading.BAD]
    errors = [_see(plan, name, at, one) for at, one in every if one.reading is Reading.ERROR]
    measurements = [one for _, one in every]
    return ProbeFacts(
        name=name,
        kind=kind,
        decides=decides,
        targets=len({one.target for one in measurements}),
        sweeps=len(sweeps),
        counts=count(measurements),
        first_bad=bad[0] if bad else None,
        last_bad=bad[-1] if bad else None,
        last_error=errors[-1] if errors else None,
        bad_targets=tuple(dict.fromkeys(one.target for one in bad if one.target)),
        latency=measure_latency(measurements) if kind in TIMED else None,
        points=_make_points(sweeps, timed=kind in TIMED),
        compared=_compare(plan, name, look),
    )


def _see(plan: Plan, probe: str, at: float, one: ev.Measurement) -> Sighting:
    return Sighting(at, tell_target(plan, probe, one.target), one.detail)


def _compare(plan: Plan, probe: str, look: _Look) -> Compared | None:
    """Return how changed hosts compare with untouched ones, by all that was measured in this look."""
    spec = plan.probes[probe].compare
    if spec is None or look.opened.side != "after":
        return None
    samples = Samples()
    for _, sweep in look.sweeps.get(probe, ()):
        samples.add(sweep)
    return compare(spec, samples, look.out)


def count(measurements: Iterable[ev.Measurement]) -> Counts:
    """Return how many measurements were of which reading."""
    totals = dict.fromkeys(("good", "bad", "inconclusive", "error"), 0)
    for measurement in measurements:
        totals[measurement.reading.value] += 1
    return Counts(**totals)


def measure_latency(measurements: Iterable[ev.Measurement]) -> Latency | None:
    """Return smallest, middle and largest of the measured values; None when nothing carries a value."""
    values = [one.value for one in measurements if one.value is not None]
    return Latency(min(values), median(values), max(values)) if values else None


def _make_points(sweeps: Sequence[tuple[float, ev.SweepEnded]], *, timed: bool) -> tuple[Point, ...]:
    """Return one point a sweep, or put neighbouring sweeps together so that there are at most MOST_POINTS."""
    together = -(-len(sweeps) // MOST_POINTS) or 1
    points = []
    for first in range(0, len(sweeps), together):
        chunk = sweeps[first : first + together]
        measurements = [one for _, sweep in chunk for one in sweep.measurements]
        points.append(
            Point(chunk[0][0], count(measurements), measure_latency(measurements) if timed else None)
        )
    return tuple(points)
