"""The keys of a probe; which kinds it may have is said by the registry in `kinds`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, create_model

from wavegate.config.fields import (
    Confidence,
    Count,
    Duration,
    HostsToCompare,
    Margin,
    ReferenceWord,
    Refused,
    ScopeWord,
    SomeTime,
    Switch,
    TestWord,
    Text,
    Whole,
)
from wavegate.config.keys import KindSettings, Model, key, optional, switch


def _describe_more(schema: dict[str, Any], model: type[BaseModel]) -> None:
    schema["oneOf"] = [{"required": [name]} for name in kinds_of(model)]
    schema["if"] = {"properties": {"scope": {"const": "group"}}, "required": ["scope"]}
    schema["then"] = {"required": ["by"]}
    schema["else"] = {"not": {"required": ["by"]}}


class Compare(Model):
    """Compares the probe's numbers with those of hosts that are still to come, measured in the same sweeps.

    Higher is worse. Too few numbers or hosts are inconclusive, never a pass.
    """

    with_: ReferenceWord = Field(
        alias="with",
        description="Whom they are compared with: hosts of later waves that nothing was done to.",
        examples=["not_yet_changed"],
    )
    at_most: Margin = key("By how much the changed hosts' numbers may be higher.", "+20%")
    test: TestWord = key("The statistical test, one-sided.", "mann-whitney", default="mann-whitney")
    confidence: Confidence = key(
        "How sure it must be that they are higher before the gate fails.", 0.99, default=0.95
    )
    hosts: HostsToCompare = key("How many hosts to come are measured at most.", 20, default=50)


class Probe(Model):
    """One probe has exactly one kind. Its sampling keys win over those of the gates that use it."""

    model_config = ConfigDict(json_schema_extra=_describe_more, defer_build=True)

    scope: ScopeWord = key(
        "`host` measures every host of the wave, `group` the first of each group of `by`, "
        "`once` one thing that all of them share.",
        "once",
        default="host",
    )
    retries: Whole = key(
        "How often what was not good is measured again at once, before it counts; `timeout` is for each try.",
        2,
        default=0,
    )
    by: Text = optional(
        "What makes the groups of scope `group`: a host variable, or the beginning of groups' names. "
        "A group that is bad is bad for each of its hosts.",
        "site_",
        "cluster",
        default="",
    )
    compare: Annotated[Compare | None, Refused] = optional(
        "Compare the numbers with those of hosts that are still to come; for gates after a wave.",
        {"with": "not_yet_changed", "at_most": "+20%"},
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
