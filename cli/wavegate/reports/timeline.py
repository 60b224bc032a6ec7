"""The notable moments of a rollout, as sentences in order of time."""

from __future__ import annotations

from collections.abc import Sequence

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.plan import Plan
from wavegate.reports import sentences, wording
from wavegate.reports.facts import Moment

_TONES = {wording.GOOD: "good", wording.BAD: "bad", wording.CAREFUL: "unsure"}
_Seen = set[tuple[str, str, str, Reading]]


def gather_timeline(plan: Plan, records: Sequence[ev.Record]) -> tuple[Moment, ...]:
    """Return the moments worth telling: of batches, hosts and sweeps only those with trouble in them."""
    seen: _Seen = set()
    moments = []
    for record in records:
        line = sentences.describe(record.event, plan) if _is_notable(record.event, seen) else None
        if line:
            moments.append(Moment(record.at, _TONES.get(line.style, "plain"), line.text))
    return tuple(moments)


def _is_notable(event: ev.Event, seen: _Seen) -> bool:
    match event:
        case ev.BatchSubmitted():
            return "rollback" in event.procedures or bool(event.obligation)
        case ev.HostFinished():
            return event.outcome is not Outcome.DONE or "discharge" in event.completed
        case ev.ObligationOpened() | ev.ObligationClosed():
            return False
        case ev.GateOpened():
            seen -= {key for key in seen if key[:2] == (event.wave, event.side)}
            return True
        case ev.SweepEnded():
            return _is_first_of_its_kind(event, seen)
        case _:
            return True


def _is_first_of_its_kind(sweep: ev.SweepEnded, seen: _Seen) -> bool:
    """Whether the probe says for the first time at this gate that something is bad, or cannot be measured."""
    found = {
        (sweep.wave, sweep.side, sweep.probe, measurement.reading)
        for measurement in sweep.measurements
        if measurement.reading is not Reading.GOOD
    }
    is_first = bool(found - seen)
    seen |= found
    return is_first
