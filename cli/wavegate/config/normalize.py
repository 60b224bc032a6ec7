"""Turn a checked rollout file into the core's own words; nothing here can fail."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from wavegate.config.keys import KindSettings
from wavegate.config.normalize_people import collect_conditions, normalize_approval, use_condition
from wavegate.config.schema import (
    BecomeSettings,
    BudgetSettings,
    Gate,
    RollbackSettings,
    RolloutFile,
    Wave,
)
from wavegate.config.schema_probes import Compare, Probe
from wavegate.core.quantity import Amount
from wavegate.core.spec import (
    BUDGET_CLASSES,
    Become,
    BudgetSpec,
    CompareSpec,
    ErrorBudget,
    GateProbe,
    GateSpec,
    OnBreach,
    ProbeSpec,
    Procedure,
    RehearsalSpec,
    RollbackSpec,
    RolloutSpec,
    Sampling,
    WaveSpec,
)

_SAMPLING_KEYS = (
    "interval",
    "count",
    "initial_delay",
    "failure_limit",
    "inconclusive_limit",
    "consecutive_error_limit",
    "consecutive_success_limit",
)


def normalize(file: RolloutFile) -> RolloutSpec:
    """Return the rollout that `file`, which has passed all rules, asks for."""
    return RolloutSpec(
        name=file.name,
        description=file.description,
        playbooks=_collect_playbooks(file),
        inventory=file.inventory,
        hosts=file.hosts,
        leave_out=file.leave_out,
        before=file.before,
        variables=file.vars,
        vault_password_files=file.vault.password_files if file.vault else (),
        become=_read_become(file.become),
        in_flight=file.in_flight,
        batch_timeout=file.batch_timeout or 0.0,
        failure_budget=_normalize_budget(file.failure_budget),
        rollback=_normalize_rollback(file.rollback),
        rehearsal=RehearsalSpec(**file.rehearsal.model_dump()) if file.rehearsal else RehearsalSpec(),
        on_breach=OnBreach(file.on_breach),
        probes={
            **collect_conditions(file),
            **{name: _normalize_probe(name, probe) for name, probe in file.probes.items()},
        },
        gates={name: _normalize_gate(name, gate, file) for name, gate in file.gates.items()},
        waves=tuple(_normalize_wave(index, wave, file.during) for index, wave in enumerate(file.waves)),
    )


def _collect_playbooks(file: RolloutFile) -> dict[Procedure, tuple[str, ...]]:
    written = {
        Procedure.PRECHECK: file.precheck,
        Procedure.BACKUP: file.backup,
        Procedure.APPLY: file.playbook,
        Procedure.VERIFY: file.verify,
        Procedure.ROLLBACK: file.rollback.playbook if file.rollback else (),
    }
    return {procedure: paths for procedure, paths in written.items() if paths}


def _normalize_budget(budget: BudgetSettings | None) -> BudgetSpec | None:
    if budget is None:
        return None
    by_class = {name: getattr(budget, name) for name in BUDGET_CLASSES}
    written = {name: amount for name, amount in by_class.items() if amount is not None}
    return BudgetSpec(budget.total, written, budget.minimum_sample or 0)


def _normalize_rollback(rollback: RollbackSettings | None) -> RollbackSpec:
    if rollback is None:
        return RollbackSpec()
    return RollbackSpec(tolerated=rollback.failure_budget or 0, gate=rollback.gate)


def _read_become(become: BecomeSettings | bool | None) -> Become | None:  # noqa: FBT001 - a written value
    if become is None:
        return None
    if isinstance(become, bool):
        return Become(enabled=become)
    return Become(enabled=True, **become.model_dump())


def _normalize_probe(name: str, probe: Probe) -> ProbeSpec:
    kind, settings = next((kind, value) for kind, value in probe if isinstance(value, KindSettings))
    data = {key: _as_data(value) for key, value in settings.model_dump(by_alias=True).items()}
    timeout = data.pop("timeout")
    return ProbeSpec(
        name=name,
        kind=kind,
        scope=probe.scope,
        timeout=timeout,
        retries=probe.retries or 0,
        settings=data,
        by=probe.by,
        compare=_normalize_compare(probe.compare),
    )


def _normalize_compare(compare: Compare | None) -> CompareSpec | None:
    if compare is None:
        return None
    return CompareSpec(
        at_most=compare.at_most,
        confidence=compare.confidence,
        hosts=compare.hosts,
        reference=compare.with_,
        test=compare.test,
    )


def _as_data(value: Any) -> Any:
    """Return the value as the JSON data that a plan keeps."""
    if isinstance(value, Mapping):
        return {key: _as_data(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_data(item) for item in value]
    return str(value) if isinstance(value, StrEnum) else value


def _normalize_gate(name: str, gate: Gate, file: RolloutFile) -> GateSpec:
    used = tuple(
        GateProbe(probe=probe, sampling=_resolve_sampling(gate, file.probes[probe])) for probe in gate.probes
    )
    budget = gate.error_budget
    return GateSpec(
        name=name,
        probes=(*use_condition(gate), *used),
        soak=gate.soak or 0.0,
        max_wait=gate.max_wait or 0.0,
        approval=normalize_approval(gate.approval, file.people),
        error_budget=ErrorBudget(downtime=budget.downtime, errors=budget.errors) if budget else None,
    )


def _resolve_sampling(gate: Gate, probe: Probe) -> Sampling:
    """Return how this gate uses the probe: the probe's own key wins over the gate's, then the default."""
    values = {key: getattr(gate, key) for key in _SAMPLING_KEYS}
    values |= {key: getattr(probe, key) for key in _SAMPLING_KEYS if getattr(probe, key) is not None}
    return Sampling(**values, dry_run=probe.dry_run)


def _normalize_wave(index: int, wave: Wave, during: str) -> WaveSpec:
    names = set(Wave.model_fields) - {"batch", "failure_budget", "during"}
    values = {name: getattr(wave, name) for name in names}
    batch: tuple[Amount, ...] = wave.batch
    budget = _normalize_budget(wave.failure_budget)
    during = wave.during or during
    return WaveSpec(path=f"waves[{index}]", batch=batch, failure_budget=budget, during=during, **values)
