"""Folds the journal's records into a state; the only place where a state changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wavegate.core import events as ev
from wavegate.core import folding_gates, obligations, overriding
from wavegate.core.counting import count_host, host_of, wait_again, wait_no_more, wave_of
from wavegate.core.outcomes import Outcome, Status, Verdict
from wavegate.core.state import (
    BatchState,
    GateState,
    HostState,
    RollbackState,
    State,
    WaveState,
)


def fold(state: State, records: Iterable[ev.Record]) -> State:
    """Return the state (the same object) after the records."""
    for record in records:
        _APPLY[type(record.event)](state, record.event, record.at)
        state.seq, state.at = record.seq, record.at
    return state


_SIDES = ("before", "after", "rollback")
_LOOK_AGAIN = frozenset({("before", Verdict.FAIL), ("rollback", Verdict.FAIL)})
"""A fleet ill before, or not well after a rollback, is looked at again; a wave that we made ill is not."""


def _started(state: State, event: ev.RolloutStarted, at: float) -> None:
    state.status, state.name, state.by, state.started_at = Status.RUNNING, event.name, event.by, at
    state.launched_by = event.by


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
            _promise_another_turn(host)
            batch = state.batches[host.batch]
            wait_again(state, batch.wave, batch.index)
            count_host(state, batch.wave, name)
            _look_later(wave_of(state, batch.wave))
    for wave in state.waves.values():
        folding_gates.watch_again(wave)
        for side in _SIDES:
            gate: GateState | None = getattr(wave, side)
            if gate and (gate.verdict is Verdict.INCONCLUSIVE or (side, gate.verdict) in _LOOK_AGAIN):
                setattr(wave, side, None)
            elif gate:
                for series in gate.series.values():
                    series.in_flight = False


def _promise_another_turn(host: HostState) -> None:
    """Take the outcome away, and keep it for the case that the turn does not come."""
    if host.outcome is not None:
        host.stood = (host.outcome, host.doubtful, host.is_sick, host.found_bad)
    host.outcome, host.doubtful, host.is_sick = None, False, False


def _stand_as_before(state: State) -> None:
    """Give hosts whose turn did not come again the outcome back that they had: each one has one at rest."""
    for name, host in state.hosts.items():
        if host.stood and host.outcome is None:
            host.outcome, host.doubtful, host.is_sick, host.found_bad = host.stood
            count_host(state, state.batches[host.batch].wave, name)
        host.stood = None


def _look_later(here: WaveState) -> None:
    """Have the gate after the wave open when its last host is done, and not before that."""
    if here.after and here.after.verdict is not Verdict.FAIL:
        here.after = None


def _has_another_turn(state: State, name: str, host: HostState, stood: Status) -> bool:
    if state.rollback:
        is_back = host.outcome is Outcome.ROLLED_BACK
        return (
            name in state.rollback.chosen and not is_back and (host.doubtful or name in state.rollback.failed)
        )
    is_open = state.batches[host.batch].wave not in state.completed if host.batch else False
    return (
        host.doubtful
        or host.outcome is Outcome.NOT_STARTED
        or (host.is_sick and stood is Status.HELD and is_open)
    )


def _wave_started(state: State, event: ev.WaveStarted, at: float) -> None:
    wave_of(state, event.wave).started_at = at


def _wave_completed(state: State, event: ev.WaveCompleted, at: float) -> None:
    here = wave_of(state, event.wave)
    here.completed_at = at
    folding_gates.rest_background(here, at, over=True)
    state.completed.add(event.wave)
    state.surely_completed += 1


def _batch_submitted(state: State, event: ev.BatchSubmitted, at: float) -> None:
    batch = BatchState(
        event.wave, event.index, event.hosts, event.procedures, at, obligation=event.obligation
    )
    state.batches[event.batch] = state.in_flight[event.batch] = batch
    state.hosts_in_flight += len(event.hosts)
    if event.obligation:
        state.discharging += 1
        obligations.begin_discharge(state, event)
        return
    wait_no_more(state, event)
    for name in event.hosts:
        host = host_of(state, name)
        if "rollback" in event.procedures:
            host.forward = host.forward or host.outcome or Outcome.ABORTED
        again, host.touched = host.touched, True
        host.batch, host.outcome, host.stood = event.batch, None, None
        if again:  # a host's first batch changes nothing that is counted
            count_host(state, event.wave, name)


def _host_finished(state: State, event: ev.HostFinished, at: float) -> None:  # noqa: ARG001
    host = host_of(state, event.host)
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
    count_host(state, batch.wave, event.host)


def fold_well(state: State, batch: str, hosts: Iterable[str], outcome: Outcome) -> None:
    """Fold a HostFinished of each of the batch's hosts, all of them done (or put back), at once.

    A simulator has so many of them that an event for each would be most of what it costs.
    """
    order = state.batches[batch]
    here, completed, number = wave_of(state, order.wave), order.procedures, 0
    for name in hosts:
        host = state.hosts[name]
        known = host.completed or host.in_doubt or host.reason or host.counted != _UNCOUNTED
        if known or outcome is not Outcome.DONE:
            _host_finished(state, ev.HostFinished(batch, name, outcome, completed=completed), state.at)
            continue
        host.outcome, host.completed, host.counted = outcome, completed, _COUNTED_DONE
        here.done.add(name)
        number += 1
    here.counts.ended += number
    state.counts.ended += number


_UNCOUNTED, _COUNTED_DONE = (False, "", False), (True, "", False)
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
            _doubt(host_of(state, batch.hosts[0]), event.batch, Outcome.ABORTED)
        state.discharging -= 1
        obligations.end_discharge(state, batch)
        return
    if "rollback" not in batch.procedures:
        state.batches_ended += 1
        state.batch_seconds += at - batch.started_at
    for name in batch.hosts:
        host = host_of(state, name)
        if host.outcome is None:
            host.outcome = _END_OUTCOME.get(event.status, Outcome.ABORTED)
            host.reason = event.detail
            host.doubtful = event.status in {"canceled", "lost"}
            count_host(state, batch.wave, name)
        _doubt(host, event.batch, host.outcome)


def _obligation_opened(state: State, event: ev.ObligationOpened, at: float) -> None:
    obligations.open_obligation(state, event, at)


def _obligation_closed(state: State, event: ev.ObligationClosed, at: float) -> None:  # noqa: ARG001
    obligations.close_obligation(state, event.host, event.key)


def _version_pinned(state: State, event: ev.VersionPinned, at: float) -> None:  # noqa: ARG001
    state.pins.setdefault(event.key, event)


def _breached(state: State, event: ev.BudgetBreached, at: float) -> None:  # noqa: ARG001
    state.breach = event
    _stand_as_before(state)


def _rollback_started(state: State, event: ev.RollbackStarted, at: float) -> None:
    state.status, state.ended_at, state.reason = Status.ROLLING_BACK, None, ""
    chosen = frozenset(event.hosts)
    rollback = RollbackState(event.wave, event.hosts, event.reason, at, chosen, {})
    state.rollback, wave_of(state, event.wave).rollback = rollback, None
    for name in event.hosts:
        host = state.host(name)
        if host.forward is not None:  # a second try to put it back
            host.outcome = None
        batch = state.batches[host.batch]
        wait_again(state, batch.wave, batch.index)


def _retried(state: State, event: ev.HostsRetried, at: float) -> None:  # noqa: ARG001
    for name in event.hosts:
        host = host_of(state, name)
        _promise_another_turn(host)
        host.found_bad, host.accepted = "", False
        count_host(state, event.wave, name)
        wave_of(state, event.wave).skipped.discard(name)
    for index in event.batches:
        wait_again(state, event.wave, index)
    _judge_anew(state)
    here = wave_of(state, event.wave)
    here.after, here.completed_at = None, None
    folding_gates.watch_anew(here)
    state.completed.discard(event.wave)
    state.surely_completed = 0


def _skipped(state: State, event: ev.HostSkipped, at: float) -> None:  # noqa: ARG001
    host = host_of(state, event.host)
    host.outcome, host.reason, host.task = Outcome.SKIPPED, f"by {event.by}: {event.reason}", ""
    host.found_bad, host.doubtful, host.is_sick = "", False, False
    here = wave_of(state, event.wave)
    here.skipped.add(event.host)
    if here.after and here.after.verdict not in {None, Verdict.PASS}:
        here.after = None
    if here.during and here.during.verdict is Verdict.FAIL:
        here.during = None
    count_host(state, event.wave, event.host)
    _judge_anew(state)


def _judge_anew(state: State) -> None:
    """Forget what stopped the rollout: it is judged again by what is known now, a failed gate looks anew."""
    if state.failed_gate:
        here = wave_of(state, state.failed_gate)
        for side in ("during", "after"):
            gate: GateState | None = getattr(here, side)
            if gate and gate.verdict is Verdict.FAIL:
                setattr(here, side, None)
    state.breach, state.failed_gate = None, ""


def _abort_requested(state: State, event: ev.AbortRequested, at: float) -> None:  # noqa: ARG001
    state.abort = event


def _stop_requested(state: State, event: ev.StopRequested, at: float) -> None:  # noqa: ARG001
    state.stop = event


def _lease_broken(state: State, event: ev.LeaseBroken, at: float) -> None:
    """Change nothing: the next process resumes as after a death."""


def _rehearsed(state: State, event: ev.Rehearsed, at: float) -> None:
    """Change nothing: it is evidence for other rollouts."""


def _paused(state: State, event: ev.RolloutPaused, at: float) -> None:
    state.status, state.reason = event.status, event.reason
    _stand_still(state, at)
    if event.status in {Status.HALTED, Status.ROLLBACK_FAILED}:
        state.ended_at = at


def _ended(state: State, event: ev.RolloutEnded, at: float) -> None:
    state.status, state.reason, state.ended_at = event.status, event.reason, at
    _stand_still(state, at)


def _stand_still(state: State, at: float) -> None:
    _stand_as_before(state)
    for wave in state.waves.values():
        folding_gates.rest_background(wave, at)


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
    ev.GateOpened: folding_gates.gate_opened,
    ev.SweepStarted: folding_gates.sweep_started,
    ev.SweepEnded: folding_gates.sweep_ended,
    ev.SweepCounted: folding_gates.sweep_counted,
    ev.HostFoundBad: folding_gates.host_found_bad,
    ev.ApprovalRequested: folding_gates.approval_requested,
    ev.VoteCast: folding_gates.vote_cast,
    ev.VoteRefused: folding_gates.vote_refused,
    ev.GateOverridden: overriding.gate_overridden,
    ev.Rehearsed: _rehearsed,
    ev.GateDecided: folding_gates.gate_decided,
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
