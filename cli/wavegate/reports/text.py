"""The report for a terminal: plain words in 80 columns; colour only helps, it never carries a meaning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import tzinfo
from io import StringIO
from textwrap import shorten

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wavegate.core.outcomes import Status
from wavegate.reports.facts import GateFacts, HostFacts, ProbeFacts, ReportFacts, WaveFacts
from wavegate.reports.impact import tell_impacts
from wavegate.reports.people import tell_override, tell_vote
from wavegate.reports.wording import (
    NOTHING,
    STANDING_WORDS,
    clean,
    format_clock,
    format_instant,
    format_seconds,
    plural,
    shown_standing,
    tell_counts,
    tell_gate,
    tell_latency,
)

_STYLES = {
    **dict.fromkeys(("done", "completed", "pass", "good"), "green"),
    **dict.fromkeys(("failed", "unreachable", "timed_out", "aborted", "rollback_failed", "found_bad"), "red"),
    **dict.fromkeys(("fail", "bad", "halted", "died"), "red"),
    **dict.fromkeys(("rolled_back", "rolling_back", "held", "interrupted"), "yellow"),
    **dict.fromkeys(("inconclusive", "unsure"), "yellow"),
}
_MOST_HOSTS = 60
_LONGEST_TROUBLE = 60
"""Of the trouble in the table of hosts; what went wrong is told in full above it."""
_MARKS = {"good": "+", "bad": "!", "unsure": "?", "plain": " "}


def render_text(
    facts: ReportFacts, *, color: bool = False, width: int = 80, zone: tzinfo | None = None
) -> str:
    """Return the report as text; times are shown in `zone`, None is this machine's own."""
    buffer = StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        legacy_windows=False,
    )
    for part in _parts(facts, zone):
        console.print(part)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"


def _parts(facts: ReportFacts, zone: tzinfo | None) -> Iterator[RenderableType]:
    yield from _head(facts, zone)
    yield from _section("Waves", [_waves(facts, zone)])
    if facts.impacts:
        yield from _section("Impact", list(_impacts(facts)))
    if facts.gates:
        yield from _section("Gates", [_gate(gate) for gate in facts.gates])
    if facts.troubles:
        troubles = [
            Group(
                _text(one.subject, "bold"),
                _indent(one.what),
                _indent(f"done about it: {one.done}"),
                *([_indent(f"more: {one.look}")] if one.look else []),
            )
            for one in facts.troubles
        ]
        yield from _section("What went wrong, and what was done about it", troubles)
    if facts.pauses:
        yield from _section("When it stood still", [_text(line) for line in _pauses(facts, zone)])
    if facts.left:
        yield from _section("What is left", [_text(sentence) for sentence in facts.left])
    yield from _section("Hosts", list(_hosts(facts)))
    yield from _section("Timeline", [_timeline(facts, zone)])


def _head(facts: ReportFacts, zone: tzinfo | None) -> Iterator[RenderableType]:
    word = "died" if facts.died else facts.status.value
    yield Text.assemble(
        ("Rollout report: ", "bold"),
        (_one_line(facts.name), "bold"),
        "  [",
        (STANDING_WORDS[word], f"bold {_STYLES.get(word, '')}".strip()),
        "]",
    )
    if facts.description:
        yield _text(facts.description)
    yield Text()
    yield _text(facts.headline)
    yield Text()
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in _particulars(facts, zone):
        table.add_row(_text(label, "dim"), _text(value))
    yield table


def _particulars(facts: ReportFacts, zone: tzinfo | None) -> Iterator[tuple[str, str]]:
    yield "id", facts.id
    yield "file", facts.file
    yield "playbooks", ", ".join(f"{path} ({procedure})" for procedure, path in facts.playbooks)
    yield "plan", facts.plan_hash[:16]
    yield "started by", facts.by or NOTHING
    yield "started", format_instant(facts.started_at, zone)
    if facts.ended_at is None:
        yield "as of", format_instant(facts.as_of, zone)
    else:
        yield "ended", format_instant(facts.ended_at, zone)
    yield "took", format_seconds(facts.seconds)
    if facts.reason and facts.status is not Status.COMPLETED:
        yield "reason", facts.reason
    if facts.impacts:
        yield "impact", tell_impacts(facts.impacts)
    if facts.tolerated is not None:
        bad = sum(host.is_bad for host in facts.hosts)
        yield "budget", f"the rollout tolerates {plural(facts.tolerated, 'bad host')}, ended with {bad}"


def _section(title: str, parts: Sequence[RenderableType]) -> Iterator[RenderableType]:
    yield Text()
    yield _text(title.upper(), "bold")
    for part in parts:
        yield Padding(part, (0, 0, 0, 2))


def _waves(facts: ReportFacts, zone: tzinfo | None) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False)
    for column in ("wave", "standing", "started", "took"):
        table.add_column(column, overflow="fold")
    table.add_column("done", justify="right")
    table.add_column("bad", justify="right")
    table.add_column("tolerated", justify="right")
    for wave in facts.waves:
        done = sum(1 for host in wave.hosts if shown_standing(host) == "done")
        table.add_row(
            _text(wave.name),
            _standing(wave.standing),
            format_clock(wave.started_at, zone),
            format_seconds(wave.seconds),
            f"{done}/{len(wave.hosts)}",
            str(len(wave.bad)) if _was_tried(wave) else NOTHING,
            str(wave.tolerated),
        )
    return table


def _was_tried(wave: WaveFacts) -> bool:
    return any(host.tries for host in wave.hosts)


def _impacts(facts: ReportFacts) -> Iterator[RenderableType]:
    """Tell what users felt, also where it was nothing."""
    for one in facts.impacts:
        yield _text(f"{one.wave}: {one.text}", "red" if one.failed else "")
        if one.budget:
            yield _indent(f"error budget: {one.budget}")


def _gate(gate: GateFacts) -> Group:
    verdict = gate.verdict.value if gate.verdict else "not decided" if gate.decides else "only measures"
    head = Text.assemble(
        (_one_line(tell_gate(gate)), "bold"), ": ", (verdict, f"bold {_STYLES.get(verdict, '')}".strip())
    )
    lines: list[RenderableType] = [head]
    if gate.reason:
        lines.append(_indent(gate.reason))
    if gate.overridden_by:
        lines.append(_indent(tell_override(gate), "bold red"))
    lines.extend(_indent(tell_vote(vote)) for vote in gate.votes)
    for probe in gate.probes:
        lines.extend(_indent(line) for line in _probe(probe))
    return Group(*lines)


def _probe(probe: ProbeFacts) -> Iterator[str]:
    mode = "" if probe.decides else ", dry run: never decides"
    yield f"{probe.name} ({probe.kind}{mode}): {tell_counts(probe.counts)}"
    if probe.latency:
        yield f"  {tell_latency(probe.latency)}"
    if probe.compared:
        yield f"  compared with untouched hosts: {probe.compared.verdict}: {probe.compared.reason}"
    if probe.first_bad:
        where = f" on {probe.first_bad.target}" if probe.first_bad.target else ""
        yield f"  first bad{where}: {probe.first_bad.detail}"
    if probe.last_bad and probe.last_bad != probe.first_bad:
        where = f" on {probe.last_bad.target}" if probe.last_bad.target else ""
        yield f"  last bad{where}: {probe.last_bad.detail}"
    if probe.last_error:
        yield f"  could not measure: {probe.last_error.detail}"


def _pauses(facts: ReportFacts, zone: tzinfo | None) -> Iterator[str]:
    for pause in facts.pauses:
        since = f"{format_clock(pause.since, zone)} {STANDING_WORDS[pause.status]}: {pause.reason}"
        if pause.until is None:
            yield f"{since}; not resumed yet"
        else:
            lasted = format_seconds(pause.until - pause.since)
            yield f"{since}; resumed by {pause.resumed_by} after {lasted}"


def _hosts(facts: ReportFacts) -> Iterator[RenderableType]:
    """List the hosts; of a large fleet only those that are neither plainly done nor untouched."""
    hosts = facts.hosts
    ordinary = Counter(host.standing for host in hosts if _is_ordinary(host))
    if len(hosts) > _MOST_HOSTS and ordinary:
        tally = ", ".join(
            f"{plural(n, 'host')} {STANDING_WORDS[standing]}" for standing, n in ordinary.items()
        )
        yield _text(f"{tally}: not listed here (--format html and --json list every host)")
        hosts = tuple(host for host in hosts if not _is_ordinary(host))
    if hosts:
        yield _host_table(hosts)


def _is_ordinary(host: HostFacts) -> bool:
    return host.standing in {"done", "not_started"} and not host.is_bad


def _host_table(hosts: Sequence[HostFacts]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, pad_edge=False)
    table.add_column("host", overflow="fold")
    table.add_column("wave", overflow="fold")
    table.add_column("outcome")
    table.add_column("took", justify="right", no_wrap=True)
    table.add_column("changed", justify="right")
    table.add_column("what happened", overflow="fold", ratio=1)
    for host in hosts:
        table.add_row(*_host(host))
    return table


def _host(host: HostFacts) -> tuple[Text, ...]:
    forward = host.forward if host.forward and host.forward.outcome else None
    return (
        _text(host.name),
        _text(host.wave),
        _standing(shown_standing(host)),
        Text(format_seconds(forward.seconds if forward else None)),
        Text(str(forward.changed) if forward else NOTHING),
        _text(shorten(host.trouble, _LONGEST_TROUBLE, placeholder=" ...")),
    )


def _timeline(facts: ReportFacts, zone: tzinfo | None) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for moment in facts.timeline:
        mark = Text(_MARKS[moment.tone], _STYLES.get(moment.tone, ""))
        table.add_row(format_clock(moment.at, zone), mark, _text(moment.text))
    return table


def _standing(standing: str) -> Text:
    return Text(STANDING_WORDS[standing], _STYLES.get(standing, ""))


def _indent(text: str, style: str = "") -> Padding:
    return Padding(_text(text, style), (0, 0, 0, 2))


def _text(text: str, style: str = "") -> Text:
    return Text(_one_line(text), style)


def _one_line(text: str) -> str:
    return clean(" ".join(text.split("\n")))
