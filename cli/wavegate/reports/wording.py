"""Words, numbers and times as people read them; the same in every format."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from msgspec import Struct

from wavegate.core.quantity import format_duration

if TYPE_CHECKING:  # `status` uses some words of this, and no facts
    from wavegate.reports.facts import Counts, GateFacts, HostFacts, Latency

_MOST_NAMES = 6
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

GOOD, BAD, CAREFUL, PLAIN = "green", "red", "yellow", ""

NOTHING = "-"
"""Stands where there is no such time, duration or number."""

STANDING_WORDS = {
    "done": "done",
    "failed": "failed",
    "unreachable": "unreachable",
    "timed_out": "timed out",
    "aborted": "aborted",
    "not_started": "not started",
    "skipped": "skipped",
    "rolled_back": "rolled back",
    "rollback_failed": "rollback failed",
    "in_flight": "in flight",
    "found_bad": "found bad",
    "planned": "planned",
    "running": "running",
    "rolling_back": "rolling back",
    "waiting": "waiting for time",
    "held": "held",
    "interrupted": "interrupted",
    "completed": "completed",
    "halted": "halted",
    "died": "process died",
}
"""What a host, a wave or a rollout is called where people read it."""


class Line(Struct, frozen=True):
    """A sentence and the rich style that supports it (never the only carrier of meaning)."""

    text: str
    style: str = PLAIN


def shown_standing(host: HostFacts) -> str:
    """Return the host's standing; a host that is done but was found bad by a probe is `found_bad`."""
    return "found_bad" if host.standing == "done" and host.found_bad else host.standing


def clean(text: str) -> str:
    """Return text without control and direction-changing characters: they are written out as `\\x1b`."""
    return "".join(one if one.isprintable() or one == "\n" else _spell(one) for one in text)


def _spell(character: str) -> str:
    return " " if character in "\t\r\u00a0" else character.encode("unicode_escape").decode("ascii")


def plural(number: int, noun: str) -> str:
    """Return `1 host`, `2 hosts`, `1 batch`, `2 batches`."""
    ending = "" if number == 1 else "es" if noun.endswith("ch") else "s"
    return f"{number:,} {noun}{ending}"


def join_names(names: Sequence[str]) -> str:
    """Return `a, b and c`; of many names the first few and how many more there are."""
    if len(names) <= 1:
        return "".join(names)
    if len(names) > _MOST_NAMES:
        return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES:,} more"
    return f"{', '.join(names[:-1])} and {names[-1]}"


def as_datetime(at: float, zone: tzinfo | None) -> datetime:
    """Return the instant in `zone`; None is this machine's own."""
    return datetime.fromtimestamp(at, UTC).astimezone(zone)


def format_instant(at: float | None, zone: tzinfo | None) -> str:
    """Return `21 Nov 2026, 03:31:04 UTC`; a dash when there is no such time."""
    if at is None:
        return NOTHING
    moment = as_datetime(at, zone)
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment:%Y, %H:%M:%S %Z}".rstrip()


def format_clock(at: float | None, zone: tzinfo | None) -> str:
    """Return `03:31:04`; a dash when there is no such time."""
    return NOTHING if at is None else f"{as_datetime(at, zone):%H:%M:%S}"


def format_seconds(seconds: float | None) -> str:
    """Return a duration for people; a dash when there is none."""
    return NOTHING if seconds is None else format_duration(max(0.0, seconds))


def format_latency(seconds: float) -> str:
    """Return `4.1 ms`, `230 ms`, `1.25 s`."""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"  # noqa: PLR2004


def tell_latency(latency: Latency | None) -> str:
    """Return `fastest 2.0 ms, middle 3.1 ms, slowest 9.0 ms`; nothing without values."""
    if latency is None:
        return ""
    low, middle, high = (format_latency(one) for one in (latency.low, latency.middle, latency.high))
    return f"fastest {low}, middle {middle}, slowest {high}"


def tell_counts(counts: Counts) -> str:
    """Return `38 good, 2 bad, 1 could not measure`; only what there was, and good always."""
    parts = [f"{counts.good:,} good"]
    if counts.bad:
        parts.append(f"{counts.bad:,} bad")
    if counts.inconclusive:
        parts.append(f"{counts.inconclusive:,} inconclusive")
    if counts.error:
        parts.append(f"{counts.error:,} could not measure")
    return ", ".join(parts) if counts.total else "no measurement"


def tell_gate(gate: GateFacts) -> str:
    """Return which gate it is: `gate healthy after wave pilot`, `gate as-before after the rollback`."""
    return f"gate {gate.name} {tell_side(gate.side, gate.wave)}"


def tell_side(side: str, wave: str) -> str:
    """Return where a gate stands: `before wave site`, `after wave site`, `before the first wave`."""
    if side == "rollback":
        return "after the rollback"
    return f"{side} wave {wave}" if wave else "before the first wave"
