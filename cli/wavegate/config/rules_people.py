"""Rules about whom a gate asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wavegate.config.document import join_path
from wavegate.config.values import show
from wavegate.errors import Problem


def check_people(data: Mapping[str, Any], gate: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Yield what is wrong between the keys of a gate's `approval`; wrong types are left to the schema."""
    asked = gate.get("approval")
    if not isinstance(asked, dict):
        return
    path = join_path(path, "approval")
    signed, signers = asked.get("signed"), asked.get("allowed_signers")
    if signed is True and "allowed_signers" not in asked:
        hint = "add allowed_signers: with the file that says whose key is whose"
        yield Problem(
            "signed votes need to know whose key is whose", path=join_path(path, "signed"), hint=hint
        )
    if isinstance(signers, str) and (signers.startswith(("/", "~")) or ".." in signers.split("/")):
        hint = "keep it in the project, so that it is frozen with the plan"
        yield Problem(
            f"{show(signers)} is outside of the project", path=join_path(path, "allowed_signers"), hint=hint
        )
    yield from _check_number(data, asked, path)
    yield from _check_doubles(asked.get("by"), join_path(path, "by"))
    yield from _check_doubles(asked.get("test_cases"), join_path(path, "test_cases"))


def _check_number(data: Mapping[str, Any], asked: Mapping[str, Any], path: str) -> Iterator[Problem]:
    """Refuse a gate that wants more people than there are: it would never open."""
    by, required = asked.get("by"), asked.get("required", 1)
    groups = data.get("people")
    groups = groups if isinstance(groups, dict) else {}
    if not isinstance(by, list) or not by or not isinstance(required, int):
        return
    people = {str(person) for name in by for person in _members(groups, name)}
    if required > len(people):
        message = f"{show(required)} people must approve, and {len(people)} may: {', '.join(sorted(people))}"
        yield Problem(message, path=join_path(path, "required"), hint="name more people in by:")


def _members(groups: Mapping[str, Any], name: Any) -> list[Any]:
    members = groups.get(name) if isinstance(name, str) else None
    return members if isinstance(members, list) else [name]


def _check_doubles(names: Any, path: str) -> Iterator[Problem]:
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if name in names[:index]:
            yield Problem(f"{show(name)} is named twice", path=join_path(path, index))
