"""What the state of a host means, as the module `host_state` saw it in one look.

Bad wins: one thing that could not be measured does not hide another that is known to be wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from wavegate.core.judgement import Judgement, Trouble, judge_trouble
from wavegate.core.outcomes import Reading


@dataclass(frozen=True, slots=True)
class FreeSpace:
    """At least this much of a file system must be free: percent of it, or bytes."""

    percent: float | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostExpectation:
    """What a host probe wants; None and False mean that nobody asked."""

    services: tuple[str, ...] = ()
    no_failed_units: bool = False
    disk_free: Mapping[str, FreeSpace] = field(default_factory=dict)
    load_per_core: float | None = None
    memory_free_percent: float | None = None
    no_reboot_required: bool = False


_Finding = tuple[Reading, str]


def judge_host(expected: HostExpectation, state: Mapping[str, Any]) -> Judgement:
    """Return what the state that the module `host_state` saw means.

    Bad wins over what could not be measured, and names everything that is bad. Nothing asked is an error.
    """
    findings = [
        *_judge_services(expected, state),
        *_judge_disks(expected, state),
        *_judge_load_and_memory(expected, state),
        *_judge_reboot(expected, state),
    ]
    for reading in (Reading.BAD, Reading.ERROR, Reading.GOOD):
        sentences = [sentence for found, sentence in findings if found is reading]
        if sentences:
            return Judgement(reading, "; ".join(sentences))
    return judge_trouble(Trouble.UNUSABLE, more="nothing was asked of the host")


def _not_measured(what: str, state: Mapping[str, Any], *keys: str) -> _Finding:
    errors = state.get("errors") or {}
    reason = next((str(errors[key]) for key in keys if key in errors), "the host gave no answer to it")
    return Reading.ERROR, f"{what} could not be measured: {reason}"


def _judge_services(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[_Finding]:
    seen = state.get("services") or {}
    for name in expected.services:
        active = seen.get(name)
        if active is None:
            yield _not_measured(f"service {name}", state, name, "services")
        elif active == "active":
            yield Reading.GOOD, f"service {name} is active"
        else:
            yield Reading.BAD, f"service {name} is {active}, wanted active"
    if expected.no_failed_units:
        yield _judge_units(state)


def _judge_units(state: Mapping[str, Any]) -> _Finding:
    failed = state.get("failed_units")
    if failed is None:
        return _not_measured("failed units", state, "failed_units")
    if failed:
        return Reading.BAD, f"{len(failed)} failed units, wanted none: {', '.join(map(str, failed))}"
    return Reading.GOOD, "no failed units"


def _judge_disks(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[_Finding]:
    seen = state.get("disk") or {}
    for path, wanted in expected.disk_free.items():
        disk = seen.get(path) or {}
        missing = _not_measured(f"free space of {path}", state, path, "disk")
        if wanted.percent is not None:
            yield _compare_free(path, disk.get("free_percent"), wanted.percent, _percent_text, missing)
        if wanted.bytes is not None:
            yield _compare_free(path, disk.get("free_bytes"), wanted.bytes, _bytes_text, missing)


def _compare_free(
    what: str, free: float | None, wanted: float, text: Callable[[float], str], missing: _Finding
) -> _Finding:
    if free is None:
        return missing
    if free < wanted:
        return Reading.BAD, f"{what} has {text(free)} free, wanted at least {text(wanted)}"
    return Reading.GOOD, f"{what} has {text(free)} free"


def _judge_load_and_memory(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[_Finding]:
    if expected.load_per_core is not None:
        yield _judge_load(expected.load_per_core, state)
    if expected.memory_free_percent is not None:
        yield _judge_memory(expected.memory_free_percent, state)


def _judge_load(wanted: float, state: Mapping[str, Any]) -> _Finding:
    load = state.get("load_per_core")
    if load is None:
        return _not_measured("load", state, "load_per_core")
    # Rounded up, so that a load that is over its limit never reads as being equal to it.
    shown = f"load per core is {math.ceil(load * 100) / 100:g}"
    if load > wanted:
        return Reading.BAD, f"{shown}, wanted at most {wanted:g}"
    return Reading.GOOD, shown


def _judge_memory(wanted: float, state: Mapping[str, Any]) -> _Finding:
    missing = _not_measured("free memory", state, "memory_available_percent", "memory")
    return _compare_free("memory", state.get("memory_available_percent"), wanted, _percent_text, missing)


def _judge_reboot(expected: HostExpectation, state: Mapping[str, Any]) -> Iterator[_Finding]:
    if not expected.no_reboot_required:
        return
    required = state.get("reboot_required")
    if required is None:
        yield _not_measured("whether a reboot is required", state, "reboot_required")
    elif required:
        yield Reading.BAD, "a reboot is required, wanted none"
    else:
        yield Reading.GOOD, "no reboot is required"


def _percent_text(percent: float) -> str:
    """Return the percentage rounded down, so that too little never reads as enough."""
    return f"{math.floor(percent * 10) / 10:g}%"


def _bytes_text(count: float) -> str:
    """Return the size rounded down, in the largest unit that leaves at least 1 of it."""
    for unit, size in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{math.floor(count / size * 100) / 100:g} {unit}"
    return f"{int(count)} bytes"
