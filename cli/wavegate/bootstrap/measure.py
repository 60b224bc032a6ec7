"""One sweep of the probes of a rollout file over the hosts of its plan, outside of any rollout."""

from __future__ import annotations

import json
import queue
import tempfile
from difflib import get_close_matches
from pathlib import Path

from wavegate.bootstrap.material import SNAPSHOT, Frozen
from wavegate.bootstrap.prepare import Prepared, prepare
from wavegate.bootstrap.wiring import forget_runtime, make_launch, make_prober
from wavegate.core.events import Event, SweepEnded, SweepStarted
from wavegate.core.spec import Scope
from wavegate.errors import WavegateError


def measure_once(file: Path, gate: str | None, wave: str | None) -> list[SweepEnded]:
    """Return one finished sweep for each probe; raise WavegateError for an unknown gate or wave."""
    prepared = prepare(file)
    probes = _choose_probes(prepared, gate)
    hosts = _choose_hosts(prepared, wave)
    arrived: queue.SimpleQueue[Event] = queue.SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="wavegate-probe-") as folder:
        work = Path(folder)
        (work / SNAPSHOT).write_text(json.dumps(prepared.answer.snapshot), encoding="utf-8")
        frozen = Frozen(prepared.project, work, prepared.project, prepared.spec, prepared.answer)
        prober = make_prober(make_launch("probe", prepared.plan, frozen), frozen)
        try:
            for name in probes:
                probe = prepared.plan.probes[name]
                targets = ("",) if probe.scope is Scope.ONCE else hosts
                prober.measure(SweepStarted("", "", name, 1, targets), probe, arrived.put)
            ended = {
                event.probe: event
                for event in (arrived.get() for _ in probes)
                if isinstance(event, SweepEnded)
            }
        finally:
            prober.close()
            forget_runtime(work)
    return [ended[name] for name in probes]


def _choose_probes(prepared: Prepared, gate: str | None) -> tuple[str, ...]:
    plan = prepared.plan
    if gate is None:
        if not plan.probes:
            raise WavegateError("no-probes", f"{prepared.file} has no probes", hint="add `probes:` to it")
        return tuple(plan.probes)
    if gate not in plan.gates:
        raise _unknown("gate", gate, list(plan.gates))
    return tuple(use.probe for use in plan.gates[gate].probes)


def _choose_hosts(prepared: Prepared, wave: str | None) -> tuple[str, ...]:
    if wave is None:
        return prepared.plan.hosts
    for planned in prepared.plan.waves:
        if planned.name == wave:
            return planned.hosts
    raise _unknown("wave", wave, [planned.name for planned in prepared.plan.waves])


def _unknown(kind: str, name: str, known: list[str]) -> WavegateError:
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
    return WavegateError(f"{kind}-unknown", f"there is no {kind} {name!r} in the rollout file", hint=hint)
