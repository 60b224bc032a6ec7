"""One event, one complete line for people; used live, without a terminal, and by `wavegate events`."""

from __future__ import annotations

from collections import Counter

from wavegate.core import events as ev
from wavegate.core.outcomes import BAD_OUTCOMES, Outcome, Reading, Status, Verdict
from wavegate.core.plan import Plan
from wavegate.core.quantity import format_duration
from wavegate.reports.people import tell_people
from wavegate.reports.wording import BAD, CAREFUL, GOOD, Line, tell_side

_SHOWN_HOSTS = 6
_BAD = BAD_OUTCOMES | {Outcome.ROLLBACK_FAILED}


def describe(event: ev.Event, plan: Plan) -> Line | None:  # noqa: C901, PLR0911, PLR0912 - a table of sentences
    """Return the sentence for the event; None for events that only matter to the machine."""
    match event:
        case ev.RolloutStarted():
            return Line(f"rollout {event.name} started by {event.by}, plan {event.plan_hash[:12]}")
        case ev.RolloutResumed():
            return Line(f"resumed by {event.by}", CAREFUL)
        case ev.WaveStarted():
            return _wave_started(event, plan)
        case ev.WaveCompleted():
            return Line(f"wave {event.wave} completed", GOOD)
        case ev.BatchSubmitted() if event.obligation:
            return Line(f"putting back {event.obligation} on {some(event.hosts)} by {event.undo}", CAREFUL)
        case ev.BatchSubmitted():
            what = " + ".join(event.procedures)
            return Line(f"batch {event.batch}: {what} on {some(event.hosts)}")
        case ev.HostFinished():
            return _host_finished(event)
        case ev.BatchEnded(status="ended"):
            return None
        case ev.BatchEnded():
            tail = f": {event.detail}" if event.detail else ""
            return Line(f"batch {event.batch} {event.status.replace('_', ' ')}{tail}", BAD)
        case ev.ObligationOpened():
            return Line(f"{event.host} takes out {event.key}; {event.undo} puts it back", "dim")
        case ev.ObligationClosed():
            return Line(f"{event.host} has put back {event.key}", "dim")
        case ev.VersionPinned():
            return Line(f"{event.key} is pinned to {event.value}, which {event.host} resolved")
        case ev.GateOpened():
            soak = plan.gates[event.gate].soak
            tail = f", soaks {format_duration(soak)}" if soak else ""
            verb = "watches" if event.side == "during" else "looks"
            return Line(f"gate {event.gate} {tell_side(event.side, event.wave)} {verb}{tail}")
        case ev.SweepEnded():
            return _sweep_ended(event)
        case ev.HostFoundBad():
            return Line(f"{event.host} found bad by {event.probe}: {event.reason}", BAD)
        case ev.ApprovalRequested() | ev.VoteCast() | ev.VoteRefused() | ev.GateOverridden():
            return tell_people(event)
        case ev.Rehearsed():
            return _rehearsed(event)
        case ev.GateDecided():
            style = {Verdict.PASS: GOOD, Verdict.FAIL: BAD}.get(event.verdict, CAREFUL)
            place = f"gate {event.gate} {tell_side(event.side, event.wave)}"
            return Line(f"{place}: {event.verdict.upper()}: {event.reason}", style)
        case ev.BudgetBreached():
            return Line(f"failure budget breached: {event.reason}; nothing new starts", BAD)
        case ev.RollbackStarted():
            by = f", asked by {event.by}" if event.by else ""
            return Line(f"rolling back {some(event.hosts)}{by}: {event.reason}", CAREFUL)
        case ev.HostsRetried():
            return Line(
                f"to be done again in wave {event.wave}, asked by {event.by}: {some(event.hosts)}", CAREFUL
            )
        case ev.HostSkipped():
            return Line(f"{event.host} skipped by {event.by}: {event.reason}", CAREFUL)
        case ev.AbortRequested():
            return Line(f"abort asked by {event.by}: {event.reason}", CAREFUL)
        case ev.StopRequested():
            tail = "stopping what is in flight" if event.now else "waiting for what is in flight"
            return Line(f"stop asked by {event.by}: starting nothing new, {tail}", CAREFUL)
        case ev.LeaseBroken():
            return Line(f"{event.by} took the lease away from {event.owner}: {event.reason}", CAREFUL)
        case ev.RolloutPaused():
            style = BAD if event.status in {Status.HALTED, Status.ROLLBACK_FAILED} else CAREFUL
            return Line(f"rollout {event.status.replace('_', ' ')}: {event.reason}", style)
        case ev.RolloutEnded():
            style = GOOD if event.status is Status.COMPLETED else BAD
            return Line(f"rollout {event.status.replace('_', ' ')}: {event.reason}", style)
        case _:
            return None


def some(names: tuple[str, ...] | list[str]) -> str:
    """Return the names, or the first few and how many more."""
    more = len(names) - _SHOWN_HOSTS
    return ", ".join(names[:_SHOWN_HOSTS]) + (f" and {more} more" if more > 0 else "")


def _wave_started(event: ev.WaveStarted, plan: Plan) -> Line:
    number = [wave.name for wave in plan.waves].index(event.wave)
    wave = plan.waves[number]
    hosts = f"{len(wave.hosts)} host{'s' if len(wave.hosts) != 1 else ''}"
    return Line(
        f"wave {event.wave} ({number + 1} of {len(plan.waves)}): {hosts}, tolerates {wave.tolerated} bad"
    )


def _rehearsed(event: ev.Rehearsed) -> Line:
    plan = f"rehearsal of plan {event.plan_hash[:12]} on {some(event.hosts)}"
    if not event.succeeded:
        return Line(f"{plan} FAILED: {event.reason}", BAD)
    ways = (event.apply_seconds, event.rollback_seconds, event.again_seconds)
    there, back, again = (format_duration(seconds) for seconds in ways)
    return Line(f"{plan}: there in {there}, back in {back}, there again in {again}", GOOD)


def _host_finished(event: ev.HostFinished) -> Line:
    if "discharge" in event.completed and event.outcome is Outcome.DONE:
        return Line(f"{event.host}: what was taken out is back", GOOD)
    text = f"{event.host}: {event.outcome.replace('_', ' ')}"
    if event.outcome is Outcome.DONE:
        text += f", {event.changed} changed" if event.changed else ", nothing to change"
    if event.rescued:
        text += f", {event.rescued} rescued"
    if event.task:
        text += f" at task {event.task!r}"
    if event.reason:
        text += f": {event.reason}"
    good = event.outcome in {Outcome.DONE, Outcome.ROLLED_BACK}
    return Line(text, GOOD if good else BAD if event.outcome in _BAD else CAREFUL)


def _sweep_ended(event: ev.SweepEnded) -> Line:
    count = Counter(measurement.reading for measurement in event.measurements)
    total = len(event.measurements)
    parts = [f"{count[reading]} {reading}" for reading in Reading if count[reading]]
    text = f"probe {event.probe} #{event.number}: {', '.join(parts)} of {total}" if total > 1 else ""
    worst = next((m for m in event.measurements if m.reading is not Reading.GOOD), None)
    if not text and event.measurements:
        only = event.measurements[0]
        target = f" on {only.target}" if only.target else ""
        text = f"probe {event.probe} #{event.number}: {only.reading}{target}"
    if worst:
        text += f" ({worst.target + ': ' if worst.target and total > 1 else ''}{worst.detail})"
    if worst is None:
        return Line(text, "dim")
    return Line(text, BAD if worst.reading is Reading.BAD else CAREFUL)
