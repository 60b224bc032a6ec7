"""The image of a lab host: made once per machine and recipe, shared by all labs of the machine."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wavegate.errors import WavegateError
from wavegate.lab import mirrors
from wavegate.lab.engine import Engine, settle
from wavegate.lab.material import read_material
from wavegate.lab.requirements import BASE_IMAGE

IMAGE_NAME = "localhost/wavegate-lab"
DEFAULT_SUITE = "bookworm"
_DEBIAN_SUITES = ("bookworm", "trixie")
_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "openssh-server", "python3", "python3-apt", "sudo", "iproute2",
    "iptables", "procps", "ca-certificates", "apt-utils", "gpg", "gpg-agent",
)  # fmt: skip
_BUILD_SECONDS = 900.0


def machine_release() -> tuple[str, str]:
    """Return this machine's distribution and its code name (`debian`, `bookworm`), empty when unknown."""
    try:
        release = mirrors.read_release(Path("/etc/os-release").read_text())
    except OSError:
        return "", ""
    return release.get("ID", ""), release.get("VERSION_CODENAME", "")


def choose_suite(wanted: str | None) -> str:
    """Return the suite to build; WavegateError `unknown-suite` when this machine cannot make it."""
    distribution, codename = machine_release()
    own = distribution not in ("", "debian") and not os.environ.get(BASE_IMAGE) and codename
    possible = (codename,) if own else _DEBIAN_SUITES
    if wanted is None:
        return possible[0]
    if wanted not in possible:
        raise WavegateError(
            "unknown-suite",
            f"the lab cannot be built from the suite {wanted!r}",
            hint=f"On this machine it can be {' or '.join(possible)}.",
        )
    return wanted


def image_reference(suite: str) -> str:
    """Return the image's name; the tag changes with everything that the image is made of."""
    recipe = [*_PACKAGES, read_material("bake.sh"), platform.machine(), os.environ.get(BASE_IMAGE, "")]
    digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()[:12]
    return f"{IMAGE_NAME}:{digest}-{suite}"


def ensure_image(engine: Engine, suite: str, say: Callable[[str], None]) -> tuple[Engine, str]:
    """Return the engine, settled for this machine, and the image, built when it is not there yet.

    WavegateError `lab-image-failed` says what the build said.
    """
    image = image_reference(suite)
    if engine.has_image(image):
        return settle(engine, image), image
    with _only_builder():
        if not engine.has_image(image):
            base = _get_base(engine, image, suite, say)
            say("preparing the image: an account for Ansible, ssh, nothing that runs by itself")
            _bake(settle(engine, base), base, image)
    return settle(engine, image), image


def remove_images(engine: Engine) -> None:
    """Remove every lab image of the machine that no container uses."""
    listed = engine.run(
        "images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", f"reference={IMAGE_NAME}*"
    )
    for image in sorted(set(listed.decode().split())):
        engine.try_run("rmi", image)


@contextmanager
def _only_builder() -> Iterator[None]:
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wavegate"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lab-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _get_base(engine: Engine, image: str, suite: str, say: Callable[[str], None]) -> str:
    official = os.environ.get(BASE_IMAGE)
    if official:
        say(f"starting from the image {official}")
        if not engine.has_image(official):
            _or_fail(lambda: engine.run("pull", official, seconds=_BUILD_SECONDS))
        return official
    base = image.replace(IMAGE_NAME, f"{IMAGE_NAME}-base")
    with tempfile.TemporaryDirectory(prefix="wavegate-image-") as folder:
        archive = Path(folder) / "base.tar"
        say(f"building a {suite} system from this machine's own mirror (about half a minute)")
        _bootstrap(suite, archive)
        _or_fail(lambda: engine.run("import", str(archive), base, seconds=_BUILD_SECONDS))
    return base


def _bootstrap(suite: str, archive: Path) -> None:
    distribution, codename = machine_release()
    lines = mirrors.lines_for(suite, codename, mirrors.machine_sources())
    if not lines:
        raise WavegateError(
            "lab-image-failed",
            f"this machine's apt settings name no mirror of {distribution or 'an unknown'} {codename}",
            hint=f"Set {BASE_IMAGE} to a Debian image of a registry that you can reach.",
        )
    command = [
        "mmdebstrap",
        "--variant=minbase",
        f"--include={','.join(_PACKAGES)}",
        suite,
        str(archive),
        *lines,
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise _failed(done.stderr)


def _bake(engine: Engine, base: str, image: str) -> None:
    container = f"wavegate-bake-{image.rpartition(':')[2]}"
    engine.try_run("rm", "-f", container)
    argv = ("sh", "-s", "--", " ".join(_PACKAGES))
    script = read_material("bake.sh").encode()
    options = ("--name", container, "-i", *engine.limits)
    _or_fail(lambda: engine.run("run", *options, base, *argv, stdin=script, seconds=_BUILD_SECONDS))
    _or_fail(
        lambda: engine.run(
            "commit", "--change", 'CMD ["/sbin/init"]', container, image, seconds=_BUILD_SECONDS
        )
    )
    engine.run("rm", "-f", container)
    if base.startswith(f"{IMAGE_NAME}-base"):
        engine.try_run("rmi", base)


def _or_fail(act: Callable[[], object]) -> None:
    try:
        act()
    except WavegateError as error:
        raise _failed(error.why) from error


def _failed(said: str) -> WavegateError:
    return WavegateError(
        "lab-image-failed",
        "the image of the lab's hosts could not be built",
        why=said.strip()[-600:],
        hint=f"Is the mirror reachable (`apt-get update`)? {BASE_IMAGE} names a registry's image instead.",
    )
