"""Changed hosts against those still to come: verdicts, sentences, who is compared, what is known before."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.codec import decode, encode, kind_of
from wavegate.core.comparison import MOST_VALUES, Samples, choose_untouched, compare
from wavegate.core.folding import fold
from wavegate.core.outcomes import Outcome, Reading, Status, Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import CompareSpec, GateProbe, Sampling
from wavegate.core.state import State

SPEC = CompareSpec(at_most=0.2)
FLEET = make_fleet(pilot=2, office=3, site=4)
WAVES = (wave("pilot", after="healthy"), wave("office"), wave("site"))


def comparing(plan: Plan, count: int = 10, *, dry_run: bool = False, **changes: object) -> Plan:
    """Return the plan with a probe that compares, measured `count` times."""
    probe = replace(plan.probes["answers"], compare=replace(SPEC, **changes))
    sampling = Sampling(interval=2.0, count=count, dry_run=dry_run)
    uses = (GateProbe(probe="answers", sampling=sampling),)
    gate = replace(plan.gates["healthy"], probes=uses, soak=0.0)
    return replace(plan, probes={"answers": probe}, gates={"healthy": gate})


def sweep(changed, untouched, number=1):
    """Return a sweep of values; None is a bad answer without a number."""

    def measured(kind, values):
        return tuple(
            ev.Measurement(f"{kind}{place}", Reading.BAD if one is None else Reading.GOOD, "", one)
            for place, one in enumerate(values)
        )

    return ev.SweepEnded("w", "after", "p", number, measured("new", changed), measured("old", untouched))


def samples_of(*sweeps):
    samples = Samples()
    for one in sweeps:
        samples.add(one)
    return samples


def many(changed, untouched, sweeps=10):
    """Return sweeps in which values spread by a tenth around these."""
    spread = [1 + 0.01 * place for place in range(sweeps)]
    return samples_of(*(sweep([v * s for v in changed], [v * s for v in untouched]) for s in spread))


@pytest.mark.parametrize(
    ("changed", "untouched", "verdict"),
    [
        ([10.0, 10.0], [10.0, 10.0, 10.0], Verdict.PASS),
        ([11.0, 11.0], [10.0, 10.0, 10.0], Verdict.PASS),  # worse, within the margin
        ([5.0, 5.0], [10.0, 10.0, 10.0], Verdict.PASS),
        ([20.0, 20.0], [10.0, 10.0, 10.0], Verdict.FAIL),
        ([14.0, 14.0], [10.0, 10.0, 10.0], Verdict.FAIL),
        ([0.0, 0.0], [0.0, 0.0], Verdict.PASS),
        ([1.0, 1.0], [0.0, 0.0], Verdict.FAIL),
    ],
)
def test_enough_samples_decide(changed, untouched, verdict):
    assert compare(SPEC, many(changed, untouched)).verdict is verdict


@pytest.mark.parametrize(
    ("samples", "spec", "why"),
    [
        (None, SPEC, "there is nothing to compare with"),
        (Samples(), SPEC, "there is nothing to compare with"),
        (many([99.0], [1.0]), SPEC, "only 1 untouched host"),
        (many([99.0], [1.0, 1.0], 9), SPEC, "too few values: 9 against 18"),
        (many([99.0], [1.0, 1.0]), replace(SPEC, confidence=1 - 1e-8), "cannot reach a confidence"),
    ],
)
def test_too_little_is_inconclusive_however_bad_it_looks(samples, spec, why):
    compared = compare(spec, samples)
    assert compared.verdict is Verdict.INCONCLUSIVE
    assert why in compared.reason
    assert compared.p is None


def test_the_sentence_names_medians_ratio_p_and_sizes():
    compared = compare(SPEC, many([20.0], [10.0, 10.0]))
    assert compared.reason.startswith(
        "median 20.9 of 10 values on 1 changed host against 10.4 of 20 on 2 untouched hosts, ratio 2: "
        "significantly worse than +20% (p = "
    )
    assert (compared.changed, compared.changed_hosts, compared.untouched, compared.untouched_hosts) == (
        10,
        1,
        20,
        2,
    )
    assert compared.p is not None
    assert compared.p < 0.001
    assert compared.ratio == pytest.approx(2.0)


def test_only_sweeps_count_in_which_both_sides_were_measured():
    samples = samples_of(*[sweep([None], [1.0, 1.0])] * 20, *[sweep([1.0], [None, None])] * 20)
    assert compare(SPEC, samples).untouched == 0


def test_a_sick_untouched_host_is_no_yardstick():
    slow = ev.Measurement("old9", Reading.BAD, "slow", 99.0)
    one = sweep([20.0], [10.0, 10.0])
    samples = samples_of(*[replace(one, untouched=(*one.untouched, slow))] * 10)
    compared = compare(SPEC, samples)
    assert (compared.verdict, compared.untouched_hosts) == (Verdict.FAIL, 2)


def test_hosts_that_were_found_bad_count_no_more():
    samples = many([20.0, 10.0], [10.0, 10.0])
    assert compare(SPEC, samples, {"new0"}).verdict is Verdict.PASS
    assert compare(SPEC, samples, {"new0", "new1"}).verdict is Verdict.INCONCLUSIVE


def test_what_is_kept_is_bounded_and_spread_over_the_soak():
    samples = Samples()
    for number in range(150):
        samples.add(sweep([float(number)] * 400, [float(number)] * 40, number))
    kept = [values[0][1] for values, _ in samples.sweeps]
    assert sum(len(one) + len(other) for one, other in samples.sweeps) <= 2 * MOST_VALUES
    assert kept == sorted(kept)
    assert kept[-1] > 120
    assert compare(SPEC, samples).verdict is Verdict.PASS


def test_those_to_come_are_chosen_evenly_and_none_that_is_touched_skipped_or_bad():
    plan = comparing(plan_of(FLEET, *WAVES), hosts=4)
    state = State()
    assert choose_untouched(plan, state, plan.waves[0], "healthy") == (
        "office-01", "site-01", "office-02", "site-02",
    )  # fmt: skip
    events = [
        ev.HostSkipped("site", "site-01", "ann", "no need"),
        ev.BatchSubmitted("office.1", "office", 0, ("office-01",), ("apply",)),
        ev.HostFinished("office.1", "office-01", Outcome.FAILED),
    ]
    fold(state, [ev.Record(n, 1.0, event) for n, event in enumerate(events, 1)])
    assert choose_untouched(plan, state, plan.waves[0], "healthy") == (
        "office-02", "site-02", "office-03", "site-03",
    )  # fmt: skip
    assert choose_untouched(plan, state, plan.waves[-1], "healthy") == ()


def slow(*hosts):
    return lambda probe, host, now: (3.0 if host in hosts else 1.0) * (1 + 0.001 * (now % 7))


def test_a_slower_pilot_fails_its_gate_and_halts_the_rollout():
    world = World(value=slow("pilot-01", "pilot-02"))
    bench = Bench(comparing(plan_of(FLEET, *WAVES)), world)
    state = bench.run()
    gate = state.wave("pilot").after
    assert (state.status, gate.verdict) == (Status.HALTED, Verdict.FAIL)
    assert "significantly worse than +20%" in state.reason
    assert not world.applied.keys() - {"pilot-01", "pilot-02"}
    sweeps = [r.event for r in bench.records if isinstance(r.event, ev.SweepEnded)]
    assert {one.target for one in sweeps[0].untouched} == {h for h in FLEET.hosts if "pilot" not in h}
    assert sum(len(one.measurements) for one in sweeps) == 20


def test_a_pilot_that_is_no_slower_passes_and_says_what_was_compared():
    plan = comparing(plan_of(FLEET, *WAVES))
    state = Bench(plan, World(value=slow())).run()
    assert state.status is Status.COMPLETED
    assert "; answers: median 1 of 20 values on 2 changed hosts against" in state.wave("pilot").after.reason


def test_a_bad_host_to_compare_with_counts_against_no_budget():
    reading = lambda probe, host, now: Reading.BAD if host == "site-01" else Reading.GOOD  # noqa: E731
    state = Bench(comparing(plan_of(FLEET, *WAVES)), World(value=slow(), reading=reading)).run()
    assert state.status is Status.COMPLETED
    assert not state.host("site-01").is_bad


def test_with_nobody_to_compare_with_it_is_held_and_the_plan_said_so():
    plan = comparing(plan_of(make_fleet(pilot=2, rest=3), wave("pilot"), wave("rest", after="healthy")))
    state = Bench(plan, World(value=slow())).run()
    assert (state.status, state.wave("rest").after.verdict) == (Status.HELD, Verdict.INCONCLUSIVE)


def test_a_dry_run_never_decides():
    plan = comparing(plan_of(FLEET, *WAVES), dry_run=True)
    other = replace(plan.probes["answers"], name="other", compare=None)
    uses = (*plan.gates["healthy"].probes, GateProbe(probe="other", sampling=Sampling()))
    gate = replace(plan.gates["healthy"], probes=uses)
    plan = replace(plan, probes={**plan.probes, "other": other}, gates={"healthy": gate})
    assert Bench(plan, World(value=slow("pilot-01", "pilot-02"))).run().status is Status.COMPLETED


@pytest.mark.parametrize("after", [12, 16, 20, 24])
def test_a_resumed_process_decides_the_same(after):
    plan = comparing(plan_of(FLEET, *WAVES))
    calm = Bench(plan, World(value=slow("pilot-01", "pilot-02"))).run()
    bench = Bench(plan, World(value=slow("pilot-01", "pilot-02")))
    state = bench.run_with_one_death(after)
    assert state is not None
    assert (state.status, state.wave("pilot").after.verdict) == (calm.status, Verdict.FAIL)
    assert bench.engine_state().reason == state.reason


def test_what_was_compared_survives_the_journal():
    one = sweep([1.0], [2.0, None])
    assert decode(kind_of(one), encode(one)) == one
    opened = ev.GateOpened("w", "after", "g", ("a",), ("b", "c"))
    assert decode(kind_of(opened), encode(opened)) == opened
    plain = ev.SweepEnded("w", "after", "p", 1, ())
    assert "untouched" not in encode(plain)


@pytest.mark.parametrize(
    ("waves", "count", "notes"),
    [
        (WAVES, 10, []),
        ((wave("pilot"), wave("office"), wave("site", after="healthy")), 10, ["will hold"]),
        ((wave("pilot", after="healthy"), wave("office", hosts="office[0]")), 10, ["will hold"]),
        (WAVES, 1, ["may hold: answers with count: 1 has too few values: 2 against 7"]),
    ],
)
def test_the_plan_says_what_is_certain_before_the_start(waves, count, notes):
    fleet = replace(FLEET, patterns={**FLEET.patterns, "office[0]": ("office-01",)})
    hosts = "all" if len(waves) == 3 else "pilot:office[0]"
    fleet = replace(
        fleet, patterns={**fleet.patterns, "pilot:office[0]": ("pilot-01", "pilot-02", "office-01")}
    )
    plain = plan_of(fleet, *waves, hosts=hosts)
    compared = comparing(plain, count)
    noted = plan_of(fleet, *waves, hosts=hosts, probes=compared.probes, gates=compared.gates).notes
    assert len(noted) == len(notes)
    assert all(part in note for part, note in zip(notes, noted, strict=True))
