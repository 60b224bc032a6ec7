"""A plan as a person reads it before saying yes."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.quantity import format_duration
from wavegate.core.spec import GateSpec, Procedure
from wavegate.reports.sentences import some
from wavegate.reports.wording import plural


def print_plan(plan: Plan, console: Console) -> None:
    """Print who, in which order, with which gates; the notes; the hash."""
    size = f"{plural(len(plan.hosts), 'host')} in {plural(len(plan.waves), 'wave')}"
    console.print(f"[bold]{plan.name}[/]: {size}")
    if plan.description:
        console.print(Text(plan.description, "dim"))
    console.print(_waves(plan))
    for gate in plan.gates.values():
        if any(gate.name in {wave.before, wave.after} for wave in plan.waves):
            console.print(Text(f"gate {gate.name}: {describe_gate(plan, gate)}"))
    console.print(Text("each batch: " + " → ".join(_procedures(plan)) + f", at most {_timeout(plan)}"))
    console.print(Text(f"on breach: {_policy(plan)}"))
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
        parts.append(f"{probe.name} ({probe.kind} every {format_duration(use.sampling.interval)}{dry})")
    return "; ".join(parts) + (f"; soak {format_duration(gate.soak)}" if gate.soak else "")


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the plan with its hash as JSON data; the keys are documented and stable."""
    return {"format": 1, "hash": plan.hash, **plan.to_json()}


def _waves(plan: Plan) -> Table:
    table = Table(box=None, pad_edge=False, show_edge=False)
    for column in ("wave", "hosts", "batches", "in flight", "tolerates", "before", "after", "who"):
        table.add_column(column, header_style="bold", justify="right" if column in _NUMBERS else "left")
    for wave in plan.waves:
        counts = (len(wave.hosts), _sizes(wave), wave.in_flight, wave.tolerated)
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
    total = f"; the whole rollout tolerates {plan.tolerated} bad" if plan.tolerated is not None else ""
    return what + (f" ({', '.join(rollback)})" if rollback else "") + total
