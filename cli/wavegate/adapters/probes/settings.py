"""Reads a probe's rendered settings: a template can turn any of them into anything.

Raises UnusableSettingsError, which the prober reports as "could not measure"; messages name the key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wavegate.core.conditions import Conditions


class UnusableSettingsError(ValueError):
    """A rendered setting that the probe cannot work with."""


def read_text(settings: Mapping[str, Any], key: str) -> str:
    """Return a setting that must be a text with something in it."""
    value = settings.get(key)
    if not isinstance(value, str) or not value.strip():
        raise UnusableSettingsError(f'{key} is "{value}", wanted a text')
    return value.strip()


def read_whole(settings: Mapping[str, Any], key: str, least: int, most: int) -> int:
    """Return a whole number from `least` to `most`; a template's text of digits counts."""
    value = settings.get(key)
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value.strip())
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise UnusableSettingsError(f'{key} is "{value}", wanted a whole number from {least} to {most}')
    return value


def read_number(settings: Mapping[str, Any], key: str) -> float | None:
    """Return a number of at least 0, or None when nobody asked; a template's text counts."""
    value = settings.get(key)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < float("inf"):
        raise UnusableSettingsError(f'{key} is "{value}", wanted a number of at least 0')
    return number


def read_texts(settings: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """Return a list of texts, empty when nobody asked; numbers become texts."""
    value = settings.get(key) or ()
    if not isinstance(value, (list, tuple)):
        raise UnusableSettingsError(f'{key} is "{value}", wanted a list')
    return tuple(str(item) for item in value)


def read_table(settings: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a mapping, empty when nobody asked."""
    value = settings.get(key) or {}
    if not isinstance(value, Mapping):
        raise UnusableSettingsError(f'{key} is "{value}", wanted keys and values')
    return value


def read_conditions(settings: Mapping[str, Any]) -> Conditions:
    """Return the two expressions, "" where nobody gave one."""
    return Conditions(str(settings.get("good_when") or ""), str(settings.get("bad_when") or ""))
