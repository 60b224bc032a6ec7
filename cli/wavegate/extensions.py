"""Probe kinds of other packages: what they hand over, and how they are found.

They are named by entry points `wavegate.probes`.

Nothing is imported before a rollout file uses the kind: a broken package disturbs nobody who does not use it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from msgspec import Struct

from wavegate.core.judgement import Judgement

GROUP = "wavegate.probes"


class Occasion(Struct, frozen=True, kw_only=True):
    """One measurement that is wanted: of `target` ("": one thing that all hosts share), within `timeout` s.

    `settings` are the kind's keys, templates rendered: a template may have turned any of them into anything.
    `wave`, `side` and `number` say for which sweep it is; they are "" and 1 outside of a rollout. `folder` is
    the project's root, to which paths are relative, `rollout` the name of the rollout file.
    """

    target: str
    settings: Mapping[str, Any]
    timeout: float
    probe: str = ""
    wave: str = ""
    side: str = ""
    number: int = 1
    folder: Path = Path()
    rollout: str = ""


Ask = Callable[[Occasion], Awaitable[Judgement]]
"""Measures once, and never blocks the event loop. What it raises is an error of that measurement."""


class ProbeKind(Struct, frozen=True):
    """A probe kind of another package: the model of its keys (a `KindSettings`), and how it measures."""

    settings: type[Any]
    ask: Ask


class ExtensionError(Exception):
    """A kind that cannot be used; the message names the distribution that brings it, the hint what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def list_kinds() -> tuple[str, ...]:
    """Return the names of the probe kinds that installed packages bring; imports none of them."""
    return tuple(sorted(_find()))


@lru_cache(maxsize=64)
def load_kind(name: str) -> ProbeKind | None:
    """Return the kind of that name, None when no package brings it; raise ExtensionError."""
    found = _find().get(name, ())
    if not found:
        return None
    owner = brought_by(name)
    if len(found) > 1:
        raise ExtensionError(f"the probe kind {name} is brought by {owner}", "uninstall all of them but one")
    (entry,) = found
    hint = f"repair or uninstall {owner}"
    try:
        kind = entry.load()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise ExtensionError(
            f"the probe kind {name} of {owner} cannot be imported: {reason}", hint
        ) from error
    if not isinstance(kind, ProbeKind):
        raise ExtensionError(
            f"the probe kind {name} of {owner} is no ProbeKind: {entry.value} is a {type(kind).__name__}",
            hint,
        )
    return kind


def brought_by(name: str) -> str:
    """Return which distributions bring the kind, each with its version."""
    return " and ".join(_distribution(entry) for entry in _find().get(name, ()))


def _find() -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for entry in entry_points(group=GROUP):
        # A distribution that is found twice on the path is one all the same.
        others = [
            other for other in found.get(entry.name, ()) if _distribution(other) != _distribution(entry)
        ]
        found[entry.name] = (*others, entry)
    return found


def _distribution(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown distribution"
