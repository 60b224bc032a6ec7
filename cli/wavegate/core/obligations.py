"""What was taken out must be put back: which obligation is discharged next, and what has to wait for it.

An obligation is due when the batch that opened it has ended and nothing is at work on its host. Where a
rollback is to come for the host, that goes first. An obligation that could not be discharged stays open:
nothing new is started beside it, and no rollout is closed over it but by a person's abort.
"""

from __future__ import annotations

from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.dispatch import may_start, name_batch, settled_first
from wavegate.core.outcomes import Outcome, Status
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.rollback import is_to_be_put_back
from wavegate.core.spec import Procedure
from wavegate.core.state import BatchState, ObligationState, State

Events = tuple[ev.Event, ...]
_STANDS = (ev.RolloutPaused, ev.RolloutEnded)
_FACTS = (ev.BudgetBreached, ev.RollbackStarted)


def discharge_first(plan: Plan, state: State, decided: Events) -> Events:
    """Return what is to be done instead of `decided` for the sake of open obligations, or `decided`."""
    if any(isinstance(event, _FACTS) for event in decided):
        return decided
    due = [one for one in state.obligations.values() if _is_due(plan, state, one)]
    for obligation in due:
        if may_start(state, _wave_of(plan, state, obligation), obligation.host):
            return (_submit(state, obligation),)
    if _must_wait(state, decided):
        return ()
    if not state.obligations:
        return decided
    if any(isinstance(event, _STANDS) for event in decided):
        return () if due or state.in_flight else _stand_still(state, decided)
    return _hold_what_is_stuck(state, decided)


def _hold_what_is_stuck(state: State, decided: Events) -> Events:
    """Start nothing beside what cannot be put back, and do not let people wait for the end of a soak."""
    if state.rollback or not is_stuck(state):
        return decided
    return () if state.in_flight else (ev.RolloutPaused(Status.HELD, _tell_stuck(state)),)


def _must_wait(state: State, decided: Events) -> bool:
    """Whether a batch would start on a host on which something is being put back, or still is to be."""
    hosts = {host for event in decided if isinstance(event, ev.BatchSubmitted) for host in event.hosts}
    going = (batch.hosts for batch in state.in_flight.values() if batch.obligation)
    return bool(hosts) and (
        any(not hosts.isdisjoint(one) for one in going)
        or any(one.host in hosts and not (state.rollback or one.failed) for one in state.obligations.values())
    )


def is_stuck(state: State) -> bool:
    """Whether something could not be put back, since somebody last went on with the rollout."""
    return any(obligation.failed for obligation in state.obligations.values())


def tell_open(state: State) -> str:
    """Say what is still taken out, and why; "" when nothing is."""
    told = [
        f"{one.key} on {one.host}" + (f" ({one.failed})" if one.failed else "")
        for one in state.obligations.values()
    ]
    return "; ".join(told)


def _is_due(plan: Plan, state: State, obligation: ObligationState) -> bool:
    """Whether it may be discharged as soon as there is room."""
    if obligation.failed or obligation.discharge or obligation.batch in state.in_flight:
        return False
    busy = any(obligation.host in batch.hosts for batch in state.in_flight.values())
    stopping = state.stop or state.abort
    return not busy and (bool(stopping) or not is_to_be_put_back(plan, state, obligation.host))


def _wave_of(plan: Plan, state: State, obligation: ObligationState) -> PlannedWave:
    name = state.batches[obligation.batch].wave
    return next(wave for wave in plan.waves if wave.name == name)


def _submit(state: State, obligation: ObligationState) -> ev.BatchSubmitted:
    opener = state.batches[obligation.batch]
    hosts = (obligation.host,)
    return ev.BatchSubmitted(
        batch=name_batch(state, f"{opener.wave}.{opener.index + 1}-discharge"),
        wave=opener.wave,
        index=opener.index,
        hosts=hosts,
        procedures=settled_first(state, hosts, (Procedure.DISCHARGE.value,)),
        obligation=obligation.key,
        undo=obligation.undo,
    )


def _stand_still(state: State, decided: Events) -> Events:
    """Close nothing over an open obligation, unless a person ends it; say so in any case."""
    last = decided[-1]
    if isinstance(last, ev.RolloutEnded) and not state.abort:
        held = ev.RolloutPaused(Status.HELD, f"{last.reason}; {_tell_stuck(state)}")
        return (*decided[:-1], held)
    if isinstance(last, _STANDS):
        return (*decided[:-1], replace(last, reason=f"{last.reason}; still taken out: {tell_open(state)}"))
    return decided


def _tell_stuck(state: State) -> str:
    return f"could not be put back: {tell_open(state)}; `wavegate resume` tries it again"


# how the fold takes it in


def open_obligation(state: State, event: ev.ObligationOpened, at: float) -> None:
    """Remember what is about to be taken out."""
    known = state.obligations.get((event.host, event.key))
    since = known.opened_at if known else at
    state.obligations[event.host, event.key] = ObligationState(
        event.host, event.key, event.undo, event.batch, since
    )


def close_obligation(state: State, host: str, key: str) -> None:
    """Forget what is put back."""
    state.obligations.pop((host, key), None)


def begin_discharge(state: State, event: ev.BatchSubmitted) -> None:
    """Remember which batch puts it back now."""
    for host in event.hosts:
        if obligation := state.obligations.get((host, event.obligation)):
            obligation.discharge = event.batch


def finish_discharge(state: State, batch: BatchState, event: ev.HostFinished) -> None:
    """Take in how the discharge went for the host."""
    if event.outcome is Outcome.DONE:
        close_obligation(state, event.host, batch.obligation)
    elif obligation := state.obligations.get((event.host, batch.obligation)):
        why = event.reason or event.task
        obligation.failed = f"{event.outcome.replace('_', ' ')}: {why}".rstrip(": ")


def end_discharge(state: State, batch: BatchState) -> None:
    """Take in that the discharge is over: what is open then could not be put back."""
    for host in batch.hosts:
        if obligation := state.obligations.get((host, batch.obligation)):
            obligation.discharge = ""
            obligation.failed = obligation.failed or batch.detail or batch.status


def try_again(state: State) -> None:
    """Forget which discharges failed: somebody goes on with the rollout."""
    for obligation in state.obligations.values():
        obligation.discharge = obligation.failed = ""
