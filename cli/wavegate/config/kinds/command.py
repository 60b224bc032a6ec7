"""The keys of the probe kind `command`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator, WithJsonSchema

from wavegate.config.fields import Arguments, ExitCode, SomeTime, TextMapping
from wavegate.config.keys import key, optional
from wavegate.config.kinds.conditions import KEYS, ConditionKeys
from wavegate.config.values import choice
from wavegate.errors import Problem


class Output(StrEnum):
    """What a program writes to its standard output."""

    TEXT = "text"
    JSON = "json"


OutputWord = Annotated[
    Output,
    PlainValidator(choice(Output)),
    WithJsonSchema({"title": "word", "enum": [word.value for word in Output]}),
]


class Command(ConditionKeys):
    """Starts a program on the controller, never through a shell. Good means: it ended with `exit_code`.

    With `output: json`, what it wrote is judged too, by `good_when` and `bad_when`.
    """

    names: ClassVar[Mapping[str, str]] = {"result": "the JSON that the program wrote"}
    needs_condition: ClassVar[bool] = False

    timeout: SomeTime = key("How long one measurement may take.", "10s", default="30s")
    argv: Arguments = key(
        "The program and its arguments as a list; each may be a template.",
        ["./checks/replication.sh", "{{ inventory_hostname }}"],
    )
    exit_code: ExitCode = key("The exit code that is good.", 3, default=0)
    env: TextMapping = optional(
        "Environment variables to add; values may be templates.", {"LANG": "C"}, default={}
    )
    output: OutputWord = key(
        "`json` makes one JSON value of what the program writes to standard output (at most 64 KiB).",
        "json",
        default="text",
    )

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem for expressions without JSON, and for JSON without expressions."""
        yield from super().check_written(written)
        used = [key for key in KEYS if key in written]
        if used and written.get("output", "text") == "text":
            yield Problem(f"{used[0]} needs output: json", path=used[0], hint="add output: json")
        if not used and written.get("output") == "json":
            hint = "add good_when or bad_when, for example good_when: result.lag < 30"
            yield Problem("output: json says nothing without an expression", path="output", hint=hint)
