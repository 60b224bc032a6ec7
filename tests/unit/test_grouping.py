"""Probes that measure each group once: who is measured, whom a bad group makes bad, what a plan refuses."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.grouping import group_hosts, measured_hosts
from wavegate.core.outcomes import Reading, Status, Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import ProbeSpec, Scope
from wavegate.errors import InputError

FLEET = replace(make_fleet(pilot=1, rest=6), values={"rack": {}})
RACKS = {"pilot-01": "a", **{f"rest-0{n}": "ab"[n % 2] for n in range(1, 7)}}
BY_RACK = replace(FLEET, values={"rack": RACKS})


def grouped(*waves, fleet=BY_RACK, by="rack", **changes) -> Plan:
    probe = ProbeSpec(name="answers", kind="http", scope=Scope.GROUP, settings={}, timeout=2, by=by)
    return plan_of(fleet, *waves, probes={"answers": probe}, **changes)


def bad(*hosts):
    return lambda probe, host, now: Reading.BAD if host in hosts else Reading.GOOD


def targets(bench, wave_name):
    sweeps = [r.event for r in bench.records if isinstance(r.event, ev.SweepStarted)]
    return {sweep.targets for sweep in sweeps if sweep.wave == wave_name}


def test_the_first_host_of_each_group_is_measured():
    assert group_hosts({"x": "1", "y": "2", "z": "1"}, ("x", "y", "z", "w")) == {
        "x": ("x", "z"),
        "y": ("y",),
        "w": ("w",),
    }
    assert measured_hosts(
        grouped(wave("pilot"), wave("rest")), "answers", ("rest-03", "rest-01", "rest-02")
    ) == (
        "rest-03",
        "rest-02",
    )


def test_one_measurement_for_each_group_of_the_gates_hosts():
    bench = Bench(grouped(wave("pilot", after="healthy"), wave("rest", after="healthy")), World())
    assert bench.run().status is Status.COMPLETED
    assert targets(bench, "pilot") == {("pilot-01",)}
    assert targets(bench, "rest") == {("rest-01", "rest-02")}


def test_a_bad_group_is_bad_for_each_of_its_hosts():
    plan = grouped(wave("pilot"), wave("rest", after="healthy", failure_budget=2))
    bench = Bench(plan, World(reading=bad("rest-02")))
    state = bench.run()
    assert state.status is Status.HALTED
    found = {name: host.found_bad for name, host in state.hosts.items() if host.found_bad}
    assert set(found) == {"rest-02", "rest-04", "rest-06"}
    assert found["rest-04"].startswith("answers: a, measured for rest-02: as the world says (bad 1 > ")


def test_within_the_budget_the_group_is_looked_at_no_more():
    plan = grouped(wave("pilot"), wave("rest", after="healthy", failure_budget=3))
    bench = Bench(plan, World(reading=bad("rest-02")))
    state = bench.run()
    assert (state.status, state.wave("rest").after.verdict) == (Status.COMPLETED, Verdict.PASS)
    assert targets(bench, "rest") == {("rest-01", "rest-02"), ("rest-01",)}


def test_a_group_is_looked_at_as_long_as_one_of_its_hosts_is_not_bad():
    plan = grouped(wave("pilot"), wave("rest", after="both", failure_budget=1))
    other = replace(plan.probes["answers"], name="other", scope=Scope.HOST, by="")
    use = plan.gates["healthy"].probes[0]
    both = replace(plan.gates["healthy"], name="both", probes=(use, replace(use, probe="other")))
    plan = replace(plan, probes={**plan.probes, "other": other}, gates={"both": both})
    reading = lambda probe, host, now: Reading.BAD if (probe, host) == ("other", "rest-01") else Reading.GOOD  # noqa: E731
    bench = Bench(plan, World(reading=reading))
    assert bench.run().status is Status.COMPLETED
    sweeps = [
        r.event for r in bench.records if isinstance(r.event, ev.SweepStarted) and r.event.probe == "answers"
    ]
    assert sweeps[-1].targets == ("rest-01", "rest-02")


def test_before_a_wave_a_bad_group_fails_the_gate():
    plan = grouped(wave("pilot"), wave("rest", before="healthy"))
    state = Bench(plan, World(reading=bad("rest-02"))).run()
    assert state.status is Status.HELD
    assert "3 hosts were sick before" in state.reason


def test_groups_by_the_beginning_of_their_names():
    fleet = make_fleet(site_a=2, site_b=2)
    bench = Bench(grouped(wave("all", after="healthy"), fleet=fleet, by="site_"), World())
    assert bench.run().status is Status.COMPLETED
    assert targets(bench, "all") == {("site_a-01", "site_b-01")}


def test_every_host_needs_its_group():
    with pytest.raises(InputError) as error:
        grouped(wave("pilot"), wave("rest", after="healthy"), fleet=FLEET)
    (problem,) = error.value.problems
    assert problem.path == "probes.answers.by"
    assert problem.message.startswith("by: no variable 'rack' and no group that starts with it, for rest-01")
    grouped(wave("pilot"), wave("rest"), fleet=FLEET)  # no gate looks, so nobody needs a group


def test_a_plan_with_groups_is_the_same_after_the_journal():
    plan = grouped(wave("pilot"), wave("rest", after="healthy"))
    assert Plan.from_json(plan.to_json()) == plan


def test_a_death_changes_nothing():
    plan = grouped(wave("pilot"), wave("rest", after="healthy", failure_budget=3))
    for after in range(3, 40, 3):
        state = Bench(plan, World(reading=bad("rest-02"))).run_with_one_death(after)
        assert state is None or state.status is Status.COMPLETED
