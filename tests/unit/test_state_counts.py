"""What the fold counts is what a look at every host would find, after every record of random rollouts."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.world import Bench, KilledError, World, make_fleet, plan_of, wave
from wavegate.core.budget import bad_hosts, count_bad
from wavegate.core.decide import current_wave
from wavegate.core.dispatch import next_batch
from wavegate.core.events import Measurement
from wavegate.core.gate import find_bad_hosts, judge_gate, judge_tally, targets_of, worst
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.state import GateState
from wavegate.core.tallies import Series, Tally
from wavegate.reports.standing import take_standing


def check_counts(plan, state):
    for planned in plan.waves:
        here = state.wave(planned.name)
        assert here.done == {h for h in planned.hosts if state.host(h).outcome is Outcome.DONE}
        assert set(bad_hosts(state, planned)) == {h for h in planned.hosts if state.host(h).is_bad}
        if state.rollback is None:
            assert here.begun == indexes_begun(state, planned)
            assert here.first_waiting == min(set(range(len(planned.batches) + 1)) - here.begun)
        check_counters(here.counts, [state.host(host) for host in planned.hosts])
    check_counters(state.counts, [state.host(host) for host in plan.hosts])
    assert count_bad(state) == sum(state.host(h).is_bad for h in plan.hosts)
    assert state.hosts_in_flight == sum(len(batch.hosts) for batch in state.in_flight.values())
    first = next((w for w in plan.waves if state.wave(w.name).completed_at is None), None)
    assert current_wave(plan, state) is first
    ended = [b for b in state.batches.values() if b.ended_at is not None and "rollback" not in b.procedures]
    assert state.batches_ended == len(ended)
    assert state.batch_seconds == pytest.approx(sum(b.ended_at - b.started_at for b in ended))


def check_counters(counts, hosts):
    bad = [host for host in hosts if host.is_bad]
    assert counts.made_bad == Counter(host.bad_as for host in bad if not host.is_sick)
    assert counts.sick == Counter(host.bad_as for host in bad if host.is_sick)
    assert counts.ended == sum(host.outcome is not None for host in hosts)


def indexes_begun(state, planned):
    """Return the batches in flight, and those all of whose hosts have an outcome."""
    flying = {batch.index for batch in state.in_flight.values() if batch.wave == planned.name}
    settled = {
        index
        for index, batch in enumerate(planned.batches)
        if all(state.host(host).outcome is not None for host in batch.hosts)
    }
    return flying | settled


def check_rollback(state):
    rollback = state.rollback
    if rollback is None:
        return
    tried = [state.host(h) for h in rollback.hosts if state.host(h).forward]
    bad = {None, Outcome.ROLLED_BACK}
    assert len(rollback.failed) == sum(host.outcome not in bad for host in tried)
    for waiting in rollback.waiting.values():
        assert waiting == sorted(set(waiting))


def check_gates(plan, state, now):
    for planned in plan.waves:
        gate = state.wave(planned.name).after
        if gate is None:
            continue
        assert gate.out == {host for host in gate.targets if state.host(host).found_bad}
        for use in plan.gates[gate.gate].probes:
            series = gate.series.get(use.probe, Series())
            live = [host for host in gate.targets if not state.host(host).found_bad]
            tallies = [series.tallies.get(host, Tally()) for host in live]
            expected = worst(judge_tally(tally, use.sampling) for tally in tallies)
            told = judge_gate(plan, gate, now).verdict
            assert told is expected.verdict or (told is None and expected.verdict == "pass")
            assert targets_of(plan, gate, use.probe) == tuple(live)
            failing = {h for h in live if h in series.tallies and judge(series, h, use) == "fail"}
            assert set(find_bad_hosts(plan, gate)) == failing
            assert series.total.good == sum(tally.good for tally in series.tallies.values())


def judge(series, host, use):
    return judge_tally(series.tallies[host], use.sampling).verdict


class Checked(Bench):
    """Looks at everything after every record."""

    def _listen(self, record, state):
        check_counts(self.plan, state)
        check_rollback(state)
        check_gates(self.plan, state, record.at)
        standing = take_standing(self.plan, state, record.at)
        assert [w.hosts for w in standing.waves] == [len(w.hosts) for w in self.plan.waves]
        super()._listen(record, state)


OUTCOMES = [Outcome.DONE] * 6 + [Outcome.FAILED, Outcome.UNREACHABLE, Outcome.SKIPPED, Outcome.TIMED_OUT]
READINGS = [Reading.GOOD] * 8 + [Reading.BAD, Reading.ERROR, Reading.INCONCLUSIVE]


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    batch=st.lists(st.integers(1, 4), min_size=1, max_size=2),
    in_flight=st.integers(1, 5),
    budget=st.integers(0, 3),
    rollback=st.booleans(),
    death=st.none() | st.integers(1, 40),
    seed=st.randoms(use_true_random=False),
)
def test_every_count_is_what_a_scan_finds(sizes, batch, in_flight, budget, rollback, death, seed):
    fleet = make_fleet(**{f"g{n}": size for n, size in enumerate(sizes)})
    waves = [
        wave(group, batch=batch, in_flight=in_flight, failure_budget=budget, after="healthy")
        for group in fleet.groups
    ]
    fates = {host: seed.choice(OUTCOMES) for host in fleet.hosts}
    moods = {host: seed.choice(READINGS) for host in fleet.hosts}
    times = {host: seed.choice([1.0, 10.0, 100.0]) for host in fleet.hosts}
    way_back = {host: seed.choice([Outcome.DONE] * 2 + [Outcome.ROLLBACK_FAILED]) for host in fleet.hosts}
    world = World(
        fate=lambda host, procedures: (way_back if "rollback" in procedures else fates)[host],
        seconds_of=times.__getitem__,
        reading=lambda probe, host, now: moods[host],
    )
    bench = Checked(plan_of(fleet, *waves, rollback=rollback), world, die_after=death)
    try:
        bench.engine().start("test")
    except KilledError:
        bench.die_after = None
        world.forget_the_future()
        bench.engine().resume("test")
    assert world.overlaps == []


def test_a_large_batch_in_order_is_not_overtaken_by_a_small_one_behind_it():
    plan = plan_of(make_fleet(all=7), wave("all", batch=[3], in_flight=4))
    bench = Bench(plan, World())
    state = bench.run()
    assert list(state.batches) == ["all.1", "all.2", "all.3"]
    assert next_batch(plan, state, plan.waves[0]) is None


def test_targets_with_equal_tallies_are_one_group_and_a_dropped_one_is_in_none():
    series = Series()
    for host in ("a", "b", "c"):
        series.add(Measurement(host, Reading.BAD if host == "c" else Reading.GOOD), judged=True)
    assert [list(group) for group in series.alike.values()] == [["a", "b"], ["c"]]
    series.drop("c")
    series.add(Measurement("a", Reading.GOOD), judged=True)
    series.add(Measurement("c", Reading.BAD), judged=False)
    assert sorted(map(list, series.alike.values())) == [["a"], ["b"]]
    assert series.tallies["c"].bad == 2
    assert (series.total.good, series.total.bad) == (3, 2)


def test_a_gate_of_which_every_host_is_bad_has_measured_nothing():
    plan = plan_of(make_fleet(all=1), wave("all", after="healthy"))
    gate = GateState("all", "after", "healthy", 0.0, ("all-01",), out={"all-01"})
    assert judge_gate(plan, gate, 1.0).verdict == "inconclusive"


@settings(deadline=None)
@given(data=st.data())
def test_sweeps_counted_together_count_like_measurements_one_by_one(data):
    hosts = [f"h{n}" for n in range(12)]
    together, single, out = Series(), Series(), set()
    sweep = ()
    for _ in range(data.draw(st.integers(1, 6))):
        if not sweep or data.draw(st.booleans()):
            details = data.draw(st.sampled_from([["as told"], [f"told {n}" for n in range(9)]]))
            readings = data.draw(st.sampled_from([[Reading.GOOD], list(Reading)]))
            sweep = tuple(
                Measurement(host, data.draw(st.sampled_from(readings)), data.draw(st.sampled_from(details)))
                for host in hosts
                if host not in out
            )
        together.add_all(sweep, out)
        for measurement in sweep:
            single.add(measurement, judged=measurement.target not in out)
        assert together.tallies == single.tallies
        assert together.total.counts[:4] == single.total.counts[:4]
        assert {c: set(g) for c, g in together.alike.items()} == {c: set(g) for c, g in single.alike.items()}
        if data.draw(st.booleans()):
            gone = data.draw(st.sampled_from(hosts))
            out.add(gone)
            together.drop(gone)
            single.drop(gone)
            sweep = ()
