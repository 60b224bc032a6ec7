"""What a bad change does, as people write it; and fleets of another size."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.world import make_fleet, make_spec, wave
from wavegate.core.planning import make_plan
from wavegate.errors import InputError, WavegateError
from wavegate.simulation.change import Clause, parse_change, tell_change
from wavegate.simulation.scaling import plan_spec, scale_fleet, share_out


@pytest.mark.parametrize(
    ("text", "clauses", "told"),
    [
        ("breaks 30% after 20m", [("breaks", 0.3, 1200)], "breaks 30 % of hosts after 20 min 00 s"),
        ("Breaks 0.5 %  at once", [("breaks", 0.005, 0)], "breaks 0.5 % of hosts at once"),
        ("breaks 100%", [("breaks", 1, 0)], "breaks 100 % of hosts at once"),
        (
            "fails 5%, hangs 1%,unreachable 2%",
            [("fails", 0.05, 0), ("hangs", 0.01, 0), ("unreachable", 0.02, 0)],
            "fails on 5 % of hosts and hangs on 1 % of hosts and makes 2 % of hosts unreachable",
        ),
        (
            "flaky 0.1%, errors 2%",
            [("flaky", 0.001, 0), ("errors", 0.02, 0)],
            "has good hosts measured bad 0.1 % of the time and has probes unable to measure 2 % of the time",
        ),
    ],
)
def test_a_change_is_understood_and_told(text: str, clauses: list[tuple], told: str) -> None:
    change = parse_change(text)
    assert change == tuple(Clause(verb, pytest.approx(share), after) for verb, share, after in clauses)
    assert tell_change(change) == told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "there is nothing between commas"),
        ("breaks 30%,", "there is nothing between commas"),
        ("breaks", "'breaks' is no verb with a percentage"),
        ("breaks 30", "'breaks 30' is no verb with a percentage"),
        ("breaks -3%", "'breaks -3%' is no verb with a percentage"),
        ("brakes 30% after 20m", "there is no verb 'brakes'; did you mean 'breaks'?"),
        ("explodes 30%", "there is no verb 'explodes'; there are: breaks, fails, hangs"),
        ("breaks 130%", "130% is more than 100%"),
        ("breaks 30% after 20", "'20' is not a duration; write a number and a unit"),
        ("breaks 30% in 20m", "'in 20m' is neither 'at once' nor 'after' with a duration"),
        ("fails 5% after 20m", "only 'breaks' can say when: 'fails' is followed by 'after 20m'"),
    ],
)
def test_what_makes_no_sense_is_one_error_with_an_example(text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_change(text)
    assert caught.value.code == "bad-change-unclear"
    (problem,) = caught.value.problems
    assert says in problem.message
    assert "'breaks 30% after 20m'" in str(caught.value.hint)


def test_all_that_makes_no_sense_is_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        parse_change("breks 5%, breaks 30%, fails")
    assert [problem.message for problem in caught.value.problems] == [
        "there is no verb 'breks'; did you mean 'breaks'?",
        "'fails' is no verb with a percentage",
    ]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=9), st.integers(0, 5000))
def test_shares_add_up_keep_the_proportions_and_are_never_nothing(weights: list[int], more: int) -> None:
    total = len(weights) + more
    shares = share_out(total, weights)
    assert sum(shares) == total
    assert min(shares) >= 1
    if total >= sum(weights):  # nobody had to be lifted to 1
        exact = [total * weight / sum(weights) for weight in weights]
        assert all(abs(share - should) < 1 for share, should in zip(shares, exact, strict=True))


SPEC = make_spec(wave("pilot"), wave("rest", batch=["25%"], apart="rack", failure_budget="10%"))
SMALL = replace(
    make_fleet(pilot=2, rest=8), values={"rack": {f"rest-{n:02d}": f"r{n // 3}" for n in range(1, 9)}}
)


@pytest.mark.parametrize("hosts", [2, 7, 10, 11, 500, 12_345])
def test_a_scaled_fleet_has_the_same_waves_in_the_same_proportions(hosts: int) -> None:
    plan = make_plan(SPEC, SMALL, digests={}, seed=1)
    scaled = make_plan(plan_spec(SPEC), scale_fleet(SMALL, SPEC, plan, hosts), digests={}, seed=1)
    pilot, rest = scaled.waves
    assert len({*pilot.hosts, *rest.hosts}) == len(scaled.hosts) == hosts
    assert (pilot.name, rest.name, rest.apart_key) == ("pilot", "rest", "rack")
    assert abs(len(pilot.hosts) - hosts / 5) < 1
    assert rest.budget.tolerated == len(rest.hosts) // 10
    assert rest.largest_batch <= max(1, len(rest.hosts) // 4)
    racks = Counter(rest.apart.values())
    assert set(rest.apart) == set(rest.hosts)
    assert max(racks.values()) <= 3  # racks keep their size, there are more of them
    if hosts >= 10:
        assert len(racks) >= len(rest.hosts) // 3


def test_fewer_hosts_than_waves_are_too_few() -> None:
    plan = make_plan(SPEC, SMALL, digests={}, seed=1)
    with pytest.raises(WavegateError) as caught:
        scale_fleet(SMALL, SPEC, plan, 1)
    assert (caught.value.code, "at least 2" in str(caught.value.hint)) == ("too-few-hosts", True)
