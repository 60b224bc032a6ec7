"""Whole rollouts through the real engine and journal, for the reports to tell about."""

from __future__ import annotations

from functools import cache

from msgspec.structs import replace

from tests.world import Bench, KilledError, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading
from wavegate.ports import RolloutRow
from wavegate.reports.gathering import gather_facts

FLEET = make_fleet(pilot=1, office=4, site=6)
WAVES = (
    wave("pilot", after="healthy"),
    wave("office", batch=[1, 2], failure_budget=1, after="healthy"),
    wave("site", batch=[3], failure_budget=1, before="healthy", after="healthy"),
)


class DetailedWorld(World):
    """A world whose probes also tell latencies and whose failures tell task and reason."""

    def put_later(self, at, events):
        super()._later(at, events)

    def _later(self, at, events):
        super()._later(at, [_explain(event) for event in events])


def _tell(one, place, number):
    seconds = 0.004 + 0.001 * ((number * 7 + place * 3) % 5)
    match one.reading:
        case Reading.GOOD:
            return replace(one, detail=f"200 in {seconds * 1000:.1f} ms", value=seconds)
        case Reading.BAD:
            return replace(one, detail="503, wanted 200", value=seconds * 9)
        case _:
            return replace(one, detail="connection refused", value=None)


def _explain(event):
    if isinstance(event, ev.SweepEnded):
        told = tuple(_tell(one, place, event.number) for place, one in enumerate(event.measurements))
        return replace(event, measurements=told)
    if not isinstance(event, ev.HostFinished):
        return event
    if event.outcome is Outcome.FAILED:
        why = "no package matches intranet=1.2"
        return replace(event, task="Install intranet 1.2", reason=why, changed=2)
    if event.outcome is Outcome.UNREACHABLE:
        return replace(event, reason="connection timed out")
    if event.outcome is Outcome.ROLLBACK_FAILED:
        return replace(event, task="Restore the data", reason="no space left on device")
    return replace(event, changed=3)


def bad_on(*names, outcome=Outcome.FAILED, rollback=Outcome.DONE):
    """Return a fate in which `names` end with `outcome`, and with `rollback` when they are put back."""

    def fate(host, procedures):
        if "rollback" in procedures:
            return rollback
        return outcome if host in names else Outcome.DONE

    return fate


def reading_on(host, reading, after=0.0):
    """Return readings in which `host` answers `reading` from `after` seconds on, and all else is good."""
    start = World().time
    return lambda probe, target, now: reading if target == host and now >= start + after else Reading.GOOD


def facts_of(bench, died=False):
    """Return the facts of what the bench's journal holds."""
    row = RolloutRow("r1", "patch", "rollouts/patch.yml", bench.plan.hash, World().time, "any")
    return gather_facts(bench.plan, bench.records, row, died=died)


def large():
    """Two hundred hosts in one wave, one of them bad."""
    plan = plan_of(make_fleet(site=200), wave("site", failure_budget=1, after="healthy"))
    bench = Bench(plan, DetailedWorld(fate=bad_on("site-123")))
    bench.run()
    return bench


DIED_AFTER = 33
"""The record after which the process dies: the second batch of wave office was just submitted."""


def completed():
    bench = Bench(plan_of(FLEET, *WAVES), DetailedWorld(fate=bad_on("office-03")))
    bench.run()
    return bench


def halted():
    fate = bad_on("office-02", "office-03", outcome=Outcome.UNREACHABLE)
    bench = Bench(plan_of(FLEET, *WAVES), DetailedWorld(fate=fate))
    bench.run()
    return bench


def rolled_back():
    """The pilot answers 503 from the sixth second of its soak on, and is put back."""
    world = DetailedWorld(reading=reading_on("pilot-01", Reading.BAD, after=16.0))
    bench = Bench(plan_of(FLEET, *WAVES, rollback=True), world)
    bench.run()
    return bench


def rollback_failed():
    fate = bad_on("office-01", "office-02", "office-03", rollback=Outcome.ROLLBACK_FAILED)
    bench = Bench(plan_of(FLEET, *WAVES, rollback=True), DetailedWorld(fate=fate))
    bench.run()
    return bench


def held():
    """The gate after the first wave cannot measure: inconclusive."""
    bench = Bench(plan_of(FLEET, *WAVES), DetailedWorld(reading=reading_on("pilot-01", Reading.ERROR)))
    bench.run()
    return bench


def died():
    """The process dies while the second batch of wave office is in flight."""
    bench = Bench(plan_of(FLEET, *WAVES), DetailedWorld(), die_after=DIED_AFTER)
    try:
        bench.run()
    except KilledError:
        bench.world.forget_the_future()
    return bench


def resumed():
    """The process dies in the middle of wave office, and another one carries on an hour later."""
    bench = died()
    bench.die_after = None
    bench.world.time += 3600
    bench.engine().resume("somebody else")
    return bench


def interrupted():
    bench = Bench(plan_of(FLEET, *WAVES), DetailedWorld())
    bench.world.put_later(bench.world.time + 35, [ev.StopRequested("SIGINT")])
    bench.run()
    return bench


ATTACK = "<script>alert('x')</script> \x1b[31m [red]&amp; ]]> \u202egnp \x00"
EVIL = "'\"><img src=x onerror=alert(1)>"


def hostile():
    """A rollout whose names and messages are an attack on whoever reads the report."""
    fleet = make_fleet(**{EVIL: 2})
    plan = plan_of(fleet, wave(EVIL, after="healthy"), rollback=True, description=ATTACK)
    bench = Bench(plan, DetailedWorld(reading=reading_on(f"{EVIL}-01", Reading.BAD)))
    bench.run()
    for index, record in enumerate(bench.records):
        match record.event:
            case ev.SweepEnded() as sweep:
                told = tuple(replace(one, detail=ATTACK) for one in sweep.measurements)
                bench.records[index] = replace(record, event=replace(sweep, measurements=told))
            case ev.HostFinished() as end:
                bench.records[index] = replace(record, event=replace(end, reason=ATTACK, task=ATTACK))
            case ev.RolloutEnded() | ev.GateDecided() as end:
                bench.records[index] = replace(record, event=replace(end, reason=ATTACK))
            case ev.RolloutStarted() as start:
                bench.records[index] = replace(record, event=replace(start, by=ATTACK))
    return bench


SCENARIOS = {
    "completed": completed,
    "halted": halted,
    "rolled_back": rolled_back,
    "rollback_failed": rollback_failed,
    "held": held,
    "died": died,
    "resumed": resumed,
    "interrupted": interrupted,
    "hostile": hostile,
    "large": large,
}


@cache
def tell(name):
    """Return the facts of a scenario; they are frozen, so one walk of the rollout serves every test."""
    return facts_of(SCENARIOS[name](), died=name == "died")
