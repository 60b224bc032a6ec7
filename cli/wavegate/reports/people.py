"""What people said at gates, as sentences."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from wavegate.core import events as ev
from wavegate.core.votes import APPROVE
from wavegate.reports.wording import BAD, CAREFUL, GOOD, Line, format_instant, tell_side

if TYPE_CHECKING:  # `status` uses some sentences of this, and no facts
    from wavegate.reports.facts import GateFacts, VoteFacts

PeopleEvent = ev.ApprovalRequested | ev.VoteCast | ev.VoteRefused | ev.GateOverridden


def tell_people(event: PeopleEvent) -> Line:
    """Return the sentence for what was asked of people, or what they said."""
    where = f"gate {event.gate} {tell_side(event.side, event.wave)}"
    match event:
        case ev.ApprovalRequested():
            until = format_instant(event.until, UTC)
            return Line(f"{where} asks people, until {until}: wavegate approve, or wavegate reject", CAREFUL)
        case ev.VoteCast():
            return _vote_cast(event, where)
        case ev.VoteRefused():
            return Line(
                f"{where}: the vote of {event.by} ({event.choice}) does not count: {event.reason}", BAD
            )
        case ev.GateOverridden():
            return Line(f"{where} OVERRIDDEN by {event.by}: {event.reason}", BAD)


def _vote_cast(event: ev.VoteCast, where: str) -> Line:
    did = "approved" if event.choice == APPROVE else "rejected"
    text = f"{where} {did} by {event.by}"
    text += f", signed with {event.key}" if event.signature else ""
    text += f": {event.comment}" if event.comment else ""
    for case in event.cases:
        text += f"; {_tell_case(case.name, case.result, case.evidence, case.sha256)}"
    return Line(text, GOOD if event.choice == APPROVE else BAD)


def _tell_case(name: str, result: str, evidence: str, sha256: str) -> str:
    shown = f", evidence {evidence} (sha256 {sha256[:12]})" if sha256 else ""
    return f"test case {name!r} {result}{shown}"


def tell_vote(vote: VoteFacts) -> str:
    """Return a vote as a line below its gate."""
    if vote.refused:
        return f"the vote of {vote.by} ({vote.choice}) does not count: {vote.refused}"
    text = f"{'approved' if vote.choice == APPROVE else 'rejected'} by {vote.by}"
    text += f", signed with {vote.key}" if vote.key else ""
    text += f": {vote.comment}" if vote.comment else ""
    return "; ".join((text, *(_tell_case(*case) for case in vote.cases)))


def tell_override(gate: GateFacts) -> str:
    """Return who let the rollout pass the gate, and why; "" when nobody had to."""
    if not gate.overridden_by:
        return ""
    return f"OVERRIDDEN by {gate.overridden_by}: {gate.override_reason}"
