"""How gates and sweeps are folded into a state."""

from __future__ import annotations

from wavegate.core import events as ev
from wavegate.core.comparison import Samples
from wavegate.core.counting import count_host, host_of, wave_of
from wavegate.core.impact import Impact
from wavegate.core.outcomes import Verdict
from wavegate.core.state import GateState, State, WaveState
from wavegate.core.tallies import Series


def gate_opened(state: State, event: ev.GateOpened, at: float) -> None:
    """Have a gate look; a target that is known to be bad does not count in it."""
    known_bad = {target for target in event.targets if state.host(target).found_bad}
    gate = GateState(event.wave, event.side, event.gate, at, event.targets, known_bad)
    gate.untouched, gate.intervals = event.untouched, event.intervals
    setattr(wave_of(state, event.wave), event.side, gate)


def gate_of(state: State, wave: str, side: str) -> GateState:
    """Return the gate that was opened on that side of the wave."""
    gate: GateState | None = getattr(state.wave(wave), side)
    if gate is None:
        raise KeyError(f"no gate is open {side} wave {wave}")
    return gate


def sweep_started(state: State, event: ev.SweepStarted, at: float) -> None:
    """Remember that a probe is measuring."""
    series = gate_of(state, event.wave, event.side).series.setdefault(event.probe, Series())
    series.started, series.started_at, series.in_flight = event.number, at, True


def sweep_ended(state: State, event: ev.SweepEnded, at: float, number: int = 1) -> None:
    """Count what a probe answered, maybe so many times."""
    gate = gate_of(state, event.wave, event.side)
    series = gate.series[event.probe]
    series.ended, series.ended_at, series.in_flight = event.number, at, False
    series.measured_at = series.started_at
    series.add_all(event.measurements, gate.out, number)
    if event.untouched:
        series.samples = series.samples or Samples()
        series.samples.add(event)
    if event.side == "during":
        _count_impact(gate, event, series.started_at, at)


def _count_impact(gate: GateState, event: ev.SweepEnded, started_at: float, ended_at: float) -> None:
    """Count what users felt; an answer that comes after the wave was completed is none of it."""
    impacts = gate.impacts.setdefault(event.probe, {})
    for one in event.measurements:
        impact = impacts.setdefault(one.target, Impact(since=None if gate.rested else gate.opened_at))
        if not gate.over:
            impact.add(one, started_at, ended_at, gate.intervals.get(event.probe, 0.0))


def rest_background(here: WaveState, at: float, *, over: bool = False) -> None:
    """Have nobody watch from now on; `over` is for good."""
    gate = here.during
    if gate is None or gate.over:
        return
    for impacts in gate.impacts.values():
        for impact in impacts.values():
            impact.rest(at)
    gate.over, gate.rested = over, True


def watch_again(here: WaveState) -> None:
    """Have the background gate go on: what was spent stays spent, and errors in a row are forgotten."""
    gate = here.during
    if gate is None:
        return
    if gate.verdict is Verdict.INCONCLUSIVE:
        gate.verdict, gate.reason, gate.decided_at, gate.series = None, "", None, {}
    for series in gate.series.values():
        series.in_flight = False


def watch_anew(here: WaveState) -> None:
    """Have a background gate that has decided, or is over, look anew with its whole budget."""
    if here.during and (here.during.verdict is not None or here.during.over):
        here.during = None


def fold_sweeps(state: State, last: ev.SweepEnded, number: int, started_at: float, ended_at: float) -> None:
    """Fold so many more sweeps of the probe at once, up to `last`, whose times these are; all are alike."""
    series = gate_of(state, last.wave, last.side).series[last.probe]
    series.started, series.started_at = last.number, started_at
    sweep_ended(state, last, ended_at, number)


def sweep_counted(state: State, event: ev.SweepCounted, at: float) -> None:
    """Fold what is shown of a sweep; the tallies of its targets are not kept."""
    sweep_ended(state, event, at)
    total = gate_of(state, event.wave, event.side).series[event.probe].total
    for reading, count in event.counts.items():
        setattr(total, reading.value, getattr(total, reading.value) + count)


def host_found_bad(state: State, event: ev.HostFoundBad, at: float) -> None:  # noqa: ARG001
    """Count the host as bad, and not in the gate any more."""
    host_of(state, event.host).found_bad = f"{event.probe}: {event.reason}"
    count_host(state, event.wave, event.host)
    gate = gate_of(state, event.wave, "after")
    gate.out.add(event.host)
    for series in gate.series.values():
        series.drop(event.host)


def approval_requested(state: State, event: ev.ApprovalRequested, at: float) -> None:
    """Have the gate ask people."""
    gate = gate_of(state, event.wave, event.side)
    gate.asked_at, gate.asked_until = at, event.until


def vote_cast(state: State, event: ev.VoteCast, at: float) -> None:
    """Count a vote."""
    gate = gate_of(state, event.wave, event.side)
    gate.votes, gate.voted_at = (*gate.votes, event), at


def vote_refused(state: State, event: ev.VoteRefused, at: float) -> None:
    """Count nothing: the vote is only remembered."""


def gate_decided(state: State, event: ev.GateDecided, at: float) -> None:
    """Keep the verdict."""
    gate = gate_of(state, event.wave, event.side)
    gate.verdict, gate.reason, gate.decided_at = event.verdict, event.reason, at
    if event.verdict is Verdict.FAIL and event.side in {"during", "after"}:
        state.failed_gate = event.wave
