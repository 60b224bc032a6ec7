"""The one decision: what happens next, as a pure function of plan, state and time.

It returns events. Each is written to the journal first and acted upon afterwards: a BatchSubmitted or a
SweepStarted is an intent, the others are facts in themselves. The caller folds them and asks again, until the
answer is empty; then only an outcome from the world or the time of `wakes_at` can change anything.
"""

from __future__ import annotations

from wavegate.core import background
from wavegate.core import events as ev
from wavegate.core.budget import count_bad, count_hosts, find_breach, find_overspent, is_fleet_ill, tell_final
from wavegate.core.comparison import choose_untouched
from wavegate.core.dispatch import next_batch
from wavegate.core.fleet_gate import FLEET, fleet_wave, passes_fleet_gate, still_in, tell_sick
from wavegate.core.gate import find_bad_hosts
from wavegate.core.gating import judge_all, request_approval, waits_until
from wavegate.core.obligations import discharge_first
from wavegate.core.outcomes import WALKING, Status, Verdict
from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.rollback import continue_rollback, start_rollback
from wavegate.core.sampling import sweeps_due
from wavegate.core.sampling import wakes_at as gate_wakes_at
from wavegate.core.state import GateState, State

Events = tuple[ev.Event, ...]


def decide(plan: Plan, state: State, now: float) -> Events:
    """Return the events to write next; empty when there is nothing to do at `now`."""
    if state.status not in WALKING:
        return ()
    if watching := background.watch(plan, state, current_wave(plan, state), now):
        return watching
    decided = _decide(plan, state, now)
    taken_out = state.obligations or state.discharging
    return discharge_first(plan, state, decided) if taken_out else decided


def _decide(plan: Plan, state: State, now: float) -> Events:
    """Decide as if nothing were taken out."""
    if state.abort or state.stop:
        return () if state.in_flight else (_stop(state),)
    if state.rollback:
        return continue_rollback(plan, state, now)
    if not passes_fleet_gate(plan, state):
        return _pass_gate(plan, state, fleet_wave(plan), "before", now)
    wave = current_wave(plan, state)
    if wave is None:
        return (ev.RolloutEnded(Status.COMPLETED, _tell_completed(plan, state)),)
    return _go_forward(plan, state, wave, now)


def _go_forward(plan: Plan, state: State, wave: PlannedWave, now: float) -> Events:
    """Walk the wave, unless too many hosts are bad or ill: then nothing new starts, and what flies ends."""
    stopped = state.breach or state.failed_gate
    breach = None if stopped else find_breach(plan, state, wave)
    if breach:
        return (breach,)
    blind = "" if stopped else background.tell_blind(state, wave)
    if not stopped and not blind and not is_fleet_ill(plan, state, wave):
        return _walk(plan, state, wave, now)
    if state.in_flight:
        return ()
    if blind:
        return (ev.RolloutPaused(Status.HELD, blind),)
    return _apply_policy(plan, state, wave) if stopped else (_hold_for_the_ill(plan, state, wave),)


def wakes_at(plan: Plan, state: State, now: float) -> float | None:
    """Return when time alone may change the decision; None when only an outcome can."""
    gate = open_gate(plan, state)
    times = (
        gate_wakes_at(plan, gate, now) if gate else None,
        *(waits_until(plan, gate, now) if gate else ()),
        background.wakes_at(plan, state, current_wave(plan, state)),
    )
    return min((at for at in times if at is not None), default=None)


def is_waiting(plan: Plan, state: State) -> bool:
    """Whether only time can bring the rollout on: nothing is in flight, and a gate is open."""
    gate = open_gate(plan, state)
    return (
        gate is not None
        and not state.in_flight
        and not any(series.in_flight for series in gate.series.values())
        and not background.is_measuring(state, current_wave(plan, state))
    )


def open_gate(plan: Plan, state: State) -> GateState | None:
    """Return the gate that is looking now; None when nothing waits for one."""
    if state.status not in WALKING or state.stop or state.abort:
        return None
    gates: tuple[GateState | None, ...]
    if state.rollback:
        gates = (state.wave(state.rollback.wave).rollback,)
    elif state.breach or state.failed_gate or (wave := current_wave(plan, state)) is None:
        return None
    else:
        gates = (state.wave(FLEET).before, state.wave(wave.name).before, state.wave(wave.name).after)
    return next((gate for gate in gates if gate and gate.verdict is None), None)


def current_wave(plan: Plan, state: State) -> PlannedWave | None:
    """Return the first wave that is not completed; None when all are."""
    waves, completed = plan.waves, state.completed
    for place in range(state.surely_completed, len(waves)):
        if waves[place].name not in completed:
            return waves[place]
    return None


def _walk(plan: Plan, state: State, wave: PlannedWave, now: float) -> Events:
    """Go through the wave: before-gate, batches, after-gate."""
    here = state.wave(wave.name)
    if here.started_at is None:
        is_open = not wave.before or _passed(here.before)
        return (ev.WaveStarted(wave.name),) if is_open else _pass_gate(plan, state, wave, "before", now)
    batch = None if here.not_started else next_batch(plan, state, wave)
    if batch or state.in_flight:
        return (batch,) if batch else ()
    all_skipped = len(here.skipped) == len(wave.hosts)
    if not all_skipped and (here.not_started or not here.done):
        return (ev.RolloutPaused(Status.HELD, _tell_idle(state, wave)),)
    if wave.after and not all_skipped and not _passed(here.after):
        return _pass_gate(plan, state, wave, "after", now)
    closing = None if all_skipped else background.close(plan, state, wave)
    return (ev.WaveCompleted(wave.name),) if closing is None else closing


def _passed(gate: GateState | None) -> bool:
    return gate is not None and gate.verdict is Verdict.PASS


def _pass_gate(plan: Plan, state: State, wave: PlannedWave, side: str, now: float) -> Events:
    """Open the gate, measure what is due, or write its verdict and what follows from it."""
    gate: GateState | None = getattr(state.wave(wave.name), side)
    if gate is None:
        return (_open(plan, state, wave, side),)
    if gate.verdict is not None:
        return ()
    name = gate.gate
    if side == "after":
        bad = find_bad_hosts(plan, gate)
        if bad:
            return _report_bad_hosts(state, wave, name, bad)
    judgement = judge_all(plan, gate, now)
    if judgement.verdict is None:
        asks = request_approval(plan, gate, now)
        return (asks,) if asks else sweeps_due(plan, gate, now)
    reason = judgement.reason
    if side == "before" and judgement.verdict is Verdict.FAIL:
        reason = tell_sick(plan, gate) or reason
    decided = ev.GateDecided(wave.name, side, name, judgement.verdict, reason)
    if judgement.verdict is Verdict.PASS or (side == "after" and judgement.verdict is Verdict.FAIL):
        return (decided,)
    return (decided, ev.RolloutPaused(Status.HELD, _tell_held(side, wave, name, reason)))


def _open(plan: Plan, state: State, wave: PlannedWave, side: str) -> ev.GateOpened:
    if side == "before":
        return ev.GateOpened(wave.name, side, wave.before, still_in(state, wave))
    here = state.wave(wave.name)
    done = tuple(host for host in wave.hosts if host in here.done)
    return ev.GateOpened(wave.name, side, wave.after, done, choose_untouched(plan, state, wave, wave.after))


def _report_bad_hosts(state: State, wave: PlannedWave, gate: str, bad: dict[str, tuple[str, str]]) -> Events:
    """Write which hosts are bad, and fail the gate when that is more than the wave tolerates."""
    found = tuple(ev.HostFoundBad(wave.name, host, probe, why) for host, (probe, why) in bad.items())
    here = state.wave(wave.name)
    known = [state.host(host).bad_as for host in here.bad - here.sick - bad.keys()]
    over = find_overspent(wave.budget, [*known, *("found_bad" for _ in bad)])
    if over is None:
        return found
    host, (probe, why) = next(iter(bad.items()))
    kind = over.kind.replace("_", " ")
    reason = f"{kind} hosts {over.count} > tolerated {over.tolerated}: {probe} on {host}: {why}"
    return (*found, ev.GateDecided(wave.name, "after", gate, Verdict.FAIL, reason))


def _apply_policy(plan: Plan, state: State, wave: PlannedWave) -> Events:
    """Halt, or put back what the policy names of what the rollout may have changed."""
    here = state.wave(wave.name)
    gates = (gate for gate in (here.during, here.after) if gate and gate.verdict is Verdict.FAIL)
    gate = next((f"gate {gate.gate} failed: {gate.reason}" for gate in gates), "")
    reason = tell_final(plan, state, state.breach) if state.breach else gate
    return start_rollback(plan, state, wave, reason) or (ev.RolloutPaused(Status.HALTED, reason),)


def _hold_for_the_ill(plan: Plan, state: State, wave: PlannedWave) -> ev.RolloutPaused:
    """Say who was sick before: of this wave, or of those before it, which a resume does not open again."""
    here = state.wave(wave.name).sick
    ill = here or {host for other in state.waves.values() for host in other.sick}
    sick = [host for host in (wave.hosts if here else plan.hosts) if host in ill]
    then = "on resume they get their turn again" if here else "`wavegate retry` or `wavegate skip` them"
    first = state.host(sick[0])
    more = f" and {len(sick) - 1} more" if len(sick) > 1 else ""
    return ev.RolloutPaused(
        Status.HELD,
        f"the fleet is ill: {sick[0]}{more} did not get through the precheck, nothing was changed there "
        f"({first.outcome}: {first.reason}); {then}",
    )


def _stop(state: State) -> ev.Event:
    if state.abort:
        return ev.RolloutEnded(Status.ABORTED, f"aborted by {state.abort.by}: {state.abort.reason}")
    by, now = (state.stop.by, state.stop.now) if state.stop else ("", False)
    how = "what was in flight was stopped" if now else "what was in flight has ended"
    return ev.RolloutPaused(Status.INTERRUPTED, f"stopped by {by}; {how}")


def _tell_held(side: str, wave: PlannedWave, gate: str, reason: str) -> str:
    if wave.name == FLEET:
        return f"gate {gate} before the first wave does not open, nothing was changed: {reason}"
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
    return f"{done} of {count_hosts(plan)} hosts done" + (
        f", {bad} bad within the failure budget" if bad else ""
    )
