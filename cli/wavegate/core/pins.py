"""The same bits everywhere: what the first host resolved is what every later host gets (design 4.9)."""

from __future__ import annotations

from collections.abc import Mapping

from wavegate.core.events import VersionPinned


def refuse_other(pins: Mapping[str, VersionPinned], wanted: VersionPinned) -> str:
    """Return why the host may not get what it resolved, "" when it may."""
    first = pins.get(wanted.key, wanted)
    if first.value == wanted.value:
        return ""
    return (
        f"{first.host} got {first.value} for {wanted.key}, and {wanted.host} resolved {wanted.value}: "
        "every host gets what the first one proved"
    )
