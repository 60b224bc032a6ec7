"""The lab's signed apt repository: built by Debian's tools inside the lab's image, kept in the project."""

from __future__ import annotations

import hashlib
import io
import shutil
import tarfile
from collections.abc import Callable, Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from wavegate.lab.material import material

_BUILD = ("sh", "-ec", "mkdir /tmp/build; tar -xf - -C /tmp/build; exec sh /tmp/build/build.sh")
_MARK = ".material"

RunOnce = Callable[[tuple[str, ...], bytes], bytes]
"""Runs a program in a throw-away container of the lab's image with that input; returns what it printed."""


def build_repository(destination: Path, run_once: RunOnce) -> bool:
    """Build the repository into `destination` unless it is there already; return whether it was built.

    A flat apt repository: `*.deb`, `Packages(.gz)`, `Release`, `InRelease`, `Release.gpg` and the public key
    `wavegate-lab.asc`. The private key never leaves the container that signed.
    """
    archive = pack(_files(material().joinpath("packages")))
    digest = hashlib.sha256(archive).hexdigest()
    mark = destination / _MARK
    if mark.is_file() and mark.read_text() == digest:
        return False
    _unpack(run_once(_BUILD, archive), destination)
    mark.write_text(digest)
    return True


def pack_repository(folder: Path) -> bytes:
    """Return the built repository as a tar archive."""
    return pack((path.name, path.read_bytes()) for path in sorted(folder.iterdir()) if path.name != _MARK)


def pack(files: Iterator[tuple[str, bytes]]) -> bytes:
    """Return a tar archive of these files, the same bytes for the same files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _files(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir() and each.name != "__pycache__":
            yield from _files(each, f"{prefix}{each.name}/")
        elif each.is_file():
            yield prefix + each.name, each.read_bytes()


def _unpack(archive: bytes, destination: Path) -> None:
    shutil.rmtree(destination, ignore_errors=True)
    destination.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for entry in tar.getmembers():
            content = tar.extractfile(entry)
            if content is not None:
                (destination / Path(entry.name).name).write_bytes(content.read())
