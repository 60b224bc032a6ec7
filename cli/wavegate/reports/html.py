"""The report as one self-contained HTML page: no script, nothing loaded from anywhere, everything escaped."""

from __future__ import annotations

from datetime import tzinfo
from functools import partial
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wavegate.core.outcomes import Status
from wavegate.reports import people, wording
from wavegate.reports.facts import ReportFacts
from wavegate.reports.impact import tell_impacts
from wavegate.reports.picture import LATENCY_HEIGHT, SHARE_HEIGHT, cell_title, draw_probe, draw_rollout

ICONS = {
    **dict.fromkeys(("done", "completed", "pass", "good"), "good"),
    **dict.fromkeys(("failed", "found_bad", "halted", "fail", "bad"), "bad"),
    **dict.fromkeys(("unreachable", "timed_out", "aborted", "inconclusive"), "unsure"),
    **dict.fromkeys(("held", "unsure"), "unsure"),
    **dict.fromkeys(("rolled_back", "rolling_back"), "back"),
    **dict.fromkeys(("rollback_failed", "died"), "alarm"),
    **dict.fromkeys(("in_flight", "running"), "flight"),
    **dict.fromkeys(("not_started", "planned", "plain"), "none"),
    **dict.fromkeys(("skipped", "interrupted", "waiting"), "pause"),
}
"""Which sign stands for what; every sign has its own shape, so that none depends on its colour."""


def render_html(facts: ReportFacts, *, zone: tzinfo | None = None) -> str:
    """Return the page; times are shown in `zone`, None is this machine's own."""
    environment = Environment(
        loader=PackageLoader("wavegate.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(_filters(zone))
    return environment.get_template("report.html.j2").render(
        facts=facts,
        overall="died" if facts.died else facts.status.value,
        is_closed=facts.ended_at is not None,
        completed=Status.COMPLETED.value,
        picture=draw_rollout(facts),
        gates=[(gate, [(one, draw_probe(facts, gate, one)) for one in gate.probes]) for gate in facts.gates],
        latency_height=LATENCY_HEIGHT,
        share_height=SHARE_HEIGHT,
    )


def _finalize(value: Any) -> Any:
    """Write control characters out, in everything that is not the template's own markup."""
    return wording.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _filters(zone: tzinfo | None) -> dict[str, Any]:
    return {
        "icon": lambda standing: ICONS[standing],
        "words": lambda standing: wording.STANDING_WORDS.get(standing, standing),
        "instant": partial(wording.format_instant, zone=zone),
        "clock": partial(wording.format_clock, zone=zone),
        "duration": wording.format_seconds,
        "plural": wording.plural,
        "counts": wording.tell_counts,
        "latency": wording.tell_latency,
        "impact": tell_impacts,
        "standing": wording.shown_standing,
        "cell_title": cell_title,
        "gate_title": wording.tell_gate,
        "override": people.tell_override,
        "vote": people.tell_vote,
    }
