"""Templates that only put plain variables into a text: filled in without a templating engine.

Whatever is not as simple as that raises NotPlainError, and the engine is asked: undefined variables, lists,
filters, strings that are templates of something unusual.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
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
    if isinstance(template, str):
        return _fill_text(template, variables, 0)
    if isinstance(template, Mapping):
        return {_key(key): fill(item, variables) for key, item in template.items()}
    if isinstance(template, list | tuple):
        return [fill(item, variables) for item in template]
    if template is None or type(template) in {bool, int, float}:
        return template
    raise NotPlainError


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
