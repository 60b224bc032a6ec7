"""What the state of a host means, as the module `host_state` saw it in one look.

Bad wins: one thing that could not be measured does not hide another that is known to be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from wavegate.core.findings import (
    Finding,
    bytes_text,
    not_measured,
    percent_text,
    percent_up_text,
    sum_up,
)
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_activity import LogWatch, judge_activity
from wavegate.core.judgement_software import PackageWish, UpdatesWish, judge_software
from wavegate.core.judgement_time import TimeWish, judge_fresh, judge_time
from wavegate.core.outcomes import Reading


class FreeSpace(Struct, frozen=True):
    """At least this much of a file system must be free: percent of it, or bytes."""

    percent: float | None = None
    bytes: int | None = None


class HostExpectation(Struct, frozen=True, kw_only=True):
    """What a host probe wants; None, False and nothing in it mean that nobody asked.

    Percentages are of the whole; `fresh` maps a path to the greatest age in seconds, `processes` a name to
    the least number of them.
    """

    services: tuple[str, ...] = ()
    no_failed_units: bool = False
    disk_free: Mapping[str, FreeSpace] = field(default_factory=dict)
    inodes_free: Mapping[str, float] = field(default_factory=dict)
    load_per_core: float | None = None
    memory_free_percent: float | None = None
    swap_used_percent: float | None = None
    no_reboot_required: bool = False
    security_updates: UpdatesWish | None = None
    packages: Mapping[str, PackageWish] = field(default_factory=dict)
    package_manager_free: bool = False
    time: TimeWish = field(default_factory=TimeWish)
    ports: tuple[int, ...] = ()
    processes: Mapping[str, int] = field(default_factory=dict)
    logs: tuple[LogWatch, ...] = ()
    fresh: Mapping[str, float] = field(default_factory=dict)


def judge_host(
    expected: HostExpectation, state: Mapping[str, Any], changed_ago: float | None = None
) -> Judgement:
    """Return what the state that the module `host_state` saw means.

    `changed_ago` is how many seconds ago the change began on this host (None: nothing was begun there).
    Bad wins over what could not be measured, and names everything that is bad. Nothing asked is an error.
    The number is the load per core, where that was asked for.
    """
    findings = [
        *_judge_services(expected, state),
        *_judge_disks(expected, state),
        *_judge_load_and_memory(expected, state),
        *_judge_reboot(expected, state),
        *judge_software(
            expected.packages, expected.security_updates, state, is_free=expected.package_manager_free
        ),
        *judge_time(expected.time, state),
        *judge_activity(expected.ports, expected.processes, expected.logs, state, changed_ago),
        *judge_fresh(expected.fresh, state),
    ]
    judgement = sum_up(findings, "nothing was asked of the host")
    load = state.get("load_per_core") if expected.load_per_core is not None else None
    return judgement if load is None else replace(judgement, value=float(load))


def _judge_services(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[Finding]:
    seen = state.get("services") or {}
    for name in expected.services:
        active = seen.get(name)
        if active is None:
            yield not_measured(f"service {name}", state, name, "services")
        elif active == "active":
            yield Reading.GOOD, f"service {name} is active"
        else:
            yield Reading.BAD, f"service {name} is {active}, wanted active"
    if expected.no_failed_units:
        yield _judge_units(state)


def _judge_units(state: Mapping[str, Any]) -> Finding:
    failed = state.get("failed_units")
    if failed is None:
        return not_measured("failed units", state, "failed_units")
    if failed:
        return Reading.BAD, f"{len(failed)} failed units, wanted none: {', '.join(map(str, failed))}"
    return Reading.GOOD, "no failed units"


def _judge_disks(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[Finding]:
    seen = state.get("disk") or {}
    for path, wanted in expected.disk_free.items():
        disk = seen.get(path) or {}
        missing = not_measured(f"free space of {path}", state, path, "disk")
        if wanted.percent is not None:
            yield _at_least(path, disk.get("free_percent"), wanted.percent, percent_text, missing)
        if wanted.bytes is not None:
            yield _at_least(path, disk.get("free_bytes"), wanted.bytes, bytes_text, missing)
    for path, percent in expected.inodes_free.items():
        missing = not_measured(f"free inodes of {path}", state, f"inodes of {path}", path, "disk")
        free = (seen.get(path) or {}).get("inodes_free_percent")
        yield _at_least(f"{path} (inodes)", free, percent, percent_text, missing)


def _at_least(
    what: str, free: float | None, wanted: float, text: Callable[[float], str], missing: Finding
) -> Finding:
    if free is None:
        return missing
    if free < wanted:
        return Reading.BAD, f"{what} has {text(free)} free, wanted at least {text(wanted)}"
    return Reading.GOOD, f"{what} has {text(free)} free"


def _judge_load_and_memory(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[Finding]:
    if expected.load_per_core is not None:
        yield _judge_load(expected.load_per_core, state)
    if (wanted := expected.memory_free_percent) is not None:
        missing = not_measured("free memory", state, "memory_available_percent", "memory")
        yield _at_least("memory", state.get("memory_available_percent"), wanted, percent_text, missing)
    if expected.swap_used_percent is not None:
        yield _judge_swap(expected.swap_used_percent, state)


def _judge_load(wanted: float, state: Mapping[str, Any]) -> Finding:
    load = state.get("load_per_core")
    if load is None:
        return not_measured("load", state, "load_per_core")
    # Rounded up, so that a load that is over its limit never reads as being equal to it.
    shown = f"load per core is {math.ceil(load * 100) / 100:g}"
    if load > wanted:
        return Reading.BAD, f"{shown}, wanted at most {wanted:g}"
    return Reading.GOOD, shown


def _judge_swap(wanted: float, state: Mapping[str, Any]) -> Finding:
    used = state.get("swap_used_percent")
    if used is None:
        return not_measured("used swap", state, "swap_used_percent")
    if not state.get("swap_total_bytes"):
        return Reading.GOOD, "there is no swap to be used"
    shown = f"{percent_up_text(used)} of the swap is used"
    if used > wanted:
        return Reading.BAD, f"{shown}, wanted at most {percent_up_text(wanted)}"
    return Reading.GOOD, shown


def _judge_reboot(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[Finding]:
    if not expected.no_reboot_required:
        return
    required = state.get("reboot_required")
    if required is None:
        yield not_measured("whether a reboot is required", state, "reboot_required")
    elif required:
        yield Reading.BAD, "a reboot is required, wanted none"
    else:
        yield Reading.GOOD, "no reboot is required"
