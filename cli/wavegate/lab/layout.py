"""Which hosts a lab of N hosts has, and in which groups: a pure function of N."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network

from msgspec import Struct

from wavegate.errors import WavegateError

DEFAULT_HOSTS = 9
FEWEST_HOSTS = 6
MOST_HOSTS = 200
PACKAGE_HOST = "packages"
BALANCER_GROUP = "balancer"
# In this order each gets one host, then each a second one, and so on.
_PLACES = (
    ("finance", "department_finance"),
    ("north", "site_north"),
    ("sales", "department_sales"),
    ("south", "site_south"),
    ("support", "department_support"),
)
_HOSTS_PER_PILOT = 20


class LabHost(Struct, frozen=True):
    """One host of the lab: hosts of the same `cluster` serve each other and should not go together."""

    name: str
    group: str
    cluster: str


def lay_out(count: int, *, balancer: bool = False) -> tuple[LabHost, ...]:
    """Return the `count` hosts, pilots first, then by department and site; last the balancer, not counted.

    Every twentieth host is a pilot, at least one; the rest is spread evenly over three departments and two
    sites. Two neighbours make a cluster (`finance-1` and `finance-2` are `finance-a`); an odd last host is
    alone in its own.

    WavegateError `lab-size` outside 6 to 200.
    """
    if not FEWEST_HOSTS <= count <= MOST_HOSTS:
        raise WavegateError(
            "lab-size",
            f"a lab cannot have {count} hosts",
            why="pilot, three departments and two sites have at least one each, and all share one network",
            hint=f"Choose from {FEWEST_HOSTS} to {MOST_HOSTS}; {DEFAULT_HOSTS} is the default.",
        )
    pilots = max(1, count // _HOSTS_PER_PILOT)
    hosts = _members("pilot", "pilot", pilots)
    for place, (name, group) in sorted(enumerate(_PLACES), key=lambda each: each[1][1]):
        share, left = divmod(count - pilots, len(_PLACES))
        hosts += _members(name, group, share + (place < left))
    return (*hosts, *_members("balancer", BALANCER_GROUP, int(balancer)))


def _members(name: str, group: str, count: int) -> list[LabHost]:
    return [LabHost(f"{name}-{i + 1}", group, f"{name}-{_letters(i // 2)}") for i in range(count)]


def _letters(number: int) -> str:
    """Return a, b, … z, aa, ab, … for 0, 1, … ."""
    head, last = divmod(number, 26)
    return (_letters(head - 1) if head else "") + chr(ord("a") + last)


def assign_addresses(names: Iterable[str], known: Mapping[str, str], subnet: str) -> dict[str, str]:
    """Return an address for each name: the one it had, if it still fits, else the lowest free one.

    The first address of the subnet is its gateway's. WavegateError `lab-network-too-small` when they run out.
    """
    network = IPv4Network(subnet)
    usable = [str(address) for address in network.hosts()][1:]
    wanted = tuple(names)
    kept = {name: known[name] for name in wanted if known.get(name) in usable}
    free = iter([address for address in usable if address not in kept.values()])
    try:
        return {name: kept.get(name) or next(free) for name in wanted}
    except StopIteration:
        raise WavegateError(
            "lab-network-too-small",
            f"the engine's network {subnet} has no room for {len(wanted)} hosts",
            hint="Take fewer hosts, or give the engine larger subnets.",
        ) from None


def hardware_address(lab_id: str, name: str) -> str:
    """Return a fixed, local MAC address: a new one at every start would hide a host for a minute."""
    digest = hashlib.sha256(f"{lab_id}/{name}".encode()).hexdigest()
    return ":".join(("02", *(digest[i : i + 2] for i in range(0, 10, 2))))
