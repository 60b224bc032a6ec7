"""The types of the rollout file's keys: a parser joined with its JSON Schema, whose `title` names the type.

A type that says `| None` has None only where the key is absent: an empty value is refused by the parser.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainValidator, WithJsonSchema

from wavegate.config.values import (
    LABEL,
    LARGEST_NUMBER,
    MOST_REQUESTS,
    NAME,
    VARIABLE,
    choice,
    parse_arguments,
    parse_batch,
    parse_budget,
    parse_confidence,
    parse_count,
    parse_disk_levels,
    parse_exit_code,
    parse_expectations,
    parse_hosts_to_compare,
    parse_label,
    parse_list_of_texts,
    parse_margin,
    parse_method,
    parse_name,
    parse_number,
    parse_percent,
    parse_port,
    parse_rate,
    parse_require,
    parse_seconds,
    parse_share,
    parse_some_seconds,
    parse_statuses,
    parse_switch,
    parse_text,
    parse_text_mapping,
    parse_texts,
    parse_url,
    parse_variable,
    parse_version,
    parse_whole,
    refuse_nothing,
    word,
)
from wavegate.core.quantity import Amount
from wavegate.core.spec import OnBreach, Order, Scope


def _words(options: type[StrEnum], title: str) -> WithJsonSchema:
    return WithJsonSchema({"title": title, "enum": [option.value for option in options]})


TEXT: dict[str, Any] = {"type": "string", "pattern": r"\S"}
_DURATION: dict[str, Any] = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$"}
AMOUNTS: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER},
    {"type": "string", "pattern": r"^\s*(\d{1,6}|(100|\d{1,2})\s*%)\s*$"},
]
_BATCH: list[dict[str, Any]] = [
    {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER},
    {"type": "string", "pattern": r"^\s*(0*[1-9]\d{0,5}|(100|[1-9]\d?)\s*%)\s*$"},
]
_ONE_OR_MORE_TEXTS: dict[str, Any] = {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]}
_ARGUMENT: dict[str, Any] = {"type": ["string", "integer"]}
_LEVEL: dict[str, Any] = {"type": "string", "pattern": r"^\s*\d+(\.\d+)?\s*(%|[kMGTK]?B|[KMGT]iB)\s*$"}
_STATUS: dict[str, Any] = {"type": "integer", "minimum": 100, "maximum": 599}


def _whole(least: int, most: int = LARGEST_NUMBER) -> WithJsonSchema:
    return WithJsonSchema({"title": "whole number", "type": "integer", "minimum": least, "maximum": most})


Refused = BeforeValidator(refuse_nothing)
Text = Annotated[str, PlainValidator(parse_text), WithJsonSchema({"title": "text", **TEXT})]
OptionalText = Annotated[str | None, PlainValidator(parse_text), WithJsonSchema({"title": "text", **TEXT})]
Name = Annotated[
    str,
    PlainValidator(parse_name),
    WithJsonSchema({"title": "name", "type": "string", "pattern": f"^{NAME.pattern}$"}),
]
Label = Annotated[
    str,
    PlainValidator(parse_label),
    WithJsonSchema({"title": "name", "type": "string", "pattern": f"^{LABEL.pattern}$"}),
]
VariableName = Annotated[
    str,
    PlainValidator(parse_variable),
    WithJsonSchema({"type": "string", "pattern": f"^{VARIABLE.pattern}$"}),
]
Switch = Annotated[
    bool, PlainValidator(parse_switch), WithJsonSchema({"title": "true or false", "type": "boolean"})
]
Version = Annotated[int, PlainValidator(parse_version), WithJsonSchema({"title": "number", "const": 1})]
Whole = Annotated[int | None, PlainValidator(parse_whole), _whole(0)]
Count = Annotated[int | None, PlainValidator(parse_count), _whole(1)]
ExitCode = Annotated[int, PlainValidator(parse_exit_code), _whole(0, 255)]
Number = Annotated[
    float | None,
    PlainValidator(parse_number),
    WithJsonSchema({"title": "number", "type": "number", "exclusiveMinimum": 0, "maximum": LARGEST_NUMBER}),
]
Duration = Annotated[
    float | None, PlainValidator(parse_seconds), WithJsonSchema({"title": "duration", **_DURATION})
]
SomeTime = Annotated[
    float | None,
    PlainValidator(parse_some_seconds),
    WithJsonSchema({"title": "duration above zero", **_DURATION}),
]
Amounts = Annotated[
    Amount | None,
    PlainValidator(parse_budget),
    WithJsonSchema({"title": "whole number or percentage", "anyOf": AMOUNTS}),
]
Batch = Annotated[
    tuple[Amount, ...],
    PlainValidator(parse_batch),
    WithJsonSchema(
        {
            "title": "whole number, percentage, or a list of them",
            "anyOf": [*_BATCH, {"type": "array", "minItems": 1, "items": {"anyOf": _BATCH}}],
        }
    ),
]
Texts = Annotated[
    tuple[str, ...],
    PlainValidator(parse_texts),
    WithJsonSchema({"title": "text or a list of texts", **_ONE_OR_MORE_TEXTS}),
]
ListOfTexts = Annotated[
    tuple[str, ...],
    PlainValidator(parse_list_of_texts),
    WithJsonSchema({"title": "list of texts", "type": "array", "items": TEXT, "minItems": 1}),
]
Arguments = Annotated[
    tuple[str, ...],
    PlainValidator(parse_arguments),
    WithJsonSchema({"title": "list of texts", "type": "array", "items": _ARGUMENT, "minItems": 1}),
]
TextMapping = Annotated[
    dict[str, str],
    PlainValidator(parse_text_mapping),
    WithJsonSchema(
        {"title": "mapping of names to texts", "type": "object", "additionalProperties": _ARGUMENT}
    ),
]
Expectations = Annotated[
    dict[str, Any],
    PlainValidator(parse_expectations),
    WithJsonSchema(
        {
            "title": "mapping of dotted paths to single values",
            "type": "object",
            "minProperties": 1,
            "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
        }
    ),
]
Statuses = Annotated[
    tuple[int, ...],
    PlainValidator(parse_statuses),
    WithJsonSchema(
        {
            "title": "HTTP status or a list of them",
            "anyOf": [_STATUS, {"type": "array", "minItems": 1, "items": _STATUS}],
        }
    ),
]
Url = Annotated[
    str,
    PlainValidator(parse_url),
    WithJsonSchema({"title": "address", "type": "string", "pattern": r"^(https?://[^/\s]|\s*\{\{)"}),
]
Method = Annotated[
    str,
    PlainValidator(parse_method),
    WithJsonSchema({"title": "word", "type": "string", "pattern": "^[A-Z]{3,10}$"}),
]
Port = Annotated[
    int | str,
    PlainValidator(parse_port),
    WithJsonSchema(
        {
            "title": "port number or template",
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {"type": "string", "pattern": r"\{\{"},
            ],
        }
    ),
]
Percent = Annotated[
    int | None,
    PlainValidator(parse_percent),
    WithJsonSchema({"title": "percentage", "type": "string", "pattern": r"^\s*(100|\d{1,2})\s*%\s*$"}),
]
DiskLevels = Annotated[
    dict[str, dict[str, int]] | None,
    PlainValidator(parse_disk_levels),
    WithJsonSchema(
        {
            "title": "percentage or size, or a mapping of paths to them",
            "anyOf": [
                _LEVEL,
                {
                    "type": "object",
                    "minProperties": 1,
                    "propertyNames": {"pattern": "^/"},
                    "additionalProperties": _LEVEL,
                },
            ],
        }
    ),
]
OrderWord = Annotated[Order, PlainValidator(choice(Order)), _words(Order, "word")]
OnBreachWord = Annotated[OnBreach, PlainValidator(choice(OnBreach)), _words(OnBreach, "word")]
RequireWord = Annotated[
    str, PlainValidator(parse_require), WithJsonSchema({"title": "word", "enum": ["backup"]})
]
ScopeWord = Annotated[Scope, PlainValidator(choice(Scope)), _words(Scope, "word")]
Margin = Annotated[
    float,
    PlainValidator(parse_margin),
    WithJsonSchema(
        {
            "title": "percentage",
            "type": "string",
            "pattern": r"^\s*\+?\s*(1000|\d{1,3}(\.\d{1,3})?)\s*%\s*$",
        }
    ),
]
Share = Annotated[
    float | None,
    PlainValidator(parse_share),
    WithJsonSchema(
        {"title": "percentage", "type": "string", "pattern": r"^\s*(100|\d{1,2}(\.\d{1,4})?)\s*%\s*$"}
    ),
]
Confidence = Annotated[
    float,
    PlainValidator(parse_confidence),
    WithJsonSchema({"title": "number", "type": "number", "minimum": 0.5, "maximum": 0.9999}),
]
Rate = Annotated[int | None, PlainValidator(parse_rate), _whole(1, MOST_REQUESTS)]
HostsToCompare = Annotated[int, PlainValidator(parse_hosts_to_compare), _whole(2, 1000)]
ReferenceWord = Annotated[
    str,
    PlainValidator(word("not_yet_changed")),
    WithJsonSchema({"title": "word", "enum": ["not_yet_changed"]}),
]
TestWord = Annotated[
    str, PlainValidator(word("mann-whitney")), WithJsonSchema({"title": "word", "enum": ["mann-whitney"]})
]
