"""Templates that only put plain variables into a text: filled in without a templating engine.

Whatever is not as simple as that raises NotPlainError, and the engine is asked: undefined variables, lists,
filters, strings that are templates of something unusual.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from ansible.template import is_trusted_as_template

_VARIABLE = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_WORDS = frozenset(
    [
        "true",
        "false",
        "none",
        "True",
        "False",
        "None",
        "and",
        "or",
        "not",
        "in",
        "is",
        "if",
        "else",
        "omit",
        "undef",
        "vars",
    ]
)
_DEEPEST = 8


class NotPlainError(Exception):
    """The templating engine has to be asked."""


def fill(template: Any, variables: Mapping[str, Any]) -> Any:
    """Return the data with its templates filled in, of Python's own types; raise NotPlainError."""
    return prepare(template)(variables)


Fill = Callable[[Mapping[str, Any]], Any]


def prepare(template: Any) -> Fill:
    """Return what fills the template in, for host after host; it raises NotPlainError.

    What no variable has a part in is made once, and is the same object for all hosts.
    """
    try:
        is_fixed, made = _prepare(template)
    except NotPlainError:
        return _never
    return (lambda _: made) if is_fixed else made


def _never(variables: Mapping[str, Any]) -> Any:  # noqa: ARG001
    raise NotPlainError


def _prepare(template: Any) -> tuple[bool, Any]:
    """Return whether it is the same for every host, and what it is, or else what fills it in."""
    if isinstance(template, str):
        if "{" not in template and not template.startswith("#"):
            return True, "".join(template)
        return False, lambda variables: _fill_text(template, variables, 0)
    if isinstance(template, Mapping):
        return _prepare_parts({_key(key): _prepare(item) for key, item in template.items()})
    if isinstance(template, list | tuple):
        is_fixed, made = _prepare_parts(dict(enumerate(map(_prepare, template))))
        return (True, list(made.values())) if is_fixed else (False, lambda of: list(made(of).values()))
    if template is None or type(template) in {bool, int, float}:
        return True, template
    raise NotPlainError


def _prepare_parts(parts: Mapping[Any, tuple[bool, Any]]) -> tuple[bool, Any]:
    frame = {key: made for key, (_, made) in parts.items()}
    moving = {key: made for key, (is_fixed, made) in parts.items() if not is_fixed}
    if not moving:
        return True, frame
    return False, lambda variables: frame | {key: part(variables) for key, part in moving.items()}


def _fill_text(text: str, variables: Mapping[str, Any], depth: int) -> Any:
    if "{" not in text and not text.startswith("#"):
        return "".join(text)
    if depth > _DEEPEST or not is_trusted_as_template(text):
        raise NotPlainError
    parts = _split("".join(text))
    if parts is None:
        raise NotPlainError
    if len(parts) == 3 and not parts[0] and not parts[2]:  # noqa: PLR2004 - one variable and nothing else
        return _look_up(parts[1], variables, depth)
    filled = [
        str(_look_up(part, variables, depth)) if number % 2 else part for number, part in enumerate(parts)
    ]
    return "".join(filled)


def _look_up(name: str, variables: Mapping[str, Any], depth: int) -> Any:
    if name not in variables:
        raise NotPlainError
    value = variables[name]
    if isinstance(value, str):
        return _fill_text(value, variables, depth + 1)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise NotPlainError


def _key(key: Any) -> str:
    if not isinstance(key, str) or "{" in key:
        raise NotPlainError
    return "".join(key)


@lru_cache(maxsize=4096)
def _split(text: str) -> tuple[str, ...] | None:
    """Return text, variable, text, variable, ..., text; None for anything else."""
    parts = tuple(_VARIABLE.split(text))
    texts, names = parts[::2], parts[1::2]
    if any("{" in part or "}" in part or "\n" in part for part in texts) or text.startswith("#"):
        return None
    return None if _WORDS.intersection(names) else parts
