"""The whole of a gate: first what is measured, then the people, then once more what is measured.

Nobody is asked to approve what cannot start; what was good when they were asked must still be good when the
last of them has answered (design 4.4).
"""

from __future__ import annotations

from collections.abc import Iterator

from wavegate.core import events as ev
from wavegate.core.gate import Judgement, judge_gate
from wavegate.core.outcomes import Verdict
from wavegate.core.plan import Plan
from wavegate.core.quantity import format_duration
from wavegate.core.state import GateState
from wavegate.core.votes import judge_people


def judge_all(plan: Plan, gate: GateState, now: float) -> Judgement:
    """Return the verdict of probes and people at `now`, the worst of them; None while it is too early."""
    spec = plan.gates[gate.gate]
    judgement = _judge_measured(plan, gate, now)
    if spec.approval and gate.asked_at is not None:
        people = judge_people(spec.approval, gate, now)
        if people.verdict is Verdict.FAIL or judgement.verdict is Verdict.PASS:
            judgement = people if people.verdict is not Verdict.PASS else _confirm(plan, gate, people)
    elif spec.approval and judgement.verdict is Verdict.PASS:
        judgement = Judgement(None, "people have to be asked")
    if judgement.verdict is None and spec.max_wait and now >= gate.opened_at + spec.max_wait:
        waited = format_duration(spec.max_wait)
        return Judgement(Verdict.INCONCLUSIVE, f"no verdict within max_wait {waited}: {judgement.reason}")
    return judgement


def _judge_measured(plan: Plan, gate: GateState, now: float) -> Judgement:
    spec = plan.gates[gate.gate]
    if spec.probes or not spec.approval:
        return judge_gate(plan, gate, now)
    soaks = now < gate.opened_at + spec.soak
    return Judgement(None, "soaking") if soaks else Judgement(Verdict.PASS, "nothing is measured")


def _confirm(plan: Plan, gate: GateState, people: Judgement) -> Judgement:
    """Wait for a measurement that began after the last vote."""
    for use in plan.gates[gate.gate].probes:
        if not use.sampling.dry_run and gate.series[use.probe].measured_at < gate.voted_at:
            return Judgement(None, f"waiting for a measurement of {use.probe} after the last vote")
    return people


def request_approval(plan: Plan, gate: GateState, now: float) -> ev.ApprovalRequested | None:
    """Return the question to people, once there is nothing else that keeps the gate shut."""
    asked = plan.gates[gate.gate].approval
    if asked is None or gate.asked_at is not None:
        return None
    if _judge_measured(plan, gate, now).verdict is not Verdict.PASS:
        return None
    return ev.ApprovalRequested(gate.wave, gate.side, gate.gate, now + asked.timeout)


def waits_until(plan: Plan, gate: GateState, now: float) -> Iterator[float]:
    """Yield the instants after `now` at which the gate has waited long enough."""
    spec = plan.gates[gate.gate]
    ends = [gate.opened_at + spec.max_wait] if spec.max_wait else []
    if gate.asked_at is not None:
        ends.append(gate.asked_until)
    if spec.soak and not spec.probes:
        ends.append(gate.opened_at + spec.soak)
    yield from (end for end in ends if end > now)
