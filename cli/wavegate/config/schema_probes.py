"""The keys of a probe; which kinds it may have is said by the registry in `kinds`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, create_model

from wavegate.config.fields import Count, Duration, Refused, ScopeWord, SomeTime, Switch, Whole
from wavegate.config.keys import KindSettings, Model, key, optional, switch


def _require_one_kind(schema: dict[str, Any], model: type[BaseModel]) -> None:
    schema["oneOf"] = [{"required": [name]} for name in kinds_of(model)]


class Probe(Model):
    """One probe has exactly one kind. Its sampling keys win over those of the gates that use it."""

    model_config = ConfigDict(json_schema_extra=_require_one_kind, defer_build=True)

    scope: ScopeWord = key(
        "`host` measures every host of the wave; `once` measures one thing that all of them share.",
        "once",
        default="host",
    )
    retries: Whole = key(
        "How often what was not good is measured again at once, before it counts; `timeout` is for each try.",
        2,
        default=0,
    )
    dry_run: Switch = switch("Measure and report, but never decide.", default=False)
    interval: SomeTime = optional("Overrides the gate's `interval`.", "5s")
    count: Count = optional("Overrides the gate's `count`.", 3)
    initial_delay: Duration = optional("Overrides the gate's `initial_delay`.", "10s")
    failure_limit: Whole = optional("Overrides the gate's `failure_limit`.", 2)
    inconclusive_limit: Whole = optional("Overrides the gate's `inconclusive_limit`.", 2)
    consecutive_error_limit: Whole = optional("Overrides the gate's `consecutive_error_limit`.", 10)
    consecutive_success_limit: Whole = optional("Overrides the gate's `consecutive_success_limit`.", 5)


def probe_model(kinds: Mapping[str, type[KindSettings]]) -> type[Probe]:
    """Return the model of a probe that may have any of the kinds."""
    return _probe_model(tuple(kinds.items()))


@lru_cache(maxsize=16)
def _probe_model(kinds: tuple[tuple[str, type[KindSettings]], ...]) -> type[Probe]:
    fields: dict[str, Any] = {
        name: (Annotated[settings | None, Refused], optional(_first_sentence(settings)))
        for name, settings in kinds
    }
    words = create_model("Kinds", __base__=Model, **fields)
    bases: Any = (Probe, words)  # in this order the kinds are the first keys
    model: type[Probe] = create_model("Probe", __base__=bases, __doc__=Probe.__doc__)
    return model


def kinds_of(model: type[BaseModel]) -> dict[str, type[KindSettings]]:
    """Return the kinds that the model of a probe knows, by name."""
    return {
        name: part
        for name, field in model.model_fields.items()
        for part in _classes(field.annotation)
        if issubclass(part, KindSettings)
    }


def _classes(annotation: Any) -> Iterator[type]:
    if isinstance(annotation, type):
        yield annotation
    for part in get_args(annotation):
        yield from _classes(part)


def _first_sentence(settings: type[KindSettings]) -> str:
    """Return what the kind does, as its docstring begins."""
    text = " ".join((settings.__doc__ or "").split())
    return text.partition(". ")[0].rstrip(".") + "."
