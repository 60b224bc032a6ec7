"""Where a rollout stands, as a table for the terminal: by `status` once, by `run` live."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wavegate.core.outcomes import WALKING
from wavegate.core.quantity import format_duration
from wavegate.reports.sentences import some
from wavegate.reports.standing import Standing, WatchStanding, WaveStanding
from wavegate.reports.taken_out import TakenOut

_STYLE = {
    "completed": "green",
    "running": "cyan",
    "soaking": "cyan",
    "halted": "red",
    "rolled_back": "red",
    "rollback_failed": "red bold",
    "rolling_back": "yellow",
    "held": "yellow",
    "interrupted": "yellow",
    "waiting": "cyan",
    "not_started": "dim",
}
_BAR = 12


def render_standing(standing: Standing, now: float, *, died: bool = False) -> RenderableType:
    """Return the table of waves with a heading and what is waited for, counted down to `now`.

    `died`: the process that walked it did, so that nobody puts back what is taken out.
    """
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for column in ("wave", "state", "hosts", "", "bad", "time", "gate"):
        table.add_column(column, header_style="bold", overflow="fold")
    for wave in standing.waves:
        table.add_row(*_row(wave, now))
    parts: list[RenderableType] = [_heading(standing, now), table]
    flying = [host for wave in standing.waves for host in wave.in_flight]
    if flying:
        parts.append(Text(f"in flight: {some(flying)}", "cyan"))
    for wave in standing.waves:
        if wave.watch and wave.status != "completed":
            parts += _watch(wave.name, wave.watch)
    is_walked = standing.status in WALKING and not died
    parts += [_taken_out(one, now, is_walked=is_walked) for one in standing.taken_out]
    if standing.reason:
        parts.append(Text(standing.reason))
    if standing.waits_for:
        parts.append(Text(f"waits for {standing.waits_for}", "dim"))
    return Group(*parts)


def _watch(wave: str, watch: WatchStanding) -> list[Text]:
    """Say what the background gate measured so far, and what it found."""
    lines = []
    for one in watch.impacts:
        budget = f"; error budget: {one.budget}" if one.budget else ""
        text = f"{watch.gate} watches {wave}: {one.text}{budget}"
        lines.append(Text(text, "red" if one.failed else "green" if one.requests else ""))
    if not watch.impacts:
        lines.append(Text(f"{watch.gate} watches {wave}: nothing was measured yet", "dim"))
    if watch.verdict in {"fail", "inconclusive"}:
        style = "red" if watch.verdict == "fail" else "yellow"
        lines.append(Text(f"{watch.gate} {watch.verdict.upper()}: {watch.reason}", style))
    return lines


def _taken_out(one: TakenOut, now: float, *, is_walked: bool) -> Text:
    """Say it quietly while the batch that took it out is at work, loudly where nobody is."""
    since = format_duration(max(0.0, now - one.since))
    text = f"taken out: {one.key} on {one.host} for {since}, put back by {one.undo}"
    if not one.failed and is_walked:
        return Text(text, "dim")
    return Text(f"STILL {text}" + (f"; it could not be: {one.failed}" if one.failed else ""), "red bold")


def _heading(standing: Standing, now: float) -> Text:
    text = Text.assemble((standing.name, "bold"), ": ", _say(standing.status))
    if standing.started_at is not None:
        text.append(f", {format_duration((standing.ended_at or now) - standing.started_at)}")
    if standing.seconds_left is not None:
        left = max(0.0, standing.seconds_left - (now - standing.at))
        text.append(f", about {format_duration(left)} left", "dim")
    return text


def _say(status: str) -> tuple[str, str]:
    """Return the status in words, and its style."""
    return status.replace("_", " "), _STYLE.get(status, "")


def _row(wave: WaveStanding, now: float) -> list[Text]:
    filled = _BAR * wave.done // wave.hosts if wave.hosts else 0
    bad = Text(f"{wave.bad} of {wave.tolerated}", "red" if wave.bad > wave.tolerated else "")
    return [
        Text(wave.name),
        Text.assemble(_say(wave.status)),
        Text(f"{wave.done}/{wave.hosts}"),
        Text("█" * filled + "░" * (_BAR - filled), "green" if wave.done == wave.hosts else "cyan"),
        bad if wave.bad or wave.tolerated else Text("0"),
        Text(format_duration(wave.seconds) if wave.seconds is not None else ""),
        _gate(wave, now),
    ]


def _gate(wave: WaveStanding, now: float) -> Text:
    gate = wave.gate
    if gate is None:
        return Text("")
    counts = f"{gate.good} good" + (f", {gate.bad} bad" if gate.bad else "")
    counts += f", {gate.errors} not measured" if gate.errors else ""
    if gate.verdict:
        style = {"pass": "green", "fail": "red"}.get(gate.verdict, "yellow")
        return Text(f"{gate.gate} {gate.verdict.upper()}: {counts}", style)
    left = gate.soaked_until - now
    return Text(
        f"{gate.gate}: {counts}" + (f", soak {format_duration(left)} left" if left > 0 else ""), "cyan"
    )
