"""Putting hosts back: who is eligible, in which order, and how it ends (design 4.8)."""

from __future__ import annotations

from collections.abc import Iterable

from wavegate.core import events as ev
from wavegate.core.dispatch import next_rollback
from wavegate.core.gate import judge_gate
from wavegate.core.outcomes import BAD_OUTCOMES, Outcome, Status, Verdict
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.sampling import sweeps_due
from wavegate.core.spec import OnBreach, Procedure
from wavegate.core.state import RollbackState, State

Events = tuple[ev.Event, ...]


def start_rollback(plan: Plan, state: State, wave: PlannedWave, reason: str) -> Events:
    """Return the start of the rollback that the policy asks for; nothing when it asks for none."""
    if plan.on_breach is OnBreach.HALT:
        return ()
    hosts = tuple(host for host in _in_reach(plan, state, wave) if needs_rollback(plan, state, host))
    if not hosts:
        return (ev.RolloutPaused(Status.HALTED, f"{reason}; nothing was changed in wave {wave.name}"),)
    return (ev.RollbackStarted(wave.name, hosts, reason),)


def needs_rollback(plan: Plan, state: State, name: str) -> bool:
    """Whether the rollout may have changed the host; a backup that comes first must have been completed."""
    host = state.host(name)
    if not host.touched or host.outcome in _UNCHANGED or host.is_sick:
        return False
    is_seen = host.outcome is not Outcome.TIMED_OUT and not host.doubtful
    if plan.playbooks.get(Procedure.BACKUP) and host.outcome in BAD_OUTCOMES and is_seen:
        return Procedure.BACKUP.value in host.completed
    return True


def is_to_be_put_back(plan: Plan, state: State, name: str) -> bool:
    """Whether the rollback of this host is still to come: by the one under way, or by the policy."""
    host = state.host(name)
    if state.rollback:
        stopped = len(state.rollback.failed) > plan.rollback.tolerated
        tried = host.forward is not None and host.outcome is not None
        return name in state.rollback.chosen and not tried and not stopped
    if plan.on_breach is OnBreach.HALT or not (state.breach or state.failed_gate):
        return False
    where = state.failed_gate or (state.breach.wave if state.breach else "")
    wave = next(wave for wave in plan.waves if wave.name == where)
    return name in _in_reach(plan, state, wave) and needs_rollback(plan, state, name)


_UNCHANGED = frozenset({Outcome.SKIPPED, Outcome.NOT_STARTED, Outcome.ROLLED_BACK})


def _in_reach(plan: Plan, state: State, wave: PlannedWave) -> Iterable[str]:
    """Return the hosts that the policy speaks of: of the batches with a bad host, the wave, or all waves."""
    bad = state.wave(wave.name).bad
    batches = [batch for batch in wave.batches if bad.intersection(batch.hosts)]
    if plan.on_breach is OnBreach.ROLLBACK_ALL:
        return plan.hosts
    if plan.on_breach is OnBreach.ROLLBACK_BATCH and batches:
        return tuple(host for batch in batches for host in batch.hosts)
    return wave.hosts


def continue_rollback(plan: Plan, state: State, now: float) -> Events:
    """Put the next batch back; too many failures stop it, and its gate has the last word."""
    rollback = state.rollback
    if rollback is None:
        return ()
    stopped = len(rollback.failed) > plan.rollback.tolerated
    batch = None if stopped else next_rollback(plan, state)
    if batch:
        return (batch,)
    if state.in_flight:
        return ()
    stuck = [host for host in rollback.hosts if host in rollback.failed]
    if stuck:
        return (ev.RolloutPaused(Status.ROLLBACK_FAILED, _tell_stuck(state, rollback, stuck)),)
    looking = _pass_gate(plan, state, rollback, now)
    return (ev.RolloutEnded(Status.ROLLED_BACK, rollback.reason),) if looking is None else looking


def _pass_gate(plan: Plan, state: State, rollback: RollbackState, now: float) -> Events | None:
    """Look whether the hosts are well again; None when they are, or when no gate was named."""
    name = plan.rollback.gate
    if not name:
        return None
    gate = state.wave(rollback.wave).rollback
    if gate is None:
        return (ev.GateOpened(rollback.wave, "rollback", name, rollback.hosts),)
    if gate.verdict is not None:
        return None
    judgement = judge_gate(plan, gate, now)
    if judgement.verdict is None:
        return sweeps_due(plan, gate, now)
    decided = ev.GateDecided(rollback.wave, "rollback", name, judgement.verdict, judgement.reason)
    if judgement.verdict is Verdict.PASS:
        return (decided,)
    reason = f"gate {name} after the rollback: {judgement.verdict}: {judgement.reason}"
    failed = judgement.verdict is Verdict.FAIL
    return (decided, ev.RolloutPaused(Status.ROLLBACK_FAILED if failed else Status.HELD, reason))


def _tell_stuck(state: State, rollback: RollbackState, stuck: list[str]) -> str:
    back = [host for host in rollback.hosts if state.host(host).outcome is Outcome.ROLLED_BACK]
    told = {*stuck, *back}
    waiting = [host for host in rollback.hosts if host not in told]
    why = "; ".join(f"{host}: {state.host(host).outcome} ({state.host(host).reason})" for host in stuck)
    sentence = f"not put back: {why}"
    if waiting:
        sentence += f"; rollback not tried: {', '.join(waiting)}"
    return sentence + (f"; put back: {', '.join(back)}" if back else "")
