"""People at gates: which votes count, what they come to, and the text that a signature is about (design 4.6).

Votes are append-only and bound to the plan's hash. One rejection denies at once. When nobody answers in time
the gate stays shut; that is inconclusive, not a fail: nobody found anything wrong.
"""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.gate import Judgement
from wavegate.core.outcomes import Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import ApprovalSpec
from wavegate.core.state import GateState, State

NAMESPACE = "wavegate-vote"
"""The namespace of signatures: a signature made for anything else is none of a vote."""
APPROVE, REJECT = "approve", "reject"
PASSED, FAILED = "passed", "failed"


def judge_people(asked: ApprovalSpec, gate: GateState, now: float) -> Judgement:
    """Return what the votes come to at `now`; None while more of them are needed and may come."""
    for vote in gate.votes:
        if vote.choice == REJECT:
            return Judgement(Verdict.FAIL, f"rejected by {vote.by}: {vote.comment}")
    failed = [(vote.by, case) for vote in gate.votes for case in vote.cases if case.result == FAILED]
    if failed:
        by, case = failed[0]
        return Judgement(Verdict.FAIL, f"test case {case.name!r} failed, says {by}")
    missing = _tell_missing(asked, gate)
    if not missing:
        return Judgement(Verdict.PASS, _tell_approved(gate))
    if now >= gate.asked_until:
        return Judgement(Verdict.INCONCLUSIVE, f"nobody answered in time: {missing}")
    return Judgement(None, missing)


def with_ready_people(plan: Plan) -> Plan:
    """Return the plan with gates that people approve as soon as they are asked, for simulations."""
    at_once: dict[str, Any] = {"required": 0, "test_cases": ()}
    gates = {
        name: replace(gate, approval=replace(gate.approval, **at_once)) if gate.approval else gate
        for name, gate in plan.gates.items()
    }
    return replace(plan, gates=gates)


def approvers_of(gate: GateState) -> tuple[str, ...]:
    """Return the different people who approved, in the order of their votes."""
    return tuple(dict.fromkeys(vote.by for vote in gate.votes if vote.choice == APPROVE))


def open_cases(asked: ApprovalSpec, gate: GateState) -> tuple[str, ...]:
    """Return the test cases that nobody has reported yet."""
    reported = {case.name for vote in gate.votes for case in vote.cases}
    return tuple(name for name in asked.test_cases if name not in reported)


def _tell_missing(asked: ApprovalSpec, gate: GateState) -> str:
    parts = []
    given = len(approvers_of(gate))
    if given < asked.required:
        by = f" by {', '.join(asked.by)}" if asked.by else ""
        parts.append(f"{given} of {asked.required} approvals{by}")
    if cases := open_cases(asked, gate):
        parts.append(f"no result of test case {', '.join(map(repr, cases))}")
    return "; ".join(parts)


def _tell_approved(gate: GateState) -> str:
    cases = sum(len(vote.cases) for vote in gate.votes)
    signed = sum(1 for vote in gate.votes if vote.signature)
    text = f"approved by {', '.join(approvers_of(gate)) or 'nobody, since nobody was needed'}"
    text += f", {signed} signed" if signed else ""
    return text + (f", {cases} test case{'s' if cases != 1 else ''} passed" if cases else "")


def find_asking(state: State, gate: str = "") -> list[GateState]:
    """Return the gates that ask people now, or those of that name."""
    if state.is_closed or state.rollback:
        return []
    sides = [one for wave in state.waves.values() for one in (wave.before, wave.after)]
    asking = [one for one in sides if one and one.asked_at is not None and one.verdict is None]
    return [one for one in asking if not gate or one.gate == gate]


def find_objection(plan: Plan, state: State, vote: ev.VoteCast, now: float, fault: str = "") -> str:
    """Return why the vote does not count, "" when it does; `fault` is why its signature does not hold."""
    asking = [one for one in find_asking(state, vote.gate) if (one.wave, one.side) == (vote.wave, vote.side)]
    asked = plan.gates[vote.gate].approval if vote.gate in plan.gates else None
    if asked is None or not asking:
        return f"gate {vote.gate} does not ask anybody now"
    if vote.plan_hash != plan.hash:
        return f"it is for plan {vote.plan_hash[:12]}, and this rollout walks plan {plan.hash[:12]}"
    if vote.signature and fault:
        return fault
    if asked.signed and not vote.signature:
        return f"gate {vote.gate} wants signed votes, and this one is not"
    if vote.expires and now > vote.expires:
        return "it has expired"
    fault = _find_fault_of_person(asked, asking[0], state, vote) or _find_fault_of_content(asked, vote)
    return fault or _find_missing_cases(asked, asking[0], vote)


def _find_fault_of_person(asked: ApprovalSpec, gate: GateState, state: State, vote: ev.VoteCast) -> str:
    if asked.by and vote.by not in asked.by:
        return f"{vote.by} is not among those who are asked: {', '.join(asked.by)}"
    if vote.by == state.launched_by and not asked.launcher_may_vote:
        return f"{vote.by} started this rollout; somebody else has to look at it"
    if any(earlier.by == vote.by for earlier in gate.votes):
        return f"{vote.by} has voted at this gate already; a vote stands"
    return ""


def _find_fault_of_content(asked: ApprovalSpec, vote: ev.VoteCast) -> str:
    if vote.choice == REJECT and not vote.comment.strip():
        return "a rejection needs a comment"
    if asked.comment and not vote.comment.strip():
        return f"gate {vote.gate} wants a comment with each vote"
    names = [case.name for case in vote.cases]
    if unknown := [name for name in names if name not in asked.test_cases]:
        known = f"; there are: {', '.join(asked.test_cases)}" if asked.test_cases else ""
        return f"gate {vote.gate} has no test case {unknown[0]!r}{known}"
    if len(set(names)) < len(names):
        return "it names a test case twice"
    return ""


def _find_missing_cases(asked: ApprovalSpec, gate: GateState, vote: ev.VoteCast) -> str:
    """Refuse what would be the last vote and leaves a test case without a result: nobody could add it."""
    if vote.choice != APPROVE or len(approvers_of(gate)) + 1 < asked.required:
        return ""
    reported = {case.name for case in vote.cases}
    missing = [name for name in open_cases(asked, gate) if name not in reported]
    if not missing:
        return ""
    named = ", ".join(map(repr, missing))
    return f"no result of test case {named}: add --case '{missing[0]}=passed' (or failed)"


def message_of(rollout_id: str, vote: ev.VoteCast) -> str:
    """Return the text that is signed: everything that the vote means, so that it holds for nothing else."""
    cases = [
        {"name": case.name, "result": case.result, "evidence": case.evidence, "sha256": case.sha256}
        for case in vote.cases
    ]
    said = {
        "rollout": rollout_id,
        "plan": vote.plan_hash,
        "gate": vote.gate,
        "wave": vote.wave,
        "side": vote.side,
        "by": vote.by,
        "choice": vote.choice,
        "comment": vote.comment,
        "cases": cases,
        "expires": vote.expires,
    }
    return json.dumps(said, sort_keys=True, ensure_ascii=True, indent=1) + "\n"
