"""How the journal spells events: a kind, and fields as JSON data; and how it reads them back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from wavegate.core.events import Asked, CaseResult, Event, Measurement, SweepEnded, VoteCast
from wavegate.core.outcomes import Outcome, Reading, Status, Verdict


def kind_of(event: Event | type) -> str:
    """Return the event's kind as the journal spells it (`HostFinished` -> `host_finished`)."""
    cls = event if isinstance(event, type) else type(event)
    return _KIND_OF.get(cls) or _spell(cls.__name__)


def _spell(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


_KINDS: dict[str, type[Struct]] = {_spell(cls.__name__): cls for cls in Event.__args__}


class _Shape(Struct, frozen=True):
    """How one kind of event is written and read: its fields, and which of them JSON has no type for."""

    cls: type
    names: tuple[str, ...]
    enums: tuple[tuple[str, Mapping[str, Any]], ...]
    tuples: tuple[str, ...]


def _shape_of(cls: type[Struct]) -> _Shape:
    types = {name: cls.__annotations__[name] for name in cls.__struct_fields__}
    enums = {name: _ENUMS[kind] for name, kind in types.items() if kind in _ENUMS}
    listed = tuple(name for name, kind in types.items() if kind.startswith("tuple"))
    return _Shape(cls, tuple(types), tuple(enums.items()), listed)


_ENUMS: dict[str, dict[str, Any]] = {
    enum.__name__: {member.value: member for member in enum} for enum in (Outcome, Reading, Status, Verdict)
}
_SHAPES = {kind: _shape_of(cls) for kind, cls in _KINDS.items()}
_KIND_OF = {cls: kind for kind, cls in _KINDS.items()}


def encode(event: Event) -> dict[str, Any]:
    """Return the event's fields as JSON data."""
    shape = _SHAPES[_KIND_OF[type(event)]]
    data = {name: getattr(event, name) for name in shape.names}
    if isinstance(event, SweepEnded):
        for name in _MEASURED:
            data[name] = [_encode_measurement(one) for one in data[name]]
    if isinstance(event, VoteCast):
        data["cases"] = [asdict(case) for case in event.cases]
    for name in _OFTEN_EMPTY:
        if name in data and not data[name]:
            del data[name]
    return data


_MEASURED = ("measurements", "untouched")
_OFTEN_EMPTY = ("untouched", "intervals")
"""Fields that few gates have: where they are empty, they are not written."""


def _encode_measurement(one: Measurement) -> dict[str, Any]:
    data: dict[str, Any] = {
        "target": one.target,
        "reading": one.reading,
        "detail": one.detail,
        "value": one.value,
    }
    if one.asked:
        data["asked"] = asdict(one.asked)
    return data


def _decode_measurement(data: Mapping[str, Any]) -> Measurement:
    readings = _ENUMS["Reading"]
    asked = data.get("asked")
    many = Asked(**{**asked, "ends": readings[asked["ends"]]}) if asked else None
    return Measurement(data["target"], readings[data["reading"]], data["detail"], data["value"], many)


def decode(kind: str, data: Mapping[str, Any]) -> Event:
    """Return the event that `encode` wrote; raise KeyError for a kind or value of a newer wavegate."""
    shape = _SHAPES[kind]
    values = dict(data)
    for name, members in shape.enums:
        values[name] = members[values[name]]
    if kind == "sweep_ended":
        for name in _MEASURED:
            values[name] = [_decode_measurement(one) for one in data.get(name, ())]
    if kind == "vote_cast":
        values["cases"] = [CaseResult(**case) for case in data["cases"]]
    for name in shape.tuples:
        if name in values:
            values[name] = tuple(values[name])
    event: Event = shape.cls(**values)
    return event
