"""What a host's packages mean: versions, updates that wait, and whether the package manager is at work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from wavegate.core.debian_versions import is_at_least
from wavegate.core.findings import Finding, age_text, count_text, not_measured
from wavegate.core.outcomes import Reading

_NAMED = 5


class PackageWish(Struct, frozen=True):
    """The version that must be installed: exactly this one, or this one or newer."""

    version: str
    or_newer: bool = False

    def __str__(self) -> str:
        return f"{self.version} or newer" if self.or_newer else self.version


class UpdatesWish(Struct, frozen=True):
    """So many security updates may wait; package lists that are older (seconds) tell nothing."""

    at_most: int = 0
    lists_at_most: float = 7 * 86400.0


def judge_software(
    packages: Mapping[str, PackageWish],
    updates: UpdatesWish | None,
    state: Mapping[str, Any],
    *,
    is_free: bool,
) -> Iterator[Finding]:
    """Yield a finding for each package and for what else is asked; `is_free`: no package manager at work."""
    seen = state.get("packages") or {}
    for name, wish in packages.items():
        yield _judge_package(name, wish, seen.get(name), state)
    if updates is not None:
        yield _judge_updates(updates, state)
    if is_free:
        yield _judge_manager(state)


def _judge_package(name: str, wish: PackageWish, version: Any, state: Mapping[str, Any]) -> Finding:
    if not isinstance(version, str):
        return not_measured(f"the version of package {name}", state, f"package {name}", "packages")
    if not version:
        return Reading.BAD, f"package {name} is not installed, wanted {wish}"
    holds = is_at_least(version, wish.version) if wish.or_newer else version == wish.version
    if holds:
        return Reading.GOOD, f"package {name} is {version}"
    return Reading.BAD, f"package {name} is {version}, wanted {wish}"


def _judge_updates(wish: UpdatesWish, state: Mapping[str, Any]) -> Finding:
    what, seen = "pending security updates", state.get("security_updates")
    if not isinstance(seen, Mapping):
        return not_measured(what, state, "security_updates")
    age = float(seen["lists_age"])
    if age > wish.lists_at_most:
        limit = age_text(wish.lists_at_most)
        return Reading.ERROR, (
            f"{what} are not known: the package lists are {age_text(age)} old, wanted at most {limit}"
        )
    names = [str(name) for name in seen["names"]]
    told = f"{count_text(int(seen['count']), 'pending security update')} by lists of {age_text(age)} ago"
    if int(seen["count"]) > wish.at_most:
        more = ", …" if int(seen["count"]) > _NAMED else ""
        return Reading.BAD, f"{told}, wanted at most {wish.at_most}: {', '.join(names[:_NAMED])}{more}"
    return Reading.GOOD, told


def _judge_manager(state: Mapping[str, Any]) -> Finding:
    holders = state.get("package_manager")
    if holders is None:
        return not_measured("whether the package manager is at work", state, "package_manager")
    if holders:
        return Reading.BAD, f"the package manager is at work: {'; '.join(map(str, holders))}"
    return Reading.GOOD, "the package manager is not at work"
