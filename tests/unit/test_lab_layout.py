from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv4Network

import pytest

from wavegate.errors import WavegateError
from wavegate.lab.layout import DEFAULT_HOSTS, assign_addresses, hardware_address, lay_out

GROUPS = {"pilot", "department_finance", "department_sales", "department_support", "site_north", "site_south"}


@pytest.mark.parametrize("count", [6, 7, 9, 10, 20, 53, 200])
def test_every_size_fills_every_group_and_counts_right(count: int) -> None:
    hosts = lay_out(count)
    assert len({host.name for host in hosts}) == count
    assert {host.group for host in hosts} == GROUPS


def test_the_default_lab_has_a_pilot_three_departments_and_two_sites() -> None:
    sizes = Counter(host.group for host in lay_out(DEFAULT_HOSTS))
    assert sizes == {
        "pilot": 1,
        "department_finance": 2,
        "department_sales": 2,
        "department_support": 1,
        "site_north": 2,
        "site_south": 1,
    }


def test_a_cluster_has_at_most_two_hosts_and_some_have_two() -> None:
    for count in (9, 10, 60, 200):
        sizes = Counter(host.cluster for host in lay_out(count))
        assert set(sizes.values()) <= {1, 2}
        assert 2 in sizes.values()


def test_a_larger_lab_keeps_the_hosts_of_a_smaller_one() -> None:
    assert (
        {host.name for host in lay_out(6)}
        < {host.name for host in lay_out(9)}
        < {host.name for host in lay_out(30)}
    )


def test_a_balancer_is_one_more_machine_beside_the_groups_of_the_rollouts() -> None:
    *hosts, balancer = lay_out(6, balancer=True)
    assert tuple(hosts) == lay_out(6)
    assert (balancer.name, balancer.group) == ("balancer-1", "balancer")


@pytest.mark.parametrize("count", [-1, 0, 5, 201])
def test_a_size_that_cannot_be_is_refused_with_the_possible_ones(count: int) -> None:
    with pytest.raises(WavegateError) as caught:
        lay_out(count)
    assert caught.value.code == "lab-size"
    assert "6 to 200" in caught.value.hint


def test_addresses_are_distinct_in_the_subnet_and_not_the_gateway() -> None:
    addresses = assign_addresses("abcdef", {}, "10.89.4.0/28")
    assert len(set(addresses.values())) == 6
    assert all(IPv4Address(each) in IPv4Network("10.89.4.0/28") for each in addresses.values())
    assert "10.89.4.1" not in addresses.values()


def test_a_host_keeps_its_address_unless_the_subnet_moved() -> None:
    known = {"b": "10.0.0.9", "c": "192.168.0.2"}
    addresses = assign_addresses(["a", "b", "c"], known, "10.0.0.0/24")
    assert addresses == {"a": "10.0.0.2", "b": "10.0.0.9", "c": "10.0.0.3"}


def test_a_subnet_that_is_too_small_is_an_error() -> None:
    with pytest.raises(WavegateError, match="no room for 6 hosts"):
        assign_addresses("abcdef", {}, "10.0.0.0/29")


def test_hardware_addresses_are_local_fixed_and_differ_between_labs_and_hosts() -> None:
    first = hardware_address("1111", "pilot-1")
    assert first.startswith("02:")
    assert len(first) == 17
    assert first == hardware_address("1111", "pilot-1")
    assert len({first, hardware_address("2222", "pilot-1"), hardware_address("1111", "pilot-2")}) == 3
