"""What a lab remembers between two commands: one small file in the project, written as a whole."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from wavegate.errors import WavegateError
from wavegate.lab.layout import BALANCER_GROUP

_VERSION = 1


class HostRecord(Struct, frozen=True):
    """One host of a lab: where it is and which faults it was given."""

    name: str
    group: str
    cluster: str
    address: str
    faults: tuple[str, ...] = ()


class Lab(Struct, frozen=True):
    """One lab of one project; `id` is in the name of everything that it made on the machine."""

    id: str
    suite: str
    engine: str = ""
    image: str = ""
    subnet: str = ""
    package_host: str = ""
    hosts: tuple[HostRecord, ...] = ()

    @property
    def network(self) -> str:
        """Return the name of the lab's network."""
        return f"wavegate-{self.id}"

    def container(self, host: str) -> str:
        """Return the name of a host's container."""
        return f"wavegate-{self.id}-{host}"

    @property
    def balancer(self) -> HostRecord | None:
        """Return the machine that stands in front of the others, where the lab has one."""
        return next((host for host in self.hosts if host.group == BALANCER_GROUP), None)

    def with_faults(self, host: str, faults: tuple[str, ...]) -> Lab:
        """Return the lab with other faults at one host."""
        hosts = tuple(replace(each, faults=faults) if each.name == host else each for each in self.hosts)
        return replace(self, hosts=hosts)


class LabFolder(Struct, frozen=True):
    """Where a project keeps its lab."""

    project: Path

    @property
    def path(self) -> Path:
        """Return the lab's own folder, readable by its owner only."""
        return self.project / ".wavegate" / "lab"

    @property
    def key(self) -> Path:
        """Return the private ssh key of the lab's hosts."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Return the host keys of the lab's hosts."""
        return self.path / "known_hosts"

    @property
    def repository(self) -> Path:
        """Return the package repository, as the package host serves it."""
        return self.path / "repository"

    @property
    def inventory(self) -> Path:
        """Return the generated inventory."""
        return self.project / "inventories" / "lab" / "hosts.yml"

    def make(self) -> None:
        """Create the folder, closed to others."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.chmod(0o700)

    @contextmanager
    def locked(self, say: Callable[[str], None]) -> Iterator[None]:
        """Let one command at a time change this lab; a second one says that it waits."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.path.parent / "lab.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("another command is working on this lab; waiting for it")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def load(self) -> Lab | None:
        """Return the lab of this project or None; WavegateError `lab-state` when it cannot be read."""
        path = self.path / "lab.json"
        try:
            return _read_lab(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise WavegateError(
                "lab-state",
                f"{path} cannot be read",
                why=str(error),
                hint=f"Its containers carry the label wavegate.lab: remove them, then delete {self.path}.",
            ) from error

    def require(self) -> Lab:
        """Return the lab of this project; WavegateError `no-lab` when it has none."""
        lab = self.load()
        if lab is None:
            raise WavegateError(
                "no-lab", f"there is no lab in {self.project}", hint="Start one: wavegate lab up"
            )
        return lab

    def save(self, lab: Lab) -> None:
        """Write the lab down, all or nothing."""
        self.make()
        text = json.dumps({"version": _VERSION, **to_builtins(lab)}, indent=2)
        write_whole(self.path / "lab.json", text + "\n", mode=0o600)


def new_lab(suite: str) -> Lab:
    """Return an empty lab with an id that no other lab of the machine has."""
    return Lab(id=secrets.token_hex(4), suite=suite)


def _read_lab(raw: dict[str, Any]) -> Lab:
    if raw.pop("version") != _VERSION:
        raise ValueError("it was written by another version of wavegate")
    hosts = [HostRecord(**{**each, "faults": tuple(each["faults"])}) for each in raw.pop("hosts")]
    return Lab(**raw, hosts=tuple(hosts))


def write_whole(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file so that a reader sees the old text or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
