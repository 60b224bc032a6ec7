"""Turn what pydantic found into one readable sentence for each key, and give problems their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from msgspec.structs import replace
from pydantic import BaseModel, ValidationError

from wavegate.config.document import Position, join_path
from wavegate.config.schema import (
    BudgetSettings,
    ErrorBudgetSettings,
    Gate,
    RollbackSettings,
    RolloutFile,
    Wave,
)
from wavegate.config.schema_probes import Compare, kinds_of
from wavegate.config.values import show, suggest
from wavegate.errors import Problem

_Owners = tuple[tuple[type[BaseModel], str], ...]
_OWNERS: _Owners = (
    (RolloutFile, "the top level"),
    (Wave, "a wave"),
    (Gate, "a gate"),
    (Compare, "compare"),
    (BudgetSettings, "failure_budget"),
    (ErrorBudgetSettings, "error_budget"),
    (RollbackSettings, "rollback"),
)
_FOREIGN_WORDS = {
    "serial": "batch",
    "forks": "in_flight",
    "strategy": "in_flight",
    "max_fail_percentage": "failure_budget",
    "playbooks": "playbook",
    "extra_vars": "vars",
    "variables": "vars",
    "exclude": "leave_out",
    "limit": "hosts",
    "retries": "failure_limit",
    "cmd": "argv",
    "expected_status": "status",
    "status_code": "status",
    "expires_in": "valid_for",
    "success_condition": "good_when",
    "failure_condition": "bad_when",
}
_SHAPES = {
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of names to values",
    "list_type": "a list",
}


def describe_problems(error: ValidationError, model: type[RolloutFile]) -> list[Problem]:
    """Return one problem for each error, with its key path and, for an unknown key, a near miss.

    `model` is the one that refused the data.
    """
    return [_describe(item, model) for item in error.errors(include_url=False)]


def locate(problems: Iterable[Problem], positions: Mapping[str, Position], file: str = "") -> list[Problem]:
    """Return the problems with line and column of their key, or of its nearest parent in the file.

    Problems that have a line already, or no key path, keep their place. `file` is set where none is known.
    """
    placed = [
        _place(problem, positions) if problem.path and not problem.line else problem for problem in problems
    ]
    return [replace(problem, file=problem.file or file) for problem in placed]


def _place(problem: Problem, positions: Mapping[str, Position]) -> Problem:
    path = problem.path
    while path and path not in positions:
        path = path[: max(path.rfind("."), path.rfind("["), 0)]
    place = positions.get(path)
    return replace(problem, line=place.line, column=place.column) if place else problem


def _describe(item: Any, root: type[RolloutFile]) -> Problem:
    location: tuple[str | int, ...] = tuple(part for part in item["loc"] if part != "[key]")
    path = ""
    for part in location:
        path = join_path(path, part)
    kind, value = item["type"], item["input"]
    if kind == "extra_forbidden":
        return Problem("unknown key", path=path, hint=_hint_at_key(location, root))
    if kind == "missing":
        return Problem("the key is missing", path=path, hint=_hint_at_missing(location, root))
    if kind == "too_short":
        return Problem("expected a list with at least one entry; got an empty list", path=path)
    if kind in _SHAPES:
        return Problem(f"expected {_SHAPES[kind]}; got {show(value)}", path=path)
    return Problem(str(item.get("ctx", {}).get("error", item["msg"])), path=path)


def _hint_at_missing(location: Sequence[str | int], root: type[RolloutFile]) -> str:
    model = _find_model(location[:-1], root)
    field = next((f for n, f in model.model_fields.items() if (f.alias or n) == location[-1]), None)
    examples = field.examples if field else None
    return f"for example {location[-1]}: {examples[0]}" if examples and isinstance(examples[0], str) else ""


def _hint_at_key(location: Sequence[str | int], root: type[RolloutFile]) -> str:
    word = str(location[-1])
    keys = list_keys(_find_model(location[:-1], root))
    if _FOREIGN_WORDS.get(word) in keys:
        return f"the word here is {_FOREIGN_WORDS[word]}"
    if near := suggest(word, keys):
        return near
    meant = _FOREIGN_WORDS.get(word, word)
    owners = [name for model, name in _owners(root) if meant in list_keys(model)]
    if owners:
        return f"{meant} is a key of {' and of '.join(owners)}"
    return f"known keys here: {', '.join(keys)}"


def _owners(root: type[RolloutFile]) -> _Owners:
    """Return every model that has keys, with its name for a sentence."""
    probe = _find_model(("probes", ""), root)
    kinds = tuple((settings, name) for name, settings in kinds_of(probe).items())
    return (*_OWNERS, (probe, "a probe"), *kinds)


def list_keys(model: type[BaseModel]) -> list[str]:
    """Return the keys that `model` knows, as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _find_model(location: Iterable[str | int], root: type[RolloutFile]) -> type[BaseModel]:
    """Return the model whose keys stand at `location`."""
    model: type[BaseModel] = root
    is_name = False
    for part in location:
        if is_name or isinstance(part, int):
            is_name = False
            continue
        annotation = next(f.annotation for n, f in model.model_fields.items() if (f.alias or n) == part)
        is_name = get_origin(annotation) is dict
        model = _find_inner(annotation) or model
    return model


def _find_inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _find_inner(part))), None)
