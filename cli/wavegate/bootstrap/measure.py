"""The probes of a rollout file, measured outside of any rollout: once, or again and again as a gate would."""

from __future__ import annotations

import json
import queue
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from wavegate.bootstrap.material import SNAPSHOT, Frozen
from wavegate.bootstrap.prepare import Prepared, prepare
from wavegate.bootstrap.wiring import forget_runtime, make_launch, make_prober
from wavegate.core import events as ev
from wavegate.core.folding import fold
from wavegate.core.gate import Judgement, judge_gate
from wavegate.core.plan import Plan
from wavegate.core.sampling import sweeps_due, wakes_at
from wavegate.core.spec import GateProbe, GateSpec, Sampling
from wavegate.core.state import GateState, State
from wavegate.errors import WavegateError

if TYPE_CHECKING:
    from wavegate.adapters.probes.prober import LocalProber

_WAVE, _SIDE = "", "after"
_EVERY_PROBE = ""
"""The name of the gate that stands for all probes of a file."""
_LOOK_SECONDS = 0.25

Show = Callable[[ev.SweepEnded, Judgement], None]
"""Is told of each sweep as it ends, and of what the gate would say now."""


class Choice(Struct, frozen=True, kw_only=True):
    """What is measured: a gate's probes (None: all), on a wave or an Ansible pattern (None: all hosts)."""

    gate: str | None = None
    wave: str | None = None
    hosts: str | None = None


def measure_once(file: Path, choice: Choice) -> list[ev.SweepEnded]:
    """Return one finished sweep for each probe; raise WavegateError for an unknown gate, wave or host."""
    with _prepare(file, choice) as bench:
        due = bench.start_due()
        ended = {sweep.probe: sweep for sweep in (bench.arrived.get() for _ in due)}
    return [ended[sweep.probe] for sweep in due]


def measure_on(file: Path, choice: Choice, show: Show) -> None:
    """Measure as the gate would, at its intervals, until something is raised (Ctrl-C)."""
    with _prepare(file, choice) as bench:
        while True:
            bench.start_due()
            wake = wakes_at(bench.plan, bench.gate, time.time()) or 0.0
            patience = min(_LOOK_SECONDS, max(0.01, wake - time.time()))
            try:
                bench.fold(sweep := bench.arrived.get(timeout=patience))
            except queue.Empty:
                continue
            show(sweep, judge_gate(bench.plan, bench.gate, time.time()))


class _Bench(Struct):
    """A gate that looks, and what measures for it."""

    plan: Plan
    prober: LocalProber
    state: State = field(default_factory=State)
    arrived: queue.SimpleQueue[ev.SweepEnded] = field(default_factory=queue.SimpleQueue)

    @property
    def gate(self) -> GateState:
        gate = self.state.wave(_WAVE).after
        assert gate is not None  # noqa: S101 - it was opened right at the start
        return gate

    def fold(self, event: ev.Event) -> None:
        """Take note of what happened, as a rollout would."""
        fold(self.state, [ev.Record(self.state.seq + 1, time.time(), event)])

    def start_due(self) -> tuple[ev.SweepStarted, ...]:
        """Start the sweeps that are due, and return them."""
        due = sweeps_due(self.plan, self.gate, time.time())
        for sweep in due:
            self.fold(sweep)
            self.prober.measure(sweep, self.plan.probes[sweep.probe], self._take)
        return due

    def _take(self, event: ev.Event) -> None:
        if isinstance(event, ev.SweepEnded):
            self.arrived.put(event)


@contextmanager
def _prepare(file: Path, choice: Choice) -> Iterator[_Bench]:
    prepared = prepare(file, *([choice.hosts] if choice.hosts else []))
    gate = _choose_gate(prepared, choice.gate)
    spec = _at_once(prepared.plan.gates[gate]) if choice.gate else _gate_of_all(prepared)
    plan = replace(prepared.plan, gates={gate: spec})
    hosts = _choose_hosts(prepared, choice)
    with tempfile.TemporaryDirectory(prefix="wavegate-probe-") as folder:
        work = Path(folder)
        (work / SNAPSHOT).write_text(json.dumps(prepared.answer.snapshot), encoding="utf-8")
        frozen = Frozen(prepared.project, work, prepared.project, prepared.spec, prepared.answer)
        prober = make_prober(make_launch("probe", prepared.plan, frozen), prepared.plan, frozen)
        bench = _Bench(plan, prober)
        bench.fold(ev.GateOpened(_WAVE, _SIDE, gate, hosts))
        try:
            yield bench
        finally:
            prober.close()
            forget_runtime(work)


def _at_once(gate: GateSpec) -> GateSpec:
    """Return the gate without the time that it leaves a wave before it looks."""
    uses = tuple(replace(use, sampling=replace(use.sampling, initial_delay=0.0)) for use in gate.probes)
    return replace(gate, probes=uses)


def _gate_of_all(prepared: Prepared) -> GateSpec:
    uses = tuple(GateProbe(probe=name, sampling=Sampling()) for name in prepared.plan.probes)
    return GateSpec(name=_EVERY_PROBE, probes=uses)


def _choose_gate(prepared: Prepared, gate: str | None) -> str:
    plan = prepared.plan
    if gate is not None and gate not in plan.gates:
        raise _unknown("gate", gate, list(plan.gates))
    if not plan.probes or (gate is not None and not plan.gates[gate].probes):
        where = f"gate {gate} of {prepared.file}" if gate else str(prepared.file)
        raise WavegateError("no-probes", f"{where} has no probes", hint="add `probes:` to it")
    return gate or _EVERY_PROBE


def _choose_hosts(prepared: Prepared, choice: Choice) -> tuple[str, ...]:
    plan = prepared.plan
    hosts = plan.hosts
    if choice.wave is not None:
        waves = {wave.name: wave.hosts for wave in plan.waves}
        if choice.wave not in waves:
            raise _unknown("wave", choice.wave, list(waves))
        hosts = waves[choice.wave]
    if choice.hosts:
        chosen = set(prepared.answer.fleet.patterns.get(choice.hosts, ()))
        hosts = tuple(host for host in hosts if host in chosen)
        if not hosts:
            raise _unknown("host", choice.hosts, list(plan.hosts))
    return hosts


def _unknown(kind: str, name: str, known: list[str]) -> WavegateError:
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(known) or 'none'}"
    return WavegateError(f"{kind}-unknown", f"there is no {kind} {name!r} in the rollout file", hint=hint)
