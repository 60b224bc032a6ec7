"""What somebody should see before voting: what is asked, what is new, how it went, what was measured."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo
from typing import TYPE_CHECKING, Any

from msgspec import Struct, to_builtins

from wavegate.core.plan import Plan
from wavegate.core.state import GateState, State
from wavegate.core.votes import approvers_of, judge_people, open_cases
from wavegate.reports.facts import GateFacts
from wavegate.reports.people import tell_vote
from wavegate.reports.standing import Standing, standing_json, take_standing
from wavegate.reports.wording import clean, format_instant, tell_counts, tell_latency, tell_side

if TYPE_CHECKING:
    from rich.console import RenderableType


class Asked(Struct, frozen=True, kw_only=True):
    """One gate that asks people, for somebody who is to vote there.

    `differences` are those to the plan of `before`, the last rollout of that name; None without one.
    """

    gate: str
    wave: str
    side: str
    plan_hash: str
    launched_by: str
    launcher_may_vote: bool
    required: int
    by: tuple[str, ...]
    signed: bool
    missing: str
    until: float
    approved_by: tuple[str, ...]
    open_cases: tuple[str, ...]
    votes: tuple[str, ...]
    measured: tuple[str, ...]
    before: str
    differences: tuple[str, ...] | None
    standing: Standing


def tell_asked(  # noqa: PLR0913 - what a voter should see
    plan: Plan,
    state: State,
    gate: GateState,
    facts: GateFacts,
    now: float,
    *,
    before: str = "",
    differences: tuple[str, ...] | None = None,
) -> Asked:
    """Return what the gate asks, from the state and from what the report knows of the gate."""
    asked = plan.gates[gate.gate].approval
    assert asked is not None  # noqa: S101 - only a gate with an approval asks
    return Asked(
        gate=gate.gate,
        wave=gate.wave,
        side=gate.side,
        plan_hash=plan.hash,
        launched_by=state.launched_by,
        launcher_may_vote=asked.launcher_may_vote,
        required=asked.required,
        by=asked.by,
        signed=asked.signed,
        missing=judge_people(asked, gate, now).reason,
        until=gate.asked_until,
        approved_by=approvers_of(gate),
        open_cases=open_cases(asked, gate),
        votes=tuple(tell_vote(vote) for vote in facts.votes),
        measured=tuple(_tell_measured(facts)),
        before=before,
        differences=differences,
        standing=take_standing(plan, state, now),
    )


def _tell_measured(facts: GateFacts) -> Iterator[str]:
    for probe in facts.probes:
        latency = f"; {tell_latency(probe.latency)}" if probe.latency else ""
        bad = f"; first bad: {probe.first_bad.target} {probe.first_bad.detail}" if probe.first_bad else ""
        yield f"{probe.name} ({probe.kind}): {tell_counts(probe.counts)}{latency}{bad}"


def asked_json(asked: Asked) -> dict[str, Any]:
    """Return what is asked as JSON data; the keys are documented and stable."""
    data: dict[str, Any] = to_builtins(asked)
    data["standing"] = standing_json(asked.standing)
    return data


def render_asked(asked: Asked, zone: tzinfo | None = None) -> RenderableType:
    """Return what is asked as people read it in a terminal."""
    from rich.console import Group
    from rich.text import Text

    from wavegate.reports.standing_text import render_standing

    def lines() -> Iterator[RenderableType]:
        yield Text(f"gate {asked.gate} {tell_side(asked.side, asked.wave)} asks people", "bold")
        who = ", ".join(asked.by) or "anybody"
        signed = ", with signed votes" if asked.signed else ""
        launcher = "" if asked.launcher_may_vote else f"; not {asked.launched_by}, who started it"
        yield Text(f"  wanted: {asked.missing}; may vote: {who}{signed}{launcher}")
        yield Text(f"  until {format_instant(asked.until, zone)}; plan {asked.plan_hash}")
        yield from (Text(f"  {clean(vote)}") for vote in asked.votes)
        yield Text("what is new", "bold")
        yield from (Text(f"  {clean(line)}") for line in _tell_new(asked))
        yield Text("what was measured", "bold")
        yield from (Text(f"  {clean(line)}") for line in asked.measured or ("nothing: this gate only asks",))
        yield Text("how it went so far", "bold")
        yield render_standing(asked.standing, asked.standing.at)

    return Group(*lines())


def _tell_new(asked: Asked) -> tuple[str, ...]:
    if asked.differences is None:
        return ("everything: there was no rollout of this name before",)
    if not asked.differences:
        return (f"nothing: the plan is that of rollout {asked.before}",)
    return (f"since rollout {asked.before}, whose votes count for nothing here:", *asked.differences)
