"""From a plan and the records of its journal to the facts of a report. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.fleet_gate import FLEET
from wavegate.core.folding import fold
from wavegate.core.outcomes import WALKING, Outcome, Status
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.state import State
from wavegate.ports import RolloutRow
from wavegate.reports import story, timeline
from wavegate.reports.facts import (
    GateFacts,
    HostFacts,
    Pause,
    ReportFacts,
    Rollback,
    Try,
    WaveFacts,
)
from wavegate.reports.impact import gather_impacts
from wavegate.reports.measuring import gather_gates
from wavegate.reports.taken_out import list_taken_out

_STOPPED_AS = {
    Status.HALTED: "halted",
    Status.HELD: "held",
    Status.WAITING: "waiting",
    Status.INTERRUPTED: "interrupted",
    Status.ABORTED: "aborted",
}
_BY_DEATH = "the process that ran the rollout died"


def gather_facts(
    plan: Plan, records: Sequence[ev.Record], row: RolloutRow, *, died: bool = False
) -> ReportFacts:
    """Return what the records tell; `died` says that the rollout is open and its process is gone."""
    state = fold(State(), records)
    tries = _gather_tries(records)
    gates = gather_gates(plan, records)
    stopped_as = "died" if died else _STOPPED_AS.get(state.status, "running")
    waves = tuple(_make_wave(plan, wave, state, tries, gates, stopped_as) for wave in plan.waves)
    facts = ReportFacts(
        id=row.id,
        name=plan.name,
        description=plan.description,
        file=row.file,
        plan_hash=row.plan_hash or plan.hash,
        playbooks=tuple((proc.value, path) for proc, paths in plan.playbooks.items() for path in paths),
        by=next((one.event.by for one in records if isinstance(one.event, ev.RolloutStarted)), ""),
        status=state.status,
        died=died,
        reason=state.reason,
        headline="",
        created_at=row.created_at,
        started_at=state.started_at,
        ended_at=state.ended_at,
        as_of=state.at or row.created_at,
        tolerated=plan.tolerated,
        waves=waves,
        rollback=_make_rollback(state),
        taken_out=list_taken_out(state),
        pins=tuple((one.key, one.value, one.host) for one in state.pins.values()),
        pauses=_gather_pauses(records, died=died),
        troubles=(),
        left=(),
        timeline=timeline.gather_timeline(plan, records),
        left_out=plan.left_out,
        notes=plan.notes,
        impacts=gather_impacts(plan, records, walks=state.status in WALKING),
    )
    return replace(
        facts,
        headline=story.tell_headline(facts),
        troubles=story.tell_troubles(facts),
        left=story.tell_left(facts),
    )


def _gather_tries(records: Sequence[ev.Record]) -> dict[str, list[Try]]:
    """Return every host's tries in order; a batch that ended settles its hosts that had no outcome.

    A batch that discharges an obligation is no try: it says nothing about the change.
    """
    tries: dict[str, list[Try]] = {}
    batches: dict[str, ev.BatchSubmitted] = {}
    for record in records:
        match record.event:
            case ev.BatchSubmitted(obligation="") as order:
                batches[order.batch] = order
                for host in order.hosts:
                    one = Try(batch=order.batch, procedures=order.procedures, started_at=record.at)
                    tries.setdefault(host, []).append(one)
            case ev.HostFinished() as end if end.batch in batches:
                tries[end.host][-1] = _finish(tries[end.host][-1], end, record.at)
            case ev.BatchEnded() as end if end.batch in batches:
                for host in batches[end.batch].hosts:
                    tries[host][-1] = _settle(tries[host][-1], end, record.at)
    return tries


def _finish(one: Try, end: ev.HostFinished, at: float) -> Try:
    return replace(
        one,
        ended_at=at,
        outcome=end.outcome,
        reason=end.reason,
        task=end.task,
        completed=end.completed,
        changed=end.changed,
        rescued=end.rescued,
    )


def _settle(one: Try, end: ev.BatchEnded, at: float) -> Try:
    one = replace(one, output=end.output)
    if one.outcome is not None:
        return one
    outcome = Outcome.TIMED_OUT if end.status == "timed_out" else Outcome.ABORTED
    return replace(one, ended_at=at, outcome=outcome, reason=end.detail)


def _make_wave(  # noqa: PLR0913, PLR0917 - what a wave is told by
    plan: Plan,
    wave: PlannedWave,
    state: State,
    tries: dict[str, list[Try]],
    gates: Sequence[GateFacts],
    stopped_as: str,
) -> WaveFacts:
    here = state.wave(wave.name)
    names = {wave.name, FLEET} if wave is plan.waves[0] else {wave.name}
    own = tuple(gate for gate in gates if gate.wave in names)
    forward = [
        b
        for b in state.batches.values()
        if b.wave == wave.name and "rollback" not in b.procedures and not b.obligation
    ]
    ends = [batch.ended_at or state.at for batch in forward]
    return WaveFacts(
        name=wave.name,
        standing=_stand_of_wave(wave, state, own, stopped_as),
        hosts=tuple(_make_host(name, wave.name, state, tries.get(name, [])) for name in wave.hosts),
        batches=len(wave.batches),
        tolerated=wave.tolerated,
        started_at=here.started_at,
        worked_until=max(ends, default=None),
        completed_at=here.completed_at,
        ended_at=_end_of_wave(wave, state, ends, own),
        gates=own,
        planned_gates=tuple((side, gate) for side, gate in _sides(plan, wave) if gate),
    )


def _sides(plan: Plan, wave: PlannedWave) -> tuple[tuple[str, str], ...]:
    """Return the sides of the wave with their gates that decide; the fleet's stands before the first wave."""
    fleet = plan.before if wave is plan.waves[0] else ""
    during = wave.during if wave.during and plan.gates[wave.during].error_budget else ""
    return (("before", fleet), ("before", wave.before), ("during", during), ("after", wave.after))


def _stand_of_wave(wave: PlannedWave, state: State, gates: Sequence[GateFacts], stopped_as: str) -> str:
    """Return completed, not_started, running, or how the rollout came to a stop in this wave."""
    here = state.wave(wave.name)
    if state.rollback and not state.rollback.chosen.isdisjoint(wave.hosts):
        return state.status.value
    if here.completed_at is not None:
        return "completed"
    if here.started_at is None and not gates:
        return "not_started"
    return stopped_as


def _end_of_wave(
    wave: PlannedWave, state: State, ends: Sequence[float], gates: Sequence[GateFacts]
) -> float | None:
    here = state.wave(wave.name)
    was_put_back = state.rollback is not None and not state.rollback.chosen.isdisjoint(wave.hosts)
    if here.completed_at is not None and not was_put_back:
        return here.completed_at
    seen = [*ends, *(gate.decided_at or state.at for gate in gates)]
    seen += [b.ended_at or state.at for b in state.batches.values() if b.wave == wave.name]
    return max(seen, default=here.started_at)


def _make_host(name: str, wave: str, state: State, tries: Sequence[Try]) -> HostFacts:
    host = state.hosts.get(name)
    standing = host.outcome.value if host and host.outcome else "not_started"
    if tries and tries[-1].outcome is None:
        standing = "in_flight"
    return HostFacts(
        name=name,
        wave=wave,
        standing=standing,
        is_bad=bool(host and host.is_bad),
        is_sick=bool(host and host.is_bad and host.is_sick),
        found_bad=host.found_bad if host else "",
        tries=tuple(tries),
    )


def _make_rollback(state: State) -> Rollback | None:
    """Return what was put back. A host that was never put back counts as not put back once it is over."""
    if state.rollback is None:
        return None
    back = tuple(h for h in state.rollback.hosts if state.host(h).outcome is Outcome.ROLLED_BACK)
    return Rollback(
        wave=state.rollback.wave,
        reason=state.rollback.reason,
        hosts=state.rollback.hosts,
        started_at=state.rollback.started_at,
        ended_at=state.ended_at,
        put_back=back,
        not_put_back=tuple(h for h in state.rollback.hosts if h not in back) if state.is_over else (),
    )


def _gather_pauses(records: Sequence[ev.Record], *, died: bool) -> tuple[Pause, ...]:
    """Return every stretch in which nobody carried the rollout on, also those that a dead process left."""
    pauses: list[Pause] = []
    for index, record in enumerate(records):
        match record.event:
            case ev.RolloutPaused() as paused:
                pauses.append(Pause(paused.status.value, paused.reason, record.at, None, ""))
            case ev.RolloutResumed() as resumed:
                if not pauses or pauses[-1].until is not None:
                    pauses.append(Pause("died", _BY_DEATH, _died_at(records, index), None, ""))
                pauses[-1] = replace(pauses[-1], until=record.at, resumed_by=resumed.by)
    if died and records and not (pauses and pauses[-1].until is None):
        pauses.append(Pause("died", _BY_DEATH, records[-1].at, None, ""))
    return tuple(pauses)


def _died_at(records: Sequence[ev.Record], resumed: int) -> float:
    """Return the time of the last record that the dead process wrote, before what its successor found."""
    index = resumed - 1
    found_at: set[float] = set()
    while index > 0:
        event, at = records[index].event, records[index].at
        if isinstance(event, ev.BatchEnded) and event.status == "lost":
            found_at.add(at)
        elif not (isinstance(event, ev.HostFinished) and at in found_at):
            break
        index -= 1
    return records[index].at
