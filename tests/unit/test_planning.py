"""Who is in which wave, in which batch (design 4.1), and what cannot be planned."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.world import make_fleet, make_spec, plan_of, wave
from wavegate.core.batching import make_batches
from wavegate.core.fleet import Fleet
from wavegate.core.plan import Plan
from wavegate.core.planning import make_plan, put_in_order
from wavegate.core.quantity import parse_amount
from wavegate.core.spec import Order
from wavegate.errors import InputError

FLEET = make_fleet(pilot=1, department_a=3, department_b=2, site_2=2, site_10=4)
COVERING = (
    wave("pilot"),
    wave("department", hosts="", each="department_*", path="waves[1]"),
    wave("site", hosts="", each="site_*", path="waves[2]"),
)


def problems_of(*waves, **changes):
    with pytest.raises(InputError) as caught:
        make_plan(make_spec(*waves, **changes), FLEET, digests={}, seed=1)
    return {(problem.path, problem.message) for problem in caught.value.problems}


def test_each_makes_one_wave_a_group_in_natural_order():
    names = [planned.name for planned in plan_of(FLEET, *COVERING).waves]
    assert names == ["pilot", "department_a", "department_b", "site_2", "site_10"]


def test_a_host_belongs_to_the_first_wave_that_names_it():
    fleet = Fleet(("a", "b"), {"all": ("a", "b")}, {"all": ("a", "b"), "a": ("a",)})
    plan = plan_of(fleet, wave("first", hosts="a"), wave("rest", hosts="all"))
    assert [planned.hosts for planned in plan.waves] == [("a",), ("b",)]


def test_hosts_in_no_wave_are_named():
    found = problems_of(wave("pilot"), wave("department", hosts="", each="department_*"))
    assert (
        "waves",
        "6 hosts are in the scope but in no wave: "
        + ", ".join([*FLEET.groups["site_2"], *FLEET.groups["site_10"]]),
    ) in found


def test_left_out_hosts_are_listed_and_need_no_wave():
    fleet = replace(FLEET, patterns={**FLEET.patterns, "site_*": FLEET.hosts[6:]})
    plan = plan_of(fleet, *COVERING[:2], leave_out="site_*")
    assert plan.left_out == FLEET.hosts[6:]


def test_all_problems_come_at_once():
    found = problems_of(
        wave("pilot"),
        wave("again", hosts="pilot", path="waves[1]"),
        wave("pilot", hosts="", each="nowhere_*", path="waves[2]"),
        wave("site", hosts="site_2", apart="rack", path="waves[3]"),
    )
    assert {path for path, _ in found} == {"waves[1].hosts", "waves[2].each", "waves[3].apart"}


def test_what_follows_from_a_mistake_is_no_second_problem():
    fleet = replace(FLEET, patterns={"all": FLEET.hosts})
    with pytest.raises(InputError) as caught:
        make_plan(make_spec(wave("pilto"), *COVERING[2:]), fleet, digests={}, seed=1)
    assert caught.value.problems == ()


def test_a_wave_that_may_be_empty_is_left_away():
    plan = plan_of(FLEET, *COVERING, wave("spare", hosts="pilot", may_be_empty=True))
    assert "spare" not in [planned.name for planned in plan.waves]


@pytest.mark.parametrize(
    ("sizes", "hosts", "expected"),
    [
        (["100%"], 5, [5]),
        ([2], 5, [2, 2, 1]),
        (["25%"], 14, [3, 3, 3, 3, 2]),
        ([1, "50%"], 7, [1, 3, 3]),
        ([1, 2, 3], 10, [1, 2, 3, 3, 1]),
        (["10%"], 5, [1, 1, 1, 1, 1]),
        ([9], 4, [4]),
    ],
)
def test_batch_sizes_follow_ansibles_serial(sizes, hosts, expected):
    names = [f"h{n}" for n in range(hosts)]
    batches = make_batches(names, [parse_amount(size) for size in sizes])
    assert [len(batch.hosts) for batch in batches] == expected


@given(
    size=st.integers(0, 60),
    sizes=st.lists(
        st.one_of(st.integers(1, 9), st.integers(1, 100).map("{}%".format)), min_size=1, max_size=3
    ),
    in_flight=st.one_of(st.none(), st.integers(1, 10)),
    racks=st.integers(1, 5),
    at_most=st.integers(1, 3),
)
def test_batching_loses_nobody_doubles_nobody_and_keeps_apart(size, sizes, in_flight, racks, at_most):
    hosts = [f"h{n:02d}" for n in range(size)]
    apart = {host: f"rack{n % racks}" for n, host in enumerate(hosts) if n % 4}
    amounts = [parse_amount(value) for value in sizes]
    batches = make_batches(hosts, amounts, in_flight=in_flight, apart=apart, at_most=at_most)
    assert sorted(host for batch in batches for host in batch.hosts) == hosts
    assert [batch.step for batch in batches] == sorted(batch.step for batch in batches)
    for batch in batches:
        assert list(batch.hosts) == sorted(batch.hosts)
        assert in_flight is None or len(batch.hosts) <= in_flight
        values = [apart[host] for host in batch.hosts if host in apart]
        assert all(values.count(value) <= at_most for value in values)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.SORTED, ["a", "b", "c"]),
        (Order.REVERSE_SORTED, ["c", "b", "a"]),
        (Order.INVENTORY, ["b", "c", "a"]),
        (Order.REVERSE_INVENTORY, ["a", "c", "b"]),
    ],
)
def test_order_inside_a_wave(order, expected):
    assert list(put_in_order(["b", "c", "a"], order, "1")) == expected


def test_a_shuffle_is_repeatable_by_its_seed():
    hosts = [f"h{n}" for n in range(20)]
    once = put_in_order(hosts, Order.SHUFFLE, "1")
    assert once == put_in_order(list(reversed(hosts)), Order.SHUFFLE, "1")
    assert once != put_in_order(hosts, Order.SHUFFLE, "2")
    assert sorted(once) == sorted(hosts)


def test_budgets_are_floored_and_absolute():
    plan = plan_of(FLEET, *COVERING[:2], wave("site", hosts="", each="site_*", failure_budget="25%"))
    assert [planned.tolerated for planned in plan.waves] == [0, 0, 0, 0, 1]
    assert "a failure budget of 25% tolerates 0 hosts in site_2 (2); it is floored" in plan.notes


def test_the_plan_survives_json_and_its_hash_moves_with_every_part():
    plan = plan_of(FLEET, *COVERING)
    again = Plan.from_json(plan.to_json())
    assert again == plan
    assert again.hash == plan.hash
    assert replace(plan, digests={"project": "x"}).hash != plan.hash
    assert plan_of(FLEET, *COVERING[:2], wave("site", hosts="", each="site_*", batch=[1])).hash != plan.hash


def test_apart_takes_a_host_variable_or_a_group_prefix():
    by_group = plan_of(make_fleet(rack_a=2, rack_b=2), wave("all", hosts="all", apart="rack_", batch=[2]))
    assert [batch.hosts for batch in by_group.waves[0].batches] == [
        ("rack_a-01", "rack_b-01"),
        ("rack_a-02", "rack_b-02"),
    ]
    fleet = replace(make_fleet(g=3), values={"cluster": {"g-01": "c", "g-02": "c"}})
    by_variable = plan_of(fleet, wave("g", apart="cluster", batch=[2]))
    assert [batch.hosts for batch in by_variable.waves[0].batches] == [("g-01", "g-03"), ("g-02",)]
