"""The containers of a lab: which it should have, which of those fit, and how a missing one is made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from wavegate.errors import WavegateError
from wavegate.lab import layout
from wavegate.lab.engine import LAB_LABEL, Engine, EngineError
from wavegate.lab.faults import wake
from wavegate.lab.material import read_material
from wavegate.lab.state import Lab

_SPEC_LABEL = f"{LAB_LABEL}.spec"
# Each systemd holds a few inotify instances, and all containers share root's: past the limit it stops half
# way through its boot without a word (inotify(7); the kernel's default is 128).
_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
_INOTIFY_EACH = 8
_INOTIFY_OTHERS = 512
_USABLE = ("running", "paused", "exited", "stopped")


class Machine(Struct, frozen=True):
    """One container that the lab should have: a host, or the package host."""

    name: str
    host: str
    address: str
    spec: str


def list_machines(lab: Lab) -> tuple[Machine, ...]:
    """Return every container that the lab should have, the package host first."""
    places = [(layout.PACKAGE_HOST, lab.package_host), *((host.name, host.address) for host in lab.hosts)]
    return tuple(
        Machine(lab.container(host), host, address, f"{lab.image} {address}") for host, address in places
    )


def clear_unfit(
    engine: Engine, lab: Lab, machines: Sequence[Machine], say: Callable[[str], None]
) -> list[Machine]:
    """Remove containers that do not fit, wake those that do, and return the machines still to be made."""
    present = engine.containers(lab.id)
    fit = {machine.name for machine in machines if _fits(present.get(machine.name), machine)}
    unfit = sorted(set(present) - fit)
    if unfit:
        say(f"removing {len(unfit)} containers that are broken or no longer wanted")
        remove_containers(engine, unfit)
    for machine in machines:
        if machine.name in fit and present[machine.name]["State"]["Status"] != "running":
            say(f"waking {machine.host}")
            wake(engine, machine.name)
    return [machine for machine in machines if machine.name not in fit]


def make_room(count: int, say: Callable[[str], None], limit_file: Path = _INOTIFY) -> None:
    """Raise the kernel's limit that `count` booting systemds would meet, or say how a person can."""
    wanted = _INOTIFY_OTHERS + _INOTIFY_EACH * count
    try:
        if int(limit_file.read_text()) >= wanted:
            return
        limit_file.write_text(str(wanted))
        say(f"raised fs.inotify.max_user_instances to {wanted}, until this machine reboots")
    except OSError:
        say(
            f"if hosts do not boot: sysctl -w fs.inotify.max_user_instances={wanted}, as root of this machine"
        )


def create_machine(engine: Engine, lab: Lab, machine: Machine) -> None:
    """Start a new container for one machine; it boots systemd and comes back after a reboot."""
    labels = (f"--label={LAB_LABEL}={lab.id}", f"--label={_SPEC_LABEL}={machine.spec}")
    place = (f"--network={lab.network}", f"--network-alias={machine.host}", f"--ip={machine.address}")
    fixed = f"--mac-address={layout.hardware_address(lab.id, machine.host)}"
    names = (f"--name={machine.name}", f"--hostname={machine.host}", "--restart=always")
    options = (*engine.machine_flags(), *names, *labels, *place, fixed)
    engine.run("run", "-d", *options, lab.image, "/sbin/init")


def welcome_machine(engine: Engine, machine: Machine, key: str) -> str:
    """Wait for systemd, let the lab's key in, return the host key; WavegateError `lab-not-ready` if not."""
    script = read_material("welcome.sh").encode()
    try:
        return engine.execute(machine.name, "sh", "-s", "--", key, stdin=script).decode().strip()
    except EngineError as error:
        raise WavegateError(
            "lab-not-ready",
            f"{machine.host} did not start as a host should",
            why=error.why,
            hint=f"`{engine.name} logs {machine.name}` may say more; `wavegate lab up` tries again.",
        ) from error


def remove_containers(engine: Engine, names: Iterable[str]) -> int:
    """Remove these containers at once, running or not, and return how many they were."""
    gone = list(names)
    if gone:
        engine.run("rm", "-f", "-v", *(("-t", "0") if engine.name == "podman" else ()), *gone)
    return len(gone)


def _fits(found: dict[str, Any] | None, machine: Machine) -> bool:
    if found is None or found["State"]["Status"] not in _USABLE:
        return False
    labels = found["Config"].get("Labels") or {}
    return bool(labels.get(_SPEC_LABEL) == machine.spec)
