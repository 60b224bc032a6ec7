"""Looks at this machine: what wavegate needs, what is there, and how to get what is not. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec import Struct

_LEAST_FREE = 500 * 1024 * 1024
_OLDEST_ANSIBLE = (2, 19)


class Finding(Struct, frozen=True):
    """One thing that was looked at; `needed_for` is "rollouts" (required), or what else would not work."""

    name: str
    ok: bool
    found: str
    needed_for: str = "rollouts"
    hint: str = ""

    @property
    def required(self) -> bool:
        """Whether no rollout can be walked without it."""
        return self.needed_for == "rollouts"


def examine(project: Path) -> list[Finding]:
    """Return what this machine has and lacks for a project folder."""
    looks: list[Callable[[], Finding]] = [
        _python,
        _ansible_core,
        lambda: _program("ansible-playbook", "rollouts", "pip install ansible-core"),
        lambda: _package("ansible-runner"),
        lambda: _program("ssh", "rollouts", _apt("openssh-client")),
        lambda: _ansible_cfg(project),
        lambda: _writable(project),
        lambda: _disk(project),
        _engine,
        lambda: _package("molecule", "testing roles", "pip install 'wavegate[roles]'"),
    ]
    return [look() for look in looks]


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), found, hint="install Python 3.11 or newer")


def _ansible_core() -> Finding:
    finding = _package("ansible-core")
    parts = finding.found.split(".")
    new_enough = finding.ok and tuple(int(part) for part in parts[:2]) >= _OLDEST_ANSIBLE
    oldest = ".".join(map(str, _OLDEST_ANSIBLE))
    return Finding("ansible-core", new_enough, finding.found, hint=f"pip install 'ansible-core>={oldest}'")


def _package(name: str, needed_for: str = "rollouts", hint: str = "") -> Finding:
    try:
        return Finding(name, ok=True, found=version(name), needed_for=needed_for)
    except PackageNotFoundError:
        hint = hint or f"pip install {name}"
        return Finding(name, ok=False, found="not installed", needed_for=needed_for, hint=hint)


def _program(name: str, needed_for: str, hint: str) -> Finding:
    beside = Path(sys.executable).with_name(name)
    path = str(beside) if beside.exists() else shutil.which(name)
    return Finding(name, ok=bool(path), found=path or "not found", needed_for=needed_for, hint=hint)


def _ansible_cfg(project: Path) -> Finding:
    path = project / "ansible.cfg"
    found = str(path) if path.exists() else "none upward from here; Ansible's own search applies"
    hint = "make one here: wavegate init"
    return Finding("ansible.cfg", path.exists(), found, "a project of its own", hint)


def _writable(project: Path) -> Finding:
    folder = project / ".wavegate"
    place = folder if folder.exists() else project
    ok = os.access(place, os.W_OK | os.X_OK)
    hint = f"give yourself write access to {place}"
    return Finding("project folder", ok, f"{folder} {'writable' if ok else 'not writable'}", hint=hint)


def _disk(project: Path) -> Finding:
    free = shutil.disk_usage(project).free
    found = f"{free // (1024 * 1024)} MiB free"
    return Finding(
        "disk", free >= _LEAST_FREE, found, hint="free some space for the journal and Ansible's output"
    )


def _engine() -> Finding:
    for name in ("podman", "docker"):
        path = shutil.which(name)
        if path:
            return Finding("container engine", ok=True, found=path, needed_for="the lab and molecule")
    return Finding(
        "container engine",
        ok=False,
        found="not found",
        needed_for="the lab and molecule",
        hint="wavegate lab up --install-engine (as root on Debian or Ubuntu), or install podman or docker",
    )


def _apt(package: str) -> str:
    """Return the command that installs the Debian package, or its name where there is no apt."""
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install {package}" if shutil.which("apt-get") else f"install {package}"
