"""Gates that watch during a wave: when they begin and end, error budgets, holds, deaths, reports."""

from __future__ import annotations

import json
from io import StringIO
from itertools import pairwise

import pytest
from msgspec.structs import replace

from tests.unit.report_rollouts import facts_of
from tests.world import START, Bench, KilledError, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.background import tolerated
from wavegate.core.outcomes import Outcome, Reading, Status, Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import (
    ErrorBudget,
    GateProbe,
    GateSpec,
    OnBreach,
    ProbeSpec,
    Procedure,
    Sampling,
    Scope,
)
from wavegate.reports.html import render_html
from wavegate.reports.json_report import render_json
from wavegate.reports.junit import render_junit
from wavegate.reports.standing import standing_json, take_standing
from wavegate.reports.standing_text import render_standing
from wavegate.reports.text import render_text

FLEET = make_fleet(pilot=1, rest=4)
WAVES = (wave("pilot", during="watch", after="healthy"), wave("rest", batch=[2], during="watch"))
BOTH = {Procedure.APPLY: ("patch.yml",), Procedure.ROLLBACK: ("rollback.yml",)}


def watched(*waves, budget: ErrorBudget | None = None, fleet=FLEET, sampling=None, **changes) -> Plan:
    """Return a plan whose gate `watch` asks the service once a second."""
    plan = plan_of(fleet, *waves, playbooks=BOTH, **changes)
    probe = ProbeSpec(name="outside", kind="http", scope=Scope.ONCE, settings={}, timeout=2)
    use = GateProbe(probe="outside", sampling=sampling or Sampling(interval=1.0))
    gate = GateSpec(name="watch", probes=(use,), error_budget=budget)
    return replace(plan, probes={**plan.probes, "outside": probe}, gates={**plan.gates, "watch": gate})


def down(*spans, reading=Reading.BAD):
    """Return readings of a service that is down (or whatever) in these seconds of the rollout."""

    def read(probe, host, now):
        is_hit = probe == "outside" and any(since <= now - START < until for since, until in spans)
        return reading if is_hit else Reading.GOOD

    return read


def events(bench, cls, side="during"):
    return [
        (r.at - START, r.event) for r in bench.records if isinstance(r.event, cls) and r.event.side == side
    ]


def impact_of(bench, name="pilot"):
    (one,) = [fact for fact in facts_of(bench).impacts if fact.wave == name]
    return one


def test_it_watches_from_the_first_batch_through_the_soak():
    bench = Bench(watched(*WAVES), World())
    state = bench.run()
    assert state.status is Status.COMPLETED
    opened = events(bench, ev.GateOpened)
    assert [event.wave for _, event in opened] == ["pilot", "rest"]
    kinds = bench.kinds()
    assert kinds.index("gate_opened") < kinds.index("batch_submitted")
    pilot = [at for at, event in events(bench, ev.SweepStarted) if event.wave == "pilot"]
    assert pilot[0] == 0
    assert pilot[-1] >= 29  # 10 s of work and 20 s of soak
    assert all(later - sooner == pytest.approx(1.0) for sooner, later in pairwise(pilot))
    assert impact_of(bench).watched == pytest.approx(30.0, abs=0.2)
    assert (impact_of(bench).down, impact_of(bench).failed) == (0, 0)


def test_without_a_budget_it_measures_and_never_decides():
    bench = Bench(watched(*WAVES), World(reading=down((3, 9))))
    assert bench.run().status is Status.COMPLETED
    assert events(bench, ev.GateDecided) == []
    assert (impact_of(bench).down, impact_of(bench).failed) == (6, 6)
    assert impact_of(bench, "rest").down == 0


def test_a_budget_that_is_kept_passes_and_says_what_was_measured():
    bench = Bench(watched(*WAVES, budget=ErrorBudget(downtime=6.0)), World(reading=down((3, 9))))
    assert bench.run().status is Status.COMPLETED
    (_, pilot), (_, rest) = events(bench, ev.GateDecided)
    assert (pilot.verdict, rest.verdict) == (Verdict.PASS, Verdict.PASS)
    assert pilot.reason.startswith("outside: 6.0 s down of 29.1 s, 6 of 30 requests failed")


@pytest.mark.parametrize(
    ("policy", "status"), [(OnBreach.HALT, Status.HALTED), (OnBreach.ROLLBACK_WAVE, Status.ROLLED_BACK)]
)
def test_a_spent_budget_starts_nothing_new_and_follows_the_policy(policy, status):
    world = World(reading=down((43, 49)))
    bench = Bench(watched(*WAVES, budget=ErrorBudget(downtime=3.0), on_breach=policy), world)
    state = bench.run()
    assert state.status is status
    ((at, failed),) = [found for found in events(bench, ev.GateDecided) if found[1].verdict is Verdict.FAIL]
    assert (failed.wave, failed.reason) == ("rest", "outside: downtime 3.1 s > 3.0 s of the error budget")
    assert 46 < at < 46.2
    forward = {r.event.batch for r in bench.records if isinstance(r.event, ev.BatchSubmitted)}
    assert "rest.3" not in forward
    # What was in flight ended by itself, and users felt that too.
    last = max(event.number for _, event in events(bench, ev.SweepEnded) if event.wave == "rest")
    assert last > 10


def test_users_feel_a_rollback_too():
    plan = watched(*WAVES, budget=ErrorBudget(downtime=1.0), on_breach=OnBreach.ROLLBACK_WAVE)
    bench = Bench(plan, World(reading=down((3, 60))))
    assert bench.run().status is Status.ROLLED_BACK
    started = next(r.at for r in bench.records if isinstance(r.event, ev.RollbackStarted)) - START
    ended = bench.records[-1].at - START
    assert ended - started >= 10
    assert impact_of(bench).down == pytest.approx(ended - 3, abs=1.5)


@pytest.mark.parametrize(
    ("share", "failed", "verdict"),
    [(0.01, 1, Verdict.PASS), (0.01, 2, Verdict.FAIL), (0.0, 1, Verdict.FAIL), (0.0, 0, Verdict.PASS)],
)
def test_the_share_of_failed_requests_is_judged_from_the_first_on(share, failed, verdict):
    asked = lambda probe, now: ev.Asked(20, failed if now == START else 0) if probe == "outside" else None  # noqa: E731
    bench = Bench(watched(*WAVES, budget=ErrorBudget(errors=share)), World(asked=asked))
    bench.run()
    assert events(bench, ev.GateDecided)[0][1].verdict is verdict


@pytest.mark.parametrize(
    ("share", "requests", "most"), [(0.001, 0, 1), (0.01, 0, 1), (0.5, 3, 50), (0.01, 1000, 10), (0, 1000, 0)]
)
def test_so_many_requests_may_fail(share, requests, most):
    assert tolerated(share, requests) == most


def test_who_cannot_measure_holds_after_what_is_in_flight_and_rolls_nothing_back():
    plan = watched(*WAVES, budget=ErrorBudget(downtime=3.0), on_breach=OnBreach.ROLLBACK_ALL)
    bench = Bench(plan, World(reading=down((2, 9), reading=Reading.ERROR)))
    state = bench.run()
    assert state.status is Status.HELD
    assert state.reason.startswith("gate watch during wave pilot is inconclusive: outside: could not measure")
    assert state.host("pilot-01").outcome is Outcome.DONE
    again = bench.engine().resume("ann")
    assert again.status is Status.COMPLETED
    assert impact_of(bench).unknown == pytest.approx(7, abs=1.1)


def test_what_was_spent_stays_spent_over_a_hold_and_a_death():
    plan = watched(*WAVES, budget=ErrorBudget(downtime=8.0))
    reading = lambda probe, host, now: (  # noqa: E731
        Reading.GOOD
        if probe != "outside" or now - START >= 16
        else Reading.BAD
        if now - START < 5 or now - START >= 11
        else Reading.ERROR
    )
    bench = Bench(plan, World(reading=reading))
    assert bench.run().status is Status.HELD
    state = bench.engine().resume("ann")
    assert state.status is Status.HALTED
    assert "> 8.0 s of the error budget" in state.reason


def test_no_data_is_never_a_pass():
    late = Sampling(interval=1.0, initial_delay=500.0)
    bench = Bench(
        watched(wave("pilot", during="watch"), wave("rest"), budget=ErrorBudget(downtime=3.0), sampling=late),
        World(),
    )
    assert bench.run().status is Status.COMPLETED
    ((at, decided),) = events(bench, ev.GateDecided)
    assert (at > 500, decided.verdict) == (True, Verdict.PASS)


def test_a_retry_looks_anew_and_the_report_counts_both():
    bench = Bench(watched(*WAVES, budget=ErrorBudget(downtime=1.0)), World(reading=down((2, 6))))
    assert bench.run().status is Status.HALTED
    state = bench.engine().resume("ann", [ev.HostsRetried("pilot", (), (), "ann")])
    assert state.status is Status.COMPLETED
    assert len(events(bench, ev.GateOpened)) == 3
    assert impact_of(bench).down == pytest.approx(4.0, abs=0.2)


def test_a_wave_that_is_done_again_is_watched_again():
    failing = World(fate=lambda host, procedures: Outcome.FAILED if host == "rest-01" else Outcome.DONE)
    bench = Bench(watched(*WAVES), failing)
    assert bench.run().status is Status.HALTED
    before = impact_of(bench).watched
    failing.fate = lambda host, procedures: Outcome.DONE
    again = [
        ev.HostsRetried("pilot", ("pilot-01",), (0,), "ann"),
        ev.HostsRetried("rest", ("rest-01",), (0,), "ann"),
    ]
    assert bench.engine().resume("ann", again).status is Status.COMPLETED
    assert impact_of(bench).watched > before + 25


def test_a_skipped_wave_is_not_watched():
    bench = Bench(
        watched(wave("pilot", during="watch"), budget=ErrorBudget(downtime=1.0), fleet=make_fleet(pilot=1)),
        World(),
    )
    state = bench.engine().resume(
        "ann", [ev.RolloutStarted("x", "y", "z"), ev.HostSkipped("pilot", "pilot-01", "ann", "no")]
    )
    assert state.status is Status.COMPLETED
    assert events(bench, ev.GateOpened) == []


@pytest.mark.parametrize("after", range(3, 60, 8))
def test_it_survives_a_death_at_any_time(after):
    plan = watched(*WAVES, budget=ErrorBudget(downtime=3.0))
    bench = Bench(plan, World())
    state = bench.run_with_one_death(after)
    assert state is not None
    assert state.status is Status.COMPLETED
    assert all(one.down == 0 for one in facts_of(bench).impacts)


def test_time_in_which_nobody_watched_is_unknown_and_a_standstill_is_none_of_it():
    bench = Bench(watched(*WAVES), World())
    bench.die_after = 8
    engine = bench.engine()
    with pytest.raises(KilledError):
        engine.start("test")
    bench.die_after = None
    bench.world.forget_the_future()
    bench.world.time += 100
    bench.engine().resume("test")
    assert impact_of(bench).unknown == pytest.approx(100, abs=3)


def test_every_report_tells_the_impact():
    bench = Bench(watched(*WAVES, budget=ErrorBudget(downtime=30.0, errors=0.5)), World(reading=down((3, 9))))
    bench.run()
    facts = facts_of(bench)
    text = render_text(facts)
    assert "pilot: 6.0 s of 30" in text
    assert "error budget: 30.0 s of downtime, 50% of the requests" in text
    assert "6 of 30 requests failed" in " ".join(text.split())
    html = render_html(facts)
    assert "What users felt" in html
    assert "6 of 30 requests failed" in html
    data = json.loads(render_json(facts))
    first = data["impact"][0]
    assert (first["wave"], first["down_seconds"], first["failed"], first["requests"]) == ("pilot", 6.0, 6, 30)
    assert (first["tolerated_down_seconds"], first["tolerated_failed_share"]) == (30.0, 0.5)
    assert '<property name="impact" value="pilot: 6.0 s of 30' in render_junit(facts)


def test_a_gate_that_only_measures_is_no_gate_that_did_not_decide():
    bench = Bench(watched(*WAVES), World())
    bench.run()
    facts = facts_of(bench)
    assert "only measures" in render_text(facts)
    assert "skipped" not in render_junit(facts).replace('skipped="0"', "")
    assert ("during", "watch") not in facts.waves[0].planned_gates


def test_status_shows_what_is_watched_while_it_goes_on():
    bench = Bench(watched(*WAVES, budget=ErrorBudget(downtime=30.0)), World(reading=down((3, 5))))
    seen = []
    bench.settle = lambda state, now: seen.append(take_standing(bench.plan, state, now))
    bench.run()
    busy = next(
        one for one in seen if one.waves[0].watch and one.waves[0].watch.impacts and one.at > START + 7
    )
    (impact,) = busy.waves[0].watch.impacts
    assert impact.down == 2
    assert standing_json(busy)["waves"][0]["watch"]["impacts"][0]["down_seconds"] == 2.0
    from rich.console import Console

    console = Console(width=200, record=True, file=StringIO())
    console.print(render_standing(busy, busy.at))
    assert "watch watches pilot: outside: 2.0 s down of " in console.export_text()
