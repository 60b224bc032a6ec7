"""Turn a checked rollout file into the core's own words; nothing here can fail."""

from __future__ import annotations

from typing import Any

from wavegate.config.schema import (
    Approval,
    BecomeSettings,
    BudgetSettings,
    Gate,
    Rehearsed,
    RollbackSettings,
    RolloutFile,
    Wave,
)
from wavegate.config.schema_probes import Probe
from wavegate.core.quantity import Amount, format_duration
from wavegate.core.spec import (
    BUDGET_CLASSES,
    ApprovalSpec,
    Become,
    BudgetSpec,
    GateProbe,
    GateSpec,
    OnBreach,
    ProbeSpec,
    Procedure,
    RehearsalSpec,
    RollbackSpec,
    RolloutSpec,
    Sampling,
    Scope,
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
            **_collect_conditions(file),
            **{name: _normalize_probe(name, probe) for name, probe in file.probes.items()},
        },
        gates={name: _normalize_gate(name, gate, file) for name, gate in file.gates.items()},
        waves=tuple(_normalize_wave(index, wave) for index, wave in enumerate(file.waves)),
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
    kinds = {"http": probe.http, "tcp": probe.tcp, "command": probe.command, "host": probe.host}
    kind, settings = next((kind, settings) for kind, settings in kinds.items() if settings)
    data: dict[str, Any] = settings.model_dump(by_alias=True)
    timeout = data.pop("timeout")
    data = {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}
    return ProbeSpec(name=name, kind=kind, scope=probe.scope, timeout=timeout, settings=data)


def _normalize_gate(name: str, gate: Gate, file: RolloutFile) -> GateSpec:
    used = tuple(
        GateProbe(probe=probe, sampling=_resolve_sampling(gate, file.probes[probe])) for probe in gate.probes
    )
    if gate.rehearsed:
        condition = GateProbe(
            probe=_name_condition(gate.rehearsed), sampling=Sampling(interval=gate.interval or 0.0)
        )
        used = (condition, *used)
    return GateSpec(
        name=name,
        probes=used,
        soak=gate.soak or 0.0,
        max_wait=gate.max_wait or 0.0,
        approval=_normalize_approval(gate.approval, file.people),
    )


def _collect_conditions(file: RolloutFile) -> dict[str, ProbeSpec]:
    """Return the gates' conditions, each of which is a probe that measures once for all hosts."""
    wanted = [gate.rehearsed for gate in file.gates.values() if gate.rehearsed]
    return {
        _name_condition(one): ProbeSpec(
            name=_name_condition(one),
            kind="rehearsed",
            scope=Scope.ONCE,
            settings={"within": one.within},
            timeout=_CONDITION_SECONDS,
        )
        for one in wanted
    }


_CONDITION_SECONDS = 30.0


def _name_condition(rehearsed: Rehearsed) -> str:
    return f"rehearsed within {format_duration(rehearsed.within or 0.0)}"


def _normalize_approval(asked: Approval | None, groups: dict[str, tuple[str, ...]]) -> ApprovalSpec | None:
    """Return whom the gate asks, with groups written out: a group that is edited later changes no plan."""
    if asked is None:
        return None
    people = (person for name in asked.by for person in groups.get(name, (name,)))
    values = asked.model_dump() | {"by": tuple(dict.fromkeys(people))}
    return ApprovalSpec(**values)


def _resolve_sampling(gate: Gate, probe: Probe) -> Sampling:
    """Return how this gate uses the probe: the probe's own key wins over the gate's, then the default."""
    values = {key: getattr(gate, key) for key in _SAMPLING_KEYS}
    values |= {key: getattr(probe, key) for key in _SAMPLING_KEYS if getattr(probe, key) is not None}
    return Sampling(**values, dry_run=probe.dry_run)


def _normalize_wave(index: int, wave: Wave) -> WaveSpec:
    names = set(Wave.model_fields) - {"batch", "failure_budget"}
    values = {name: getattr(wave, name) for name in names}
    batch: tuple[Amount, ...] = wave.batch
    budget = _normalize_budget(wave.failure_budget)
    return WaveSpec(path=f"waves[{index}]", batch=batch, failure_budget=budget, **values)
