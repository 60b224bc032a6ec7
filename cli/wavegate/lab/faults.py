"""Breaking a host of the lab in one of the ways in which real hosts break, and putting it back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from msgspec import Struct

from wavegate.errors import WavegateError
from wavegate.lab import reach
from wavegate.lab.engine import Engine, detect_engine
from wavegate.lab.material import read_material
from wavegate.lab.state import HostRecord, Lab, LabFolder

_READY_SECONDS = 60.0
_SLOW_CPUS = "0.05"
_FREEZES = 5


class Fault(Struct, frozen=True):
    """One way to break a host: what it means to whoever talks to the host."""

    name: str
    meaning: str


FAULTS = (
    Fault("stop", "the host is gone, as without power"),
    Fault("hang", "the host answers nothing, open connections stay open"),
    Fault("partition", "every packet from and to the host is dropped"),
    Fault("full-disk", "no space left in /var/lib/intranet"),
    Fault("sshd", "no ssh any more, everything else goes on"),
    Fault("service", "the intranet service is down"),
    Fault("slow", "every command takes many times as long"),
)

# Done from outside; the others happen inside the host, which must be awake for them.
_OUTSIDE = ("stop", "hang", "slow")


def break_host(project: Path, fault: str, host: str, say: Callable[[str], None]) -> Lab:
    """Give one host one fault, written down before it is done; the same fault twice changes nothing.

    WavegateError `unknown-fault`, `unknown-host`, `host-is-down` (heal it first) or `no-service`.
    """
    folder = LabFolder(project)
    with folder.locked(say):
        lab = folder.require()
        known = _find_fault(fault)
        record = find_host(lab, host)
        engine = detect_engine(lab.engine)
        if fault not in _OUTSIDE:
            _require_awake(engine, lab, record)
        changed = lab.with_faults(host, tuple(dict.fromkeys((*record.faults, fault))))
        folder.save(changed)
        try:
            _apply(engine, lab.container(host), fault)
        except WavegateError as error:
            if error.code == "no-service":
                folder.save(lab)
            raise
        say(f"{host}: {known.meaning}")
        return changed


def heal_host(project: Path, host: str, say: Callable[[str], None]) -> Lab:
    """Undo every fault of one host and wait until it answers over ssh again."""
    folder = LabFolder(project)
    with folder.locked(say):
        lab = folder.require()
        record = find_host(lab, host)
        engine = detect_engine(lab.engine)
        container = lab.container(host)
        if container not in engine.containers(lab.id):
            raise WavegateError("host-is-missing", f"the container of {host} is gone", hint="wavegate lab up")
        undo(engine, container, record.faults)
        reach.wait_until_reachable([record], lambda address: reach.answers(folder, address), _READY_SECONDS)
        healed = lab.with_faults(host, ())
        folder.save(healed)
        say(
            f"{host}: healed {', '.join(record.faults)}"
            if record.faults
            else f"{host}: had no fault, and answers"
        )
        return healed


def find_host(lab: Lab, name: str) -> HostRecord:
    """Return one host of the lab; WavegateError `unknown-host` suggests the nearest name."""
    for host in lab.hosts:
        if host.name == name:
            return host
    raise _unknown("host", name, [host.name for host in lab.hosts])


def undo(engine: Engine, container: str, faults: Sequence[str]) -> None:
    """Put a container back to how it was before these faults, whether or not each was really done."""
    wake(engine, container)
    if "slow" in faults:
        _limit_cpus(engine, container, str(_all_cpus()))
    for fault in faults:
        if fault not in _OUTSIDE:
            _inside(engine, container, "heal", fault)


def wake(engine: Engine, container: str) -> None:
    """Start a container that was stopped, or let a paused one go on."""
    state = _state(engine, container)
    if state.get("Paused"):
        engine.run("unpause", container)
    elif not state["Running"]:
        engine.run("start", container)


def _apply(engine: Engine, container: str, fault: str) -> None:
    paused = bool(_state(engine, container).get("Paused"))
    if fault == "stop":
        if paused:
            engine.run("unpause", container)
        engine.run("stop", "-t", "0", container)
    elif fault == "hang":
        if not paused:
            _pause(engine, container)
    elif fault == "slow":
        _limit_cpus(engine, container, _SLOW_CPUS)
    else:
        _inside(engine, container, "break", fault)


def _pause(engine: Engine, container: str) -> None:
    """Pause a container; the freezer of cgroup v1 gives up on one that starts many processes just then."""
    for _ in range(_FREEZES - 1):
        if engine.try_run("pause", container):
            return
    engine.run("pause", container)


def _inside(engine: Engine, container: str, action: str, fault: str) -> None:
    script = read_material("fault.sh").encode()
    said = engine.execute(container, "sh", "-s", "--", action, fault, stdin=script, privileged=True)
    if said.strip() == b"no-service":
        raise WavegateError(
            "no-service",
            "the intranet service is not installed on this host, so it cannot be taken down",
            hint="Roll it out first: wavegate run rollouts/install-intranet.yml",
        )


def _limit_cpus(engine: Engine, container: str, cpus: str) -> None:
    engine.run("update", "--cpus", cpus, container)


def _all_cpus() -> int:
    # No engine takes "no limit" back: as many processors as there are is the same.
    return os.cpu_count() or 1


def _require_awake(engine: Engine, lab: Lab, host: HostRecord) -> None:
    state = _state(engine, lab.container(host.name))
    if not state["Running"] or state.get("Paused"):
        raise WavegateError(
            "host-is-down",
            f"{host.name} is stopped or hangs: nothing else can be broken there now",
            hint=f"wavegate lab heal {host.name}",
        )


def _state(engine: Engine, container: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(engine.run("inspect", "--type", "container", container))
    state: dict[str, Any] = found[0]["State"]
    return state


def _find_fault(name: str) -> Fault:
    for fault in FAULTS:
        if fault.name == name:
            return fault
    raise _unknown("fault", name, [fault.name for fault in FAULTS])


def _unknown(kind: str, name: str, known: Sequence[str]) -> WavegateError:
    near = get_close_matches(name, known, n=1)
    hint = (f"Did you mean {near[0]}? " if near else "") + f"It has: {', '.join(known)}"
    return WavegateError(f"unknown-{kind}", f"the lab knows no {kind} {name!r}", hint=hint)
