"""The one decision: what happens next, as a pure function of plan, state and time.

It returns events. Each is written to the journal first and acted upon afterwards: a BatchSubmitted or a
SweepStarted is an intent, the others are facts in themselves. The caller folds them and asks again, until the
answer is empty; then only an outcome from the world or the time of `wakes_at` can change anything.
"""

from __future__ import annotations

from wavegate.core import events as ev
from wavegate.core.budget import count_bad, find_breach
from wavegate.core.dispatch import is_uncertain, next_batch, next_rollback
from wavegate.core.gate import find_bad_hosts, judge_gate
from wavegate.core.outcomes import BAD_OUTCOMES, Outcome, Status, Verdict
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.sampling import sweeps_due
from wavegate.core.sampling import wakes_at as gate_wakes_at
from wavegate.core.spec import OnBreach, Procedure
from wavegate.core.state import GateState, State

Events = tuple[ev.Event, ...]


def decide(plan: Plan, state: State, now: float) -> Events:
    """Return the events to write next; empty when there is nothing to do at `now`."""
    if state.status not in {Status.RUNNING, Status.ROLLING_BACK}:
        return ()
    if state.stop:
        return () if state.in_flight else (_interrupt(state.stop),)
    if state.rollback:
        return _continue_rollback(plan, state)
    wave = current_wave(plan, state)
    if wave is None:
        return (ev.RolloutEnded(Status.COMPLETED, _tell_completed(plan, state)),)
    if state.breach or state.failed_gate:
        return () if state.in_flight else _apply_policy(plan, state, wave)
    breach = find_breach(plan, state, wave)
    return (breach,) if breach else _walk(plan, state, wave, now)


def wakes_at(plan: Plan, state: State, now: float) -> float | None:
    """Return when time alone may change the decision; None when only an outcome can."""
    if state.status is not Status.RUNNING or state.stop or state.breach or state.failed_gate:
        return None
    wave = current_wave(plan, state)
    gate = _open_gate(state, wave) if wave else None
    return gate_wakes_at(plan, gate, now) if gate else None


def current_wave(plan: Plan, state: State) -> PlannedWave | None:
    """Return the first wave that is not completed; None when all are."""
    return plan.waves[state.waves_completed] if state.waves_completed < len(plan.waves) else None


def _open_gate(state: State, wave: PlannedWave) -> GateState | None:
    for gate in (state.wave(wave.name).before, state.wave(wave.name).after):
        if gate and gate.verdict is None:
            return gate
    return None


def _walk(plan: Plan, state: State, wave: PlannedWave, now: float) -> Events:
    """Go through the wave: before-gate, batches, after-gate."""
    here = state.wave(wave.name)
    if here.started_at is None:
        if wave.before and not _passed(here.before):
            return _pass_gate(plan, state, wave, "before", now)
        return (ev.WaveStarted(wave.name),)
    batch = None if here.not_started else next_batch(plan, state, wave)
    if batch or state.in_flight:
        return (batch,) if batch else ()
    if here.not_started or not here.done:
        return (ev.RolloutPaused(Status.HELD, _tell_idle(state, wave)),)
    if wave.after and not _passed(here.after):
        return _pass_gate(plan, state, wave, "after", now)
    return (ev.WaveCompleted(wave.name),)


def _passed(gate: GateState | None) -> bool:
    return gate is not None and gate.verdict is Verdict.PASS


def _pass_gate(plan: Plan, state: State, wave: PlannedWave, side: str, now: float) -> Events:
    """Open the gate, measure what is due, or write its verdict and what follows from it."""
    gate: GateState | None = getattr(state.wave(wave.name), side)
    if gate is None:
        return (_open(state, wave, side),)
    if gate.verdict is not None:
        return ()
    name = gate.gate
    if side == "after":
        bad = find_bad_hosts(plan, gate)
        if bad:
            return _report_bad_hosts(state, wave, name, bad)
    judgement = judge_gate(plan, gate, now)
    if judgement.verdict is None:
        return sweeps_due(plan, gate, now)
    decided = ev.GateDecided(wave.name, side, name, judgement.verdict, judgement.reason)
    if judgement.verdict is Verdict.PASS or (side == "after" and judgement.verdict is Verdict.FAIL):
        return (decided,)
    return (decided, ev.RolloutPaused(Status.HELD, _tell_held(side, wave, name, judgement.reason)))


def _open(state: State, wave: PlannedWave, side: str) -> ev.GateOpened:
    if side == "before":
        return ev.GateOpened(wave.name, side, wave.before, wave.hosts)
    here = state.wave(wave.name)
    done = tuple(host for host in wave.hosts if host in here.done)
    return ev.GateOpened(wave.name, side, wave.after, done)


def _report_bad_hosts(state: State, wave: PlannedWave, gate: str, bad: dict[str, tuple[str, str]]) -> Events:
    """Write which hosts are bad, and fail the gate when that is more than the wave tolerates."""
    found = tuple(ev.HostFoundBad(wave.name, host, probe, why) for host, (probe, why) in bad.items())
    total = len(state.wave(wave.name).bad | bad.keys())
    if total <= wave.tolerated:
        return found
    host, (probe, why) = next(iter(bad.items()))
    reason = f"bad hosts {total} > tolerated {wave.tolerated}: {probe} on {host}: {why}"
    return (*found, ev.GateDecided(wave.name, "after", gate, Verdict.FAIL, reason))


def _apply_policy(plan: Plan, state: State, wave: PlannedWave) -> Events:
    """Halt, or put back the hosts of the wave that the rollout may have changed."""
    after = state.wave(wave.name).after
    reason = (
        state.breach.reason if state.breach else f"gate {after.gate} failed: {after.reason}" if after else ""
    )
    if plan.on_breach is OnBreach.HALT:
        return (ev.RolloutEnded(Status.HALTED, reason),)
    hosts = tuple(host for host in wave.hosts if needs_rollback(plan, state, host))
    if not hosts:
        return (ev.RolloutEnded(Status.HALTED, f"{reason}; nothing was changed in wave {wave.name}"),)
    return (ev.RollbackStarted(wave.name, hosts, reason),)


def needs_rollback(plan: Plan, state: State, name: str) -> bool:
    """Whether the rollout may have changed the host; a backup that comes first must have been completed."""
    host = state.host(name)
    if not host.touched or host.outcome in {Outcome.SKIPPED, Outcome.NOT_STARTED}:
        return False
    if plan.playbooks.get(Procedure.BACKUP) and host.outcome in BAD_OUTCOMES and not is_uncertain(host):
        return Procedure.BACKUP.value in host.completed
    return True


def _continue_rollback(plan: Plan, state: State) -> Events:
    """Put the next batch back; a rollback that fails stops everything and says where each host stands."""
    rollback = state.rollback
    if rollback is None:
        return ()
    wave = next(wave for wave in plan.waves if wave.name == rollback.wave)
    batch = None if rollback.failed else next_rollback(state, wave)
    if batch:
        return (batch,)
    if state.in_flight:
        return ()
    failed = [host for host in rollback.hosts if host in rollback.failed]
    stuck = failed or [host for host in rollback.hosts if is_uncertain(state.host(host))]
    if stuck:
        return (ev.RolloutEnded(Status.ROLLBACK_FAILED, _tell_stuck(state, rollback.hosts, stuck)),)
    return (ev.RolloutEnded(Status.ROLLED_BACK, rollback.reason),)


def _tell_stuck(state: State, hosts: tuple[str, ...], stuck: list[str]) -> str:
    back = [host for host in hosts if state.host(host).outcome is Outcome.ROLLED_BACK]
    told = {*stuck, *back}
    waiting = [host for host in hosts if host not in told]
    why = "; ".join(f"{host}: {state.host(host).outcome} ({state.host(host).reason})" for host in stuck)
    sentence = f"not put back: {why}"
    if waiting:
        sentence += f"; rollback not tried: {', '.join(waiting)}"
    return sentence + (f"; put back: {', '.join(back)}" if back else "")


def _interrupt(stop: ev.StopRequested) -> ev.RolloutPaused:
    how = "what was in flight was stopped" if stop.now else "what was in flight has ended"
    return ev.RolloutPaused(Status.INTERRUPTED, f"stopped by {stop.by}; {how}")


def _tell_held(side: str, wave: PlannedWave, gate: str, reason: str) -> str:
    if side == "before":
        return f"gate {gate} before wave {wave.name} does not open, nothing of the wave was changed: {reason}"
    return f"gate {gate} after wave {wave.name} is inconclusive: {reason}"


def _tell_idle(state: State, wave: PlannedWave) -> str:
    """Say on which hosts nothing was done, and why the first of them."""
    here = state.wave(wave.name)
    idle = [host for host in wave.hosts if host in here.not_started]
    first = state.host((idle or wave.hosts)[0])
    if not idle:
        return f"no host of wave {wave.name} was done: {wave.hosts[0]} is {first.outcome} ({first.reason})"
    more = f" and {len(idle) - 1} more" if len(idle) > 1 else ""
    why = f": {first.reason}" if first.reason else ""
    return f"Ansible never began on {idle[0]}{more} of wave {wave.name}{why}; on resume they get their turn"


def _tell_completed(plan: Plan, state: State) -> str:
    done, bad = sum(len(wave.done) for wave in state.waves.values()), count_bad(state)
    return f"{done} of {len(plan.hosts)} hosts done" + (
        f", {bad} bad within the failure budget" if bad else ""
    )
