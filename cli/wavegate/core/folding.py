"""Folds the journal's records into a state; the only place where a state changes."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterable
from operator import neg

from wavegate.core import events as ev
from wavegate.core import obligations
from wavegate.core.outcomes import Outcome, Status, Verdict
from wavegate.core.state import (
    BatchState,
    GateState,
    HostState,
    RollbackState,
    Series,
    State,
    WaveState,
)


def fold(state: State, records: Iterable[ev.Record]) -> State:
    """Return the state (the same object) after the records."""
    for record in records:
        _APPLY[type(record.event)](state, record.event, record.at)
        state.seq, state.at = record.seq, record.at
    return state


def _wave(state: State, name: str) -> WaveState:
    # Not setdefault, which makes a new one each time that it is asked.
    wave = state.waves.get(name)
    if wave is None:
        wave = state.waves[name] = WaveState()
    return wave


def _host(state: State, name: str) -> HostState:
    host = state.hosts.get(name)
    if host is None:
        host = state.hosts[name] = HostState()
    return host


def _count(state: State, wave: str, name: str) -> None:
    """Bring the sets of hosts into step with what is now known about one of them."""
    host, here = _host(state, name), _wave(state, wave)
    _keep(here.done, name, belongs=host.outcome is Outcome.DONE)
    _keep(here.bad, name, belongs=host.is_bad)
    _keep(here.sick, name, belongs=host.is_bad and host.is_sick)
    _keep(here.not_started, name, belongs=host.outcome is Outcome.NOT_STARTED)
    if state.rollback:
        tried = host.forward is not None and host.outcome is not None
        _keep(state.rollback.failed, name, belongs=tried and host.outcome is not Outcome.ROLLED_BACK)


def _keep(names: set[str], name: str, *, belongs: bool) -> None:
    if belongs:
        names.add(name)
    else:
        names.discard(name)


_SIDES = ("before", "after", "rollback")
_LOOK_AGAIN = frozenset({("before", Verdict.FAIL), ("rollback", Verdict.FAIL)})
"""A fleet ill before, or not well after a rollback, is looked at again; a wave that we made ill is not."""


def _started(state: State, event: ev.RolloutStarted, at: float) -> None:
    state.status, state.name, state.by, state.started_at = Status.RUNNING, event.name, event.by, at


def _resumed(state: State, event: ev.RolloutResumed, at: float) -> None:  # noqa: ARG001
    """Forget what the dead process was about to learn: doubtful hosts are done again, open sweeps too.

    Hosts on which Ansible never began get their turn again as well, those that were sick before where the
    rollout was held for them, and those that could not be put back.
    """
    stood = state.status
    state.status = Status.ROLLING_BACK if state.rollback else Status.RUNNING
    state.stop, state.reason, state.by, state.ended_at = None, "", event.by, None
    obligations.try_again(state)
    for name, host in state.hosts.items():
        if host.outcome is not None and _has_another_turn(state, name, host, stood):
            host.stood = (host.outcome, host.doubtful, host.is_sick)
            host.outcome, host.doubtful, host.is_sick = None, False, False
            batch = state.batches[host.batch]
            _wait_again(state, batch.wave, batch.index)
            _count(state, batch.wave, name)
            _look_later(_wave(state, batch.wave))
    for wave in state.waves.values():
        for side in _SIDES:
            gate: GateState | None = getattr(wave, side)
            if gate and (gate.verdict is Verdict.INCONCLUSIVE or (side, gate.verdict) in _LOOK_AGAIN):
                setattr(wave, side, None)
            elif gate:
                for series in gate.series.values():
                    series.in_flight = False


def _stand_as_before(state: State) -> None:
    """Give hosts whose turn did not come again the outcome back that they had: each one has one at rest."""
    for name, host in state.hosts.items():
        if host.stood and host.outcome is None:
            host.outcome, host.doubtful, host.is_sick = host.stood
            _count(state, state.batches[host.batch].wave, name)
        host.stood = None


def _look_later(here: WaveState) -> None:
    """Have the gate after the wave open when its last host is done, and not before that."""
    if here.after and here.after.verdict is not Verdict.FAIL:
        here.after = None


def _has_another_turn(state: State, name: str, host: HostState, stood: Status) -> bool:
    if state.rollback:
        return name in state.rollback.chosen and (host.doubtful or name in state.rollback.failed)
    is_open = state.batches[host.batch].wave not in state.completed if host.batch else False
    return (
        host.doubtful
        or host.outcome is Outcome.NOT_STARTED
        or (host.is_sick and stood is Status.HELD and is_open)
    )


def _wait_again(state: State, wave: str, index: int) -> None:
    here, rollback = _wave(state, wave), state.rollback
    if rollback is None:
        here.begun.discard(index)
        here.first_waiting = min(here.first_waiting, index)
    elif index not in (waiting := rollback.waiting.setdefault(wave, [])):
        insort(waiting, index, key=neg)


def _wave_started(state: State, event: ev.WaveStarted, at: float) -> None:
    _wave(state, event.wave).started_at = at


def _wave_completed(state: State, event: ev.WaveCompleted, at: float) -> None:
    _wave(state, event.wave).completed_at = at
    state.completed.add(event.wave)


def _batch_submitted(state: State, event: ev.BatchSubmitted, at: float) -> None:
    batch = BatchState(
        event.wave, event.index, event.hosts, event.procedures, at, obligation=event.obligation
    )
    state.batches[event.batch] = state.in_flight[event.batch] = batch
    state.hosts_in_flight += len(event.hosts)
    if event.obligation:
        obligations.begin_discharge(state, event)
        return
    _wait_no_more(state, event)
    for name in event.hosts:
        host = _host(state, name)
        if "rollback" in event.procedures:
            host.forward = host.forward or host.outcome or Outcome.ABORTED
        again, host.touched = host.touched, True
        host.batch, host.outcome = event.batch, None
        if again:  # a host's first batch changes nothing that is counted
            _count(state, event.wave, name)


def _wait_no_more(state: State, event: ev.BatchSubmitted) -> None:
    here, rollback = _wave(state, event.wave), state.rollback
    here.begun.add(event.index)
    while here.first_waiting in here.begun:
        here.first_waiting += 1
    if rollback and "rollback" in event.procedures:
        rollback.waiting[event.wave].remove(event.index)


def _host_finished(state: State, event: ev.HostFinished, at: float) -> None:  # noqa: ARG001
    host = _host(state, event.host)
    batch = state.batches[event.batch]
    if "settle" in event.completed:
        host.in_doubt = ()
    if batch.obligation:
        _doubt(host, event.batch, event.outcome)
        obligations.finish_discharge(state, batch, event)
        return
    host.outcome, host.reason, host.task = event.outcome, event.reason, event.task
    host.changed, host.rescued = event.changed, event.rescued
    host.completed = tuple(dict.fromkeys((*host.completed, *event.completed)))
    prechecked = "precheck" not in batch.procedures or "precheck" in host.completed
    host.is_sick = not prechecked and event.outcome in _SICK_OUTCOMES
    _count(state, batch.wave, event.host)


_END_OUTCOME = {"timed_out": Outcome.TIMED_OUT}
_SICK_OUTCOMES = frozenset({Outcome.FAILED, Outcome.UNREACHABLE, Outcome.TIMED_OUT})
_IN_DOUBT = frozenset({Outcome.UNREACHABLE, Outcome.TIMED_OUT, Outcome.ABORTED, Outcome.ROLLBACK_FAILED})
"""Outcomes that leave open whether the host's last task has ended."""


def _doubt(host: HostState, batch: str, outcome: Outcome | None) -> None:
    if outcome in _IN_DOUBT and batch not in host.in_doubt:
        host.in_doubt = (*host.in_doubt, batch)


def _batch_ended(state: State, event: ev.BatchEnded, at: float) -> None:
    batch = state.in_flight.pop(event.batch)
    state.hosts_in_flight -= len(batch.hosts)
    batch.ended_at, batch.status, batch.detail, batch.output = at, event.status, event.detail, event.output
    if batch.obligation:
        if event.status != "ended":
            _doubt(_host(state, batch.hosts[0]), event.batch, Outcome.ABORTED)
        obligations.end_discharge(state, batch)
        return
    if "rollback" not in batch.procedures:
        state.batches_ended += 1
        state.batch_seconds += at - batch.started_at
    for name in batch.hosts:
        host = _host(state, name)
        if host.outcome is None:
            host.outcome = _END_OUTCOME.get(event.status, Outcome.ABORTED)
            host.reason = event.detail
            host.doubtful = event.status in {"canceled", "lost"}
            _count(state, batch.wave, name)
        _doubt(host, event.batch, host.outcome)


def _obligation_opened(state: State, event: ev.ObligationOpened, at: float) -> None:
    obligations.open_obligation(state, event, at)


def _obligation_closed(state: State, event: ev.ObligationClosed, at: float) -> None:  # noqa: ARG001
    obligations.close_obligation(state, event.host, event.key)


def _version_pinned(state: State, event: ev.VersionPinned, at: float) -> None:  # noqa: ARG001
    state.pins.setdefault(event.key, event)


def _gate_opened(state: State, event: ev.GateOpened, at: float) -> None:
    known_bad = {target for target in event.targets if state.host(target).found_bad}
    gate = GateState(event.wave, event.side, event.gate, at, event.targets, known_bad)
    setattr(_wave(state, event.wave), event.side, gate)


def gate_of(state: State, wave: str, side: str) -> GateState:
    """Return the gate that was opened on that side of the wave."""
    gate: GateState | None = getattr(state.wave(wave), side)
    if gate is None:
        raise KeyError(f"no gate is open {side} wave {wave}")
    return gate


def _sweep_started(state: State, event: ev.SweepStarted, at: float) -> None:
    series = gate_of(state, event.wave, event.side).series.setdefault(event.probe, Series())
    series.started, series.started_at, series.in_flight = event.number, at, True


def _sweep_ended(state: State, event: ev.SweepEnded, at: float) -> None:
    gate = gate_of(state, event.wave, event.side)
    series = gate.series[event.probe]
    series.ended, series.ended_at, series.in_flight = event.number, at, False
    for measurement in event.measurements:
        series.add(measurement, judged=measurement.target not in gate.out)


def _sweep_counted(state: State, event: ev.SweepCounted, at: float) -> None:
    """Fold what is shown of a sweep; the tallies of its targets are not kept."""
    _sweep_ended(state, event, at)
    total = gate_of(state, event.wave, event.side).series[event.probe].total
    for reading, count in event.counts.items():
        setattr(total, reading.value, getattr(total, reading.value) + count)


def _host_found_bad(state: State, event: ev.HostFoundBad, at: float) -> None:  # noqa: ARG001
    _host(state, event.host).found_bad = f"{event.probe}: {event.reason}"
    _count(state, event.wave, event.host)
    gate = gate_of(state, event.wave, "after")
    gate.out.add(event.host)
    for series in gate.series.values():
        series.drop(event.host)


def _gate_decided(state: State, event: ev.GateDecided, at: float) -> None:
    gate = gate_of(state, event.wave, event.side)
    gate.verdict, gate.reason, gate.decided_at = event.verdict, event.reason, at
    if event.verdict is Verdict.FAIL and event.side == "after":
        state.failed_gate = event.wave


def _breached(state: State, event: ev.BudgetBreached, at: float) -> None:  # noqa: ARG001
    state.breach = event
    _stand_as_before(state)


def _rollback_started(state: State, event: ev.RollbackStarted, at: float) -> None:
    state.status, state.ended_at, state.reason = Status.ROLLING_BACK, None, ""
    chosen = frozenset(event.hosts)
    rollback = RollbackState(event.wave, event.hosts, event.reason, at, chosen, {})
    state.rollback, _wave(state, event.wave).rollback = rollback, None
    for name in event.hosts:
        host = state.host(name)
        if host.forward is not None:  # a second try to put it back
            host.outcome = None
        batch = state.batches[host.batch]
        _wait_again(state, batch.wave, batch.index)


def _retried(state: State, event: ev.HostsRetried, at: float) -> None:  # noqa: ARG001
    for name in event.hosts:
        host = _host(state, name)
        host.outcome, host.found_bad, host.doubtful, host.is_sick = None, "", False, False
        _count(state, event.wave, name)
        _wave(state, event.wave).skipped.discard(name)
    for index in event.batches:
        _wait_again(state, event.wave, index)
    _judge_anew(state)
    here = _wave(state, event.wave)
    here.after, here.completed_at = None, None
    state.completed.discard(event.wave)


def _skipped(state: State, event: ev.HostSkipped, at: float) -> None:  # noqa: ARG001
    host = _host(state, event.host)
    host.outcome, host.reason, host.task = Outcome.SKIPPED, f"by {event.by}: {event.reason}", ""
    host.found_bad, host.doubtful, host.is_sick = "", False, False
    here = _wave(state, event.wave)
    here.skipped.add(event.host)
    if here.after and here.after.verdict not in {None, Verdict.PASS}:
        here.after = None
    _count(state, event.wave, event.host)
    _judge_anew(state)


def _judge_anew(state: State) -> None:
    """Forget what stopped the rollout: it is judged again by what is known now."""
    state.breach, state.failed_gate = None, ""


def _abort_requested(state: State, event: ev.AbortRequested, at: float) -> None:  # noqa: ARG001
    state.abort = event


def _stop_requested(state: State, event: ev.StopRequested, at: float) -> None:  # noqa: ARG001
    state.stop = event


def _lease_broken(state: State, event: ev.LeaseBroken, at: float) -> None:
    """Change nothing: the next process resumes as after a death."""


def _paused(state: State, event: ev.RolloutPaused, at: float) -> None:
    state.status, state.reason = event.status, event.reason
    _stand_as_before(state)
    if event.status in {Status.HALTED, Status.ROLLBACK_FAILED}:
        state.ended_at = at


def _ended(state: State, event: ev.RolloutEnded, at: float) -> None:
    state.status, state.reason, state.ended_at = event.status, event.reason, at
    _stand_as_before(state)


_APPLY: dict[type, Callable[..., None]] = {
    ev.RolloutStarted: _started,
    ev.RolloutResumed: _resumed,
    ev.WaveStarted: _wave_started,
    ev.WaveCompleted: _wave_completed,
    ev.BatchSubmitted: _batch_submitted,
    ev.HostFinished: _host_finished,
    ev.BatchEnded: _batch_ended,
    ev.ObligationOpened: _obligation_opened,
    ev.ObligationClosed: _obligation_closed,
    ev.VersionPinned: _version_pinned,
    ev.GateOpened: _gate_opened,
    ev.SweepStarted: _sweep_started,
    ev.SweepEnded: _sweep_ended,
    ev.SweepCounted: _sweep_counted,
    ev.HostFoundBad: _host_found_bad,
    ev.GateDecided: _gate_decided,
    ev.BudgetBreached: _breached,
    ev.RollbackStarted: _rollback_started,
    ev.HostsRetried: _retried,
    ev.HostSkipped: _skipped,
    ev.AbortRequested: _abort_requested,
    ev.StopRequested: _stop_requested,
    ev.LeaseBroken: _lease_broken,
    ev.RolloutPaused: _paused,
    ev.RolloutEnded: _ended,
}
