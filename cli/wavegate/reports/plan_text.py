"""A plan as a person reads it before saying yes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.quantity import format_duration
from wavegate.core.spec import ApprovalSpec, Budget, CompareSpec, ErrorBudget, GateSpec, Procedure
from wavegate.reports.impact import tell_error_budget
from wavegate.reports.sentences import some
from wavegate.reports.wording import plural


def print_plan(plan: Plan, console: Console) -> None:
    """Print who, in which order, with which gates; the notes; the hash."""
    size = f"{plural(len(plan.hosts), 'host')} in {plural(len(plan.waves), 'wave')}"
    console.print(f"[bold]{plan.name}[/]: {size}")
    if plan.description:
        console.print(Text(plan.description, "dim"))
    if plan.before:
        console.print(Text(f"before the first wave: gate {plan.before} over all hosts"))
    console.print(_waves(plan))
    for gate in plan.gates.values():
        waves = [gate.name in {wave.before, wave.during, wave.after} for wave in plan.waves]
        if gate.name == plan.before or any(waves):
            console.print(Text(f"gate {gate.name}: {describe_gate(plan, gate)}"))
    console.print(Text("each batch: " + " → ".join(_procedures(plan)) + f", at most {_timeout(plan)}"))
    console.print(Text(f"on breach: {_policy(plan)}"))
    console.print(Text(f"can be put back: {_eligible(plan)}"))
    if plan.left_out:
        console.print(Text(f"left out: {some(plan.left_out)} ({len(plan.left_out)})"))
    for note in plan.notes:
        console.print(Text(f"note: {note}", "yellow"))
    console.print(Text(f"plan hash {plan.hash}", "dim"))


def describe_gate(plan: Plan, gate: GateSpec) -> str:
    """Return what the gate measures, how often and for how long."""
    parts = []
    for use in gate.probes:
        probe = plan.probes[use.probe]
        dry = ", dry run" if use.sampling.dry_run else ""
        more = f", once for each {probe.by}" if probe.by else ""
        more += _describe_compare(probe.compare) if probe.compare else ""
        parts.append(f"{probe.name} ({probe.kind} every {format_duration(use.sampling.interval)}{more}{dry})")
    if gate.soak:
        parts.append(f"soak {format_duration(gate.soak)}")
    if gate.approval:
        parts.append(_describe_approval(gate.approval))
    if gate.max_wait:
        parts.append(f"waits at most {format_duration(gate.max_wait)}")
    if waves := [wave.name for wave in plan.waves if wave.during == gate.name]:
        parts += [f"watches during {', '.join(waves)}", _describe_error_budget(gate.error_budget)]
    return "; ".join(parts)


def _describe_error_budget(budget: ErrorBudget | None) -> str:
    return f"tolerates {tell_error_budget(budget.downtime, budget.errors)}" if budget else "only measures"


def _describe_compare(compare: CompareSpec) -> str:
    margin = f"+{round(100 * compare.at_most, 6):g}%"
    return f", at most {margin} beside {compare.hosts} untouched hosts at most"


def _describe_approval(asked: ApprovalSpec) -> str:
    who = f" of {', '.join(asked.by)}" if asked.by else ""
    signed = ", signed" if asked.signed else ""
    cases = f", test cases {', '.join(asked.test_cases)}" if asked.test_cases else ""
    within = format_duration(asked.timeout)
    return f"then {plural(asked.required, 'approval')}{who}{signed} within {within}{cases}"


def tell_budget(budget: Budget) -> str:
    """Return a budget in hosts: `1`, or `3 (unreachable 2), from 5 hosts on`."""
    classes = ", ".join(f"{kind.replace('_', ' ')} {number}" for kind, number in budget.by_class.items())
    text = str(budget.tolerated or 0) + (f" ({classes})" if classes else "")
    return text + (f", from {budget.minimum_sample} hosts on" if budget.minimum_sample else "")


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan with its hash as JSON data; the keys are documented and stable."""
    return {"format": 1, "hash": plan.hash, **plan.to_json()}


def _waves(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("wave", "hosts", "batches", "in flight", "tolerates", "before", "after", "who"):
        table.add_column(column, header_style="bold", justify="right" if column in _NUMBERS else "left")
    for wave in plan.waves:
        counts = (len(wave.hosts), _sizes(wave), wave.in_flight, tell_budget(wave.budget))
        gates = (wave.before or "-", wave.after or "-")
        who = " | ".join(some(batch.hosts) for batch in wave.batches[:_SHOWN_BATCHES])
        more = len(wave.batches) - _SHOWN_BATCHES
        who += f" | … {more} more batches" if more > 0 else ""
        table.add_row(wave.name, *(str(count) for count in counts), *gates, Text(who))
    return table


_NUMBERS = {"hosts", "in flight", "tolerates"}
_SHOWN_BATCHES = 8


def _sizes(wave: PlannedWave) -> str:
    sizes = [len(batch.hosts) for batch in wave.batches]
    if len(set(sizes)) == 1:
        return f"{len(sizes)} of {sizes[0]}"
    return (
        "+".join(map(str, sizes))
        if len(sizes) <= _SHOWN_BATCHES
        else f"{len(sizes)} of {min(sizes)}-{max(sizes)}"
    )


def _procedures(plan: Plan) -> list[str]:
    return [f"{procedure} ({', '.join(plan.playbooks[procedure])})" for procedure in plan.procedures]


def _timeout(plan: Plan) -> str:
    return format_duration(plan.batch_timeout)


def _policy(plan: Plan) -> str:
    rollback = plan.playbooks.get(Procedure.ROLLBACK)
    what = plan.on_breach.replace("_", " ")
    total = f"; the whole rollout tolerates {tell_budget(plan.budget)} bad" if _has_budget(plan) else ""
    return what + (f" ({', '.join(rollback)})" if rollback else "") + total


def _has_budget(plan: Plan) -> bool:
    return plan.tolerated is not None or bool(plan.budget.by_class)


def _eligible(plan: Plan) -> str:
    """Return who can be put back: known before anything starts."""
    if not plan.playbooks.get(Procedure.ROLLBACK):
        return "no host, for want of a rollback playbook"
    backup = plan.playbooks.get(Procedure.BACKUP)
    who = "every host whose backup was made" if backup else "every host that was begun; no backup is made"
    limits = f", stops at more than {plural(plan.rollback.tolerated, 'failure')}"
    gate = f", then gate {plan.rollback.gate}" if plan.rollback.gate else ""
    return who + limits + gate
