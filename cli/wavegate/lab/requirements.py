"""What the machine must have for a lab, and how it gets it; installs only when asked to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable

from wavegate.errors import WavegateError
from wavegate.lab.advice import APT_PACKAGES, install_command
from wavegate.lab.engine import Engine, detect_engine

BASE_IMAGE = "WAVEGATE_LAB_BASE_IMAGE"


def missing_tools() -> tuple[str, ...]:
    """Return the programs that building or reaching a lab would miss here, the engine left aside."""
    needed = ["ssh", "ssh-keygen"]
    if not os.environ.get(BASE_IMAGE):
        needed.append("mmdebstrap")
    return tuple(tool for tool in needed if not shutil.which(tool))


def ensure_engine(*, install: bool, say: Callable[[str], None], made_with: str = "") -> Engine:
    """Return a usable engine; with `install`, as root where there is apt, first install what is missing.

    WavegateError `no-container-engine`, `engine-not-usable` or `lab-tool-missing` with what helps.
    """
    if install and _may_install() and _lacks_something():
        _install(say)
    engine = detect_engine(made_with)
    missing = missing_tools()
    if missing:
        raise WavegateError(
            "lab-tool-missing",
            f"the lab needs {', '.join(missing)}, which this machine does not have",
            hint=f"{install_command()} (or, without mmdebstrap, name a Debian image in {BASE_IMAGE})",
        )
    return engine


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def _lacks_something() -> bool:
    try:
        detect_engine()
    except WavegateError:
        return True
    return bool(missing_tools())


def _install(say: Callable[[str], None]) -> None:
    say(f"installing the container engine: {' '.join(APT_PACKAGES)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-q", "update"],
        ["apt-get", "-q", "install", "-y", "--no-install-recommends", *APT_PACKAGES],
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise WavegateError(
                "engine-install-failed",
                f"`{' '.join(command[:3])}` failed",
                why=(done.stderr or done.stdout).strip()[-600:],
                hint="Repair the machine's apt settings, or install podman or docker by hand.",
            )
