"""The pictures of the HTML report as numbers: bars of waves on a time line, measurements over a soak.

Horizontal places are percent of the width, vertical ones are pixels from the top.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from wavegate.reports.facts import Counts, GateFacts, HostFacts, ProbeFacts, ReportFacts, WaveFacts
from wavegate.reports.scale import Scale, Tick, make_scale
from wavegate.reports.wording import format_latency, format_seconds, plural, shown_standing, tell_counts

LATENCY_HEIGHT = 72
SHARE_HEIGHT = 30
_LEAST_LABELLED = 9.0
_LEAST_SEEN = 3.0
"""One bad host of a thousand must still be seen."""
_MANY, _VERY_MANY = 48, 240


class Bar(Struct, frozen=True):
    """A stretch of time of a wave: work, gate or rollback; `label` is empty where it would not fit."""

    kind: str
    left: float
    width: float
    label: str
    title: str


class Row(Struct, frozen=True):
    """One wave of the picture; `size` says how large its host cells can be."""

    wave: WaveFacts
    bars: tuple[Bar, ...]
    verdicts: tuple[tuple[float, str], ...]
    size: str
    tally: tuple[tuple[str, int], ...]
    sentence: str


class Picture(Struct, frozen=True):
    """The whole rollout: `folds` are standstills, as (left, width, what)."""

    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    folds: tuple[tuple[float, float, str], ...]


class Column(Struct, frozen=True):
    """One sweep: the shares of its measurements as heights in pixels, its values as places in pixels."""

    left: float
    width: float
    good: float
    bad: float
    unsure: float
    latency: tuple[float, float, float] | None
    title: str

    @property
    def center(self) -> float:
        """Return the middle of the column in percent."""
        return round(self.left + self.width / 2, 3)


class Plot(Struct, frozen=True):
    """What one probe measured while its gate looked; `top` is the value at the upper edge, if any."""

    columns: tuple[Column, ...]
    ticks: tuple[Tick, ...]
    top: str


def draw_rollout(facts: ReportFacts) -> Picture | None:
    """Return the picture of the rollout; None when it has not started."""
    if facts.started_at is None:
        return None
    closed = [(one.since, one.until, one.status) for one in facts.pauses if one.until is not None]
    scale = make_scale(
        facts.started_at, facts.ended_at or facts.as_of, [(since, until) for since, until, _ in closed]
    )
    folds = tuple(
        (scale.place(since), scale.place(until) - scale.place(since), f"{status} for {_lasted(since, until)}")
        for since, until, status in closed
    )
    return Picture(tuple(_draw_wave(facts, wave, scale) for wave in facts.waves), scale.ticks(), folds)


def _lasted(since: float, until: float) -> str:
    return format_seconds(until - since)


def _draw_wave(facts: ReportFacts, wave: WaveFacts, scale: Scale) -> Row:
    bars = tuple(_bars(facts, wave, scale))
    count = len(wave.hosts)
    size = "tiny" if count > _VERY_MANY else "small" if count > _MANY else "large"
    tally: dict[str, int] = {}
    for host in wave.hosts:
        tally[shown_standing(host)] = tally.get(shown_standing(host), 0) + 1
    return Row(
        wave=wave,
        bars=bars,
        verdicts=tuple(
            (scale.place(gate.decided_at), gate.verdict.value)
            for gate in wave.gates
            if gate.verdict and gate.decided_at is not None
        ),
        size=size,
        tally=tuple(tally.items()),
        sentence="; ".join(bar.title for bar in bars) or "nothing was started",
    )


def _bars(facts: ReportFacts, wave: WaveFacts, scale: Scale) -> Iterator[Bar]:
    if wave.started_at is not None and wave.worked_until is not None:
        worked = _lasted(wave.started_at, wave.worked_until)
        hosts = plural(sum(1 for host in wave.hosts if host.forward), "host")
        yield _bar(scale, "work", wave.started_at, wave.worked_until, hosts, f"{hosts} worked on in {worked}")
    for gate in wave.gates:
        if gate.side == "during":  # it watches all of the time, beside everything else
            continue
        until = gate.decided_at if gate.decided_at is not None else facts.as_of
        verdict = gate.verdict.value if gate.verdict else "not decided"
        title = f"gate {gate.name} {gate.side} the wave: {verdict} after {_lasted(gate.opened_at, until)}"
        yield _bar(scale, "gate", gate.opened_at, until, gate.name, title)
    if facts.rollback and facts.rollback.wave == wave.name:
        until = facts.rollback.ended_at or facts.as_of
        title = f"rollback for {_lasted(facts.rollback.started_at, until)}"
        yield _bar(scale, "rollback", facts.rollback.started_at, until, "rollback", title)


def _bar(scale: Scale, kind: str, since: float, until: float, label: str, title: str) -> Bar:  # noqa: PLR0913, PLR0917
    left = scale.place(since)
    width = round(scale.place(until) - left, 3)
    return Bar(kind, left, width, label if width >= _LEAST_LABELLED else "", title)


def draw_probe(facts: ReportFacts, gate: GateFacts, probe: ProbeFacts) -> Plot:
    """Return the probe's measurements over the time in which its gate looked."""
    end = max([gate.decided_at or facts.as_of, *(point.at for point in probe.points)])
    standstills = [(one.since, one.until) for one in facts.pauses if one.until is not None]
    scale = make_scale(gate.opened_at, end, standstills)
    top = max((point.latency.high for point in probe.points if point.latency), default=0.0)
    width = round(min(2.4, 70.0 / max(1, len(probe.points))), 3)
    columns = []
    for point in probe.points:
        left = min(max(scale.place(point.at) - width / 2, 0.0), 100.0 - width)
        latency = None
        if point.latency and top:
            values = (point.latency.low, point.latency.middle, point.latency.high)
            low, middle, high = (
                round(LATENCY_HEIGHT - 6 - value / top * (LATENCY_HEIGHT - 12), 1) for value in values
            )
            latency = (low, middle, high)
        good, bad, unsure = _heights(point.counts)
        title = f"after {_lasted(gate.opened_at, point.at)}: {tell_counts(point.counts)}"
        columns.append(Column(round(left, 3), width, good, bad, unsure, latency, title))
    return Plot(tuple(columns), scale.ticks(), format_latency(top) if top else "")


def _heights(counts: Counts) -> tuple[float, float, float]:
    """Return the shares of good, bad and neither as pixels of a column."""
    total = counts.total or 1
    shares = (counts.good, counts.bad, counts.inconclusive + counts.error)
    bad, unsure = (
        max(_LEAST_SEEN, round(share / total * SHARE_HEIGHT, 1)) if share else 0.0 for share in shares[1:]
    )
    return round((SHARE_HEIGHT - bad - unsure) if counts.good else 0.0, 1), bad, unsure


def cell_title(host: HostFacts) -> str:
    """Return what the cell of a host says to somebody who points at it."""
    trouble = f": {host.trouble}" if host.trouble else ""
    return f"{host.name}: {shown_standing(host).replace('_', ' ')}{trouble}"
