"""The container engine, podman or docker: the only module that knows how the two differ."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from wavegate.errors import WavegateError
from wavegate.lab.advice import install_command

ENGINES = ("podman", "docker")
LAB_LABEL = "wavegate.lab"
_SECONDS = 120.0


class EngineError(WavegateError):
    """The engine refused a command; `why` is what it said."""

    def __init__(self, command: Sequence[str], said: str) -> None:
        shown = " ".join(command[:3])
        super().__init__(
            "engine-command-failed",
            f"the container engine refused `{shown} …`",
            why=said.strip()[-600:],
            hint="`wavegate lab up` repairs a half-built lab; `wavegate lab down` removes it.",
        )


class Engine(Struct, frozen=True):
    """One usable engine: `flags` go before every command, `limits` to every new container."""

    name: str
    program: str
    flags: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def run(self, *arguments: str, stdin: bytes = b"", seconds: float = _SECONDS) -> bytes:
        """Return what the command printed; EngineError when it fails or takes longer than `seconds`."""
        command = [self.program, *self.flags, *arguments]
        try:
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired as error:
            raise EngineError([self.name, *arguments], f"no answer within {seconds:.0f} s") from error
        if done.returncode != 0:
            raise EngineError([self.name, *arguments], (done.stderr or done.stdout).decode(errors="replace"))
        return done.stdout

    def try_run(self, *arguments: str, seconds: float = _SECONDS) -> bool:
        """Return whether the command succeeded; for questions whose no is not an error."""
        try:
            self.run(*arguments, seconds=seconds)
        except EngineError:
            return False
        return True

    def execute(
        self,
        container: str,
        *argv: str,
        stdin: bytes = b"",
        privileged: bool = False,
        seconds: float = _SECONDS,
    ) -> bytes:
        """Run a program inside a running container and return what it printed."""
        options = ["--privileged"] if privileged else []
        return self.run("exec", "-i", *options, container, *argv, stdin=stdin, seconds=seconds)

    def run_once(self, image: str, *argv: str, stdin: bytes = b"", seconds: float = _SECONDS) -> bytes:
        """Run a program in a container of its own, without a network, which is gone afterwards."""
        options = ("--rm", "-i", "--network", "none", *self.limits)
        return self.run("run", *options, image, *argv, stdin=stdin, seconds=seconds)

    def machine_flags(self) -> tuple[str, ...]:
        """Return the options with which systemd boots in a container of this engine."""
        if self.name == "podman":
            return ("--systemd=always", "--log-driver=k8s-file", *self.limits)
        return ("--privileged", "--cgroupns=private", "--tmpfs=/run", "--tmpfs=/run/lock", *self.limits)

    def containers(self, lab_id: str) -> dict[str, dict[str, Any]]:
        """Return the inspection of every container of one lab, by container name."""
        listed = self.run("ps", "-a", "-q", "--filter", f"label={LAB_LABEL}={lab_id}").decode().split()
        if not listed:
            return {}
        found = json.loads(self.run("inspect", "--type", "container", *listed))
        return {each["Name"].lstrip("/"): each for each in found}

    def has_image(self, image: str) -> bool:
        """Return whether the image is on this machine."""
        return self.try_run("image", "inspect", image)


def detect_engine(made_with: str = "") -> Engine:
    """Return an engine that answers: `made_with`, else WAVEGATE_ENGINE, else podman, else docker.

    WavegateError `no-container-engine` when there is none, `engine-not-usable` when none answers.
    """
    wanted = made_with or os.environ.get("WAVEGATE_ENGINE", "")
    found = [(name, path) for name in _names(wanted) if (path := shutil.which(name))]
    if not found:
        raise _missing(wanted)
    refusals = []
    for program, path in found:
        engine = Engine(name="docker" if "docker" in Path(program).name else "podman", program=path)
        said = _why_unusable(engine)
        if not said:
            return engine
        refusals.append(f"{program}: {said}")
    raise WavegateError(
        "engine-not-usable",
        "a container engine is installed, but it does not answer as the lab needs it",
        why="; ".join(refusals),
        hint="podman needs root; docker needs its daemon. WAVEGATE_ENGINE chooses between them.",
    )


def _names(wanted: str) -> Iterable[str]:
    return (wanted,) if wanted else ENGINES


def _missing(wanted: str) -> WavegateError:
    tried = f"no {wanted}" if wanted else "neither podman nor docker"
    return WavegateError(
        "no-container-engine",
        f"there is no container engine here: {tried} on the PATH",
        why="the hosts of the lab are containers with systemd",
        hint=f"Install one: {install_command()}",
    )


def _why_unusable(engine: Engine) -> str:
    """Return why this engine cannot carry a lab, or nothing."""
    if sys.platform != "linux":
        return "its containers live in a virtual machine, where ssh cannot reach their addresses"
    try:
        if engine.name == "docker":
            engine.run("version", "--format", "{{.Server.Version}}", seconds=30)
            return ""
        rootless = (
            engine.run("info", "--format", "{{.Host.Security.Rootless}}", seconds=30).strip() == b"true"
        )
    except EngineError as error:
        return error.why
    return (
        "without root its containers have no address that ssh can reach; run as root (sudo)"
        if rootless
        else ""
    )


def settle(engine: Engine, image: str) -> Engine:
    """Return the engine with the flags under which a container of `image` really starts on this machine.

    Tried in order: nothing special; lower limits (where they may not be raised, as inside another container);
    runc (crun refuses hybrid cgroups); both. EngineError of the first attempt when none works.
    """
    refusals: list[EngineError] = []
    for candidate in _candidates(engine):
        try:
            candidate.run_once(image, "/bin/true", seconds=60)
        except EngineError as error:
            refusals.append(error)
        else:
            return candidate
    raise refusals[0]


def _candidates(engine: Engine) -> Iterable[Engine]:
    limits = _limits_that_need_no_privilege()
    yield engine
    yield replace(engine, limits=limits)
    if engine.name == "podman" and shutil.which("runc", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
        yield replace(engine, flags=("--runtime=runc",))
        yield replace(engine, flags=("--runtime=runc",), limits=limits)


def _limits_that_need_no_privilege() -> tuple[str, ...]:
    flags = []
    for name, limit, soft, hard in (
        ("nofile", resource.RLIMIT_NOFILE, 1024, 4096),
        ("nproc", resource.RLIMIT_NPROC, 4096, 4096),
    ):
        own = resource.getrlimit(limit)[1]
        most = hard if own == resource.RLIM_INFINITY else min(hard, own)
        flags.append(f"--ulimit={name}={min(soft, most)}:{most}")
    return tuple(flags)
