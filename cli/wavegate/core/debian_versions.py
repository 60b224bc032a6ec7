"""Which of two Debian package versions is the newer one, by Debian's own rules (policy 5.6.12)."""

from __future__ import annotations

import re

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_VERSION = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9.+~:-]+")


def is_version(text: str) -> bool:
    """Return whether the text can be the version of a Debian package."""
    return _VERSION.fullmatch(text) is not None


def is_at_least(version: str, least: str) -> bool:
    """Return whether `version` is `least` or newer."""
    return _key(version) >= _key(least)


def _key(version: str) -> tuple[int, list[tuple[list[int], int]], list[tuple[list[int], int]]]:
    epoch, colon, rest = version.partition(":")
    number, rest = (int(epoch), rest) if colon and epoch.isdecimal() else (0, version)
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return number, _split(upstream), _split(revision)


def _split(text: str) -> list[tuple[list[int], int]]:
    """Return text and number by turns, both as what can be compared; each text ends with its end's weight."""
    pairs = [(letters, digits) for letters, digits in _PARTS.findall(text) if letters or digits]
    return [([*map(_weight, letters), 0], int(digits or 0)) for letters, digits in pairs] + [([0], 0)]


def _weight(letter: str) -> int:
    """Return how a character sorts: `~` before the end of the text, then the end, letters, all others."""
    if letter == "~":
        return -1
    return ord(letter) if letter.isalpha() else ord(letter) + 256
