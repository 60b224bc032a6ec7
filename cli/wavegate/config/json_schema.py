"""The JSON Schema of the rollout file, made from the models."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from wavegate.config.fields import AMOUNTS, TEXT
from wavegate.config.kinds import Kinds, built_in
from wavegate.config.schema import file_model

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Generator(GenerateJsonSchema):
    """Keeps the titles that name types, and invents none."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False

    def sort(self, value: Any, parent_key: str | None = None) -> Any:  # noqa: ARG002 - pydantic's signature
        return value


def build_json_schema(kinds: Kinds | None = None) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rollout file with these kinds; by default all our own."""
    model = file_model(built_in() if kinds is None else kinds)
    schema = _tidy(model.model_json_schema(schema_generator=_Generator))
    keys = schema["properties"]
    amount = [{"title": "whole number or percentage", "anyOf": AMOUNTS}]
    others: list[tuple[dict[str, Any], str, list[dict[str, Any]]]] = [
        (keys, "become", [{"type": "boolean"}]),
        (keys, "vault", [TEXT]),
        (keys, "rollback", [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]),
        (keys, "failure_budget", amount),
        (schema["$defs"]["Wave"]["properties"], "failure_budget", amount),
    ]
    for place, key, short in others:
        place[key] = {"anyOf": [*short, {"$ref": place[key].pop("$ref")}], **place[key]}
    return {"$schema": _DIALECT, **schema, "title": "wavegate rollout file"}


def _tidy(part: Any) -> Any:
    """Make pydantic's schema say what the checks do.

    An absent key is no `null` and no empty default, and a name that does not fit is refused, not let through.
    """
    if isinstance(part, list):
        return [_tidy(item) for item in part]
    if not isinstance(part, dict):
        return part
    if "patternProperties" in part:
        ((pattern, values),) = part["patternProperties"].items()
        part = {key: value for key, value in part.items() if key != "patternProperties"}
        part |= {"propertyNames": {"pattern": pattern}, "additionalProperties": values or True}
    tidy = {key: value if key in {"examples", "default"} else _tidy(value) for key, value in part.items()}
    if "default" in tidy and tidy["default"] in (None, "", [], {}):
        del tidy["default"]
    options = [option for option in tidy.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del tidy["anyOf"]
        tidy |= options[0]
    return tidy
