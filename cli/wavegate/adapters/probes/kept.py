"""What probes leave beside a rollout's evidence: the newest few texts of each probe, without secrets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from urllib.parse import quote

from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.executor.private import make_private_folder, write_private
from wavegate.extensions import Occasion

MOST_KEPT = 10
"""Files of one kind of one probe; older ones are removed."""


def folder_of(launch: Launch, probe: str) -> Path:
    """Return where the probe's texts are kept: `probes/NAME` in the rollout's folder."""
    name = quote(probe, safe=" ")
    return launch.work / "probes" / (name.replace(".", "%2E") if probe in {".", ".."} else name)


def keep_text(launch: Launch, probe: str, name: str, text: str) -> Path:
    """Write a text that has been redacted, for the owner alone; forget the oldest ones; return its path.

    A name that is there already, of an earlier try, gets a number: nothing is overwritten.
    """
    folder = make_private_folder(folder_of(launch, probe))
    first = folder / quote(name, safe=" ")
    path = next(one for one in _numbered(first) if not one.exists())
    write_private(path, text)
    alike = sorted(folder.glob(f"*{path.suffix}"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
    for old in alike[MOST_KEPT:]:
        old.unlink(missing_ok=True)
    return path


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in count(2):
        yield path.with_stem(f"{path.stem} try {number}")


def tell_occasion(occasion: Occasion) -> str:
    """Return the name under which what a sweep leaves is kept (`pilot after 3`)."""
    return " ".join(filter(None, (occasion.wave, occasion.side, str(occasion.number))))
