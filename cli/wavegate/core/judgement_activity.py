"""What goes on on a host: listening ports, processes, and what services wrote into their logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from wavegate.core.findings import Finding, age_text, count_text, not_measured
from wavegate.core.outcomes import Reading

ENTRIES_LOOKED_AT = 1000
"""The module tells of so many entries, the newest: `at_most` must be less."""


class LogWatch(Struct, frozen=True):
    """A unit's log may hold a pattern so many times: in the last `since` seconds (None: since the change)."""

    unit: str
    pattern: str
    at_most: int = 0
    since: float | None = None


def judge_activity(
    ports: Sequence[int],
    processes: Mapping[str, int],
    logs: Sequence[LogWatch],
    state: Mapping[str, Any],
    changed_ago: float | None,
) -> Iterator[Finding]:
    """Yield a finding for each port, process and log; `changed_ago` is where logs without `since` begin."""
    listening = state.get("listening") or {}
    for port in ports:
        yield _judge_port(port, listening.get(str(port)), state)
    counted = state.get("processes") or {}
    for name, least in processes.items():
        yield _judge_process(name, least, counted.get(name), state)
    for watch in logs:
        yield _judge_log(watch, state, changed_ago if watch.since is None else watch.since)


def _judge_port(port: int, listening: Any, state: Mapping[str, Any]) -> Finding:
    if listening is None:
        return not_measured(f"whether port {port} is listening", state, "listening")
    if listening:
        return Reading.GOOD, f"port {port} is listening"
    return Reading.BAD, f"nothing listens on TCP port {port}"


def _judge_process(name: str, least: int, count: Any, state: Mapping[str, Any]) -> Finding:
    if not isinstance(count, int):
        return not_measured(f"the number of processes {name}", state, "processes")
    told = count_text(count, f"process {name}", f"processes {name}")
    if count < least:
        return Reading.BAD, f"{told}, wanted at least {least}"
    return Reading.GOOD, told


def _judge_log(watch: LogWatch, state: Mapping[str, Any], ago: float | None) -> Finding:
    what = f"the log of {watch.unit}"
    if ago is None:
        return Reading.ERROR, (
            f"{what} could not be looked at: nothing was changed on this host yet, so that there is no "
            "instant to look back to; `since: 15m` names one"
        )
    seen = next((one for one in state.get("logs") or () if _is_of(watch, one)), None)
    if seen is None:
        return not_measured(what, state, f"log of {watch.unit}", "logs")
    inside = sum(age <= ago for age in seen["ages"])
    count = count_text(inside, "entry", "entries")
    if inside >= ENTRIES_LOOKED_AT:
        count = f"{ENTRIES_LOOKED_AT} entries or more"
    told = f'{count} with "{watch.pattern}" in {what} in the last {age_text(ago)}'
    if inside > watch.at_most:
        return Reading.BAD, f"{told}, wanted at most {watch.at_most}; the newest: {seen.get('newest') or ''}"
    return Reading.GOOD, told


def _is_of(watch: LogWatch, seen: Mapping[str, Any]) -> bool:
    return (seen.get("unit"), seen.get("pattern")) == (watch.unit, watch.pattern)
