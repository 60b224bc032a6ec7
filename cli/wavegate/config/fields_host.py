"""The types of the keys of those probe kinds that look at hosts through Ansible; see `fields`."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from wavegate.config.fields import TEXT
from wavegate.config.values import (
    LARGEST_NUMBER,
    expect,
    parse_percent,
    parse_port,
    parse_some_seconds,
    parse_text,
    parse_whole,
    show,
)
from wavegate.core.debian_versions import is_version
from wavegate.core.judgement_activity import ENTRIES_LOOKED_AT

_DURATION = r"^\s*\d+(\.\d+)?\s*(ms|s|m|h|d)\s*$"
_PERCENT: dict[str, Any] = {"type": "string", "pattern": r"^\s*(100|\d{1,2})\s*%\s*$"}
_PORT: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 65535},
        {"type": "string", "pattern": r"\{\{"},
    ]
}
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){0,9}")
_NO_MODULES = ("meta", "include", "import_playbook", "add_host", "group_by", "set_fact", "set_stats", "pause")
CHANGE = "change"
"""The word for the instant at which the change began on a host."""


def parse_inode_levels(value: Any) -> dict[str, int]:
    """Return a percentage for each path; a single one is for `/`."""
    if not isinstance(value, dict):
        return {"/": parse_percent(value)}
    if not value or not all(path.startswith("/") for path in value):
        raise expect("a percentage such as 10%, or a mapping of absolute paths to percentages", value)
    return {path: parse_percent(level) for path, level in value.items()}


def parse_updates(value: Any) -> dict[str, Any]:
    """Return how many security updates may wait, and the greatest age of the lists in seconds, if named."""
    if not isinstance(value, dict):
        return {"at_most": parse_whole(value)}
    if not value or not value.keys() <= {"at_most", "lists_at_most"}:
        raise expect("a whole number, or a mapping with at_most and lists_at_most", value)
    wanted: dict[str, Any] = {"at_most": parse_whole(value.get("at_most", 0))}
    if "lists_at_most" in value:
        wanted["lists_at_most"] = parse_some_seconds(value["lists_at_most"])
    return wanted


def parse_packages(value: Any) -> dict[str, str]:
    """Return the wanted version of each package, `>= ` before one that may be newer; or templates of them."""
    if not isinstance(value, dict) or not value:
        raise expect('a mapping of packages to versions, such as {openssl: ">= 3.0.15"}', value)
    for name, version in value.items():
        if isinstance(version, str) and (
            "{{" in version or is_version(version.strip().removeprefix(">=").strip())
        ):
            continue
        if isinstance(version, int | float) and not isinstance(version, bool):
            raise ValueError(f"YAML reads the version of {name} as the number {show(version)}: quote it")  # noqa: TRY004 - pydantic's contract
        raise ValueError(f"expected a version for {name}, such as 1.2-3 or >= 1.2; got {show(version)}")
    return dict(value)


def parse_ports(value: Any) -> tuple[int | str, ...]:
    """Return a list of port numbers, or templates of them."""
    if not isinstance(value, list) or not value:
        raise expect("a list of port numbers with at least one entry", value)
    return tuple(parse_port(port) for port in value)


def parse_processes(value: Any) -> dict[str, int]:
    """Return the least number of processes of each name; of a list it is 1."""
    if isinstance(value, list) and value:
        return {parse_text(name): 1 for name in value}
    if not isinstance(value, dict) or not value:
        raise expect("a list of names, or a mapping of names to the least number of processes", value)
    return {parse_text(name): parse_whole(least, 1) for name, least in value.items()}


def parse_ages(value: Any) -> dict[str, float]:
    """Return the greatest age in seconds of each path."""
    if not isinstance(value, dict) or not value:
        raise expect("a mapping of absolute paths to ages, such as {/var/backups/db: 25h}", value)
    for path in value:
        if not path.startswith(("/", "{{")):
            raise expect("an absolute path", path)
    return {path: parse_some_seconds(age) for path, age in value.items()}


def parse_pattern(value: Any) -> str:
    """Return a regular expression in one line, which is looked at before any host is asked."""
    text = parse_text(value)
    if "\n" in text or "\0" in text:
        raise ValueError("expected a pattern in one line")
    if "{{" not in text:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{show(text)} is no regular expression: {error}") from None
    return text


def parse_at_most(value: Any) -> int:
    """Return how many entries of a log are allowed."""
    return parse_whole(value, 0, ENTRIES_LOOKED_AT - 1)


def parse_since(value: Any) -> float | None:
    """Return the seconds to look back, None for `change`: as far as the change on the host goes back."""
    if value == CHANGE:
        return None
    try:
        return parse_some_seconds(value)
    except ValueError:
        raise expect("a duration such as 15m, or the word change", value) from None


def parse_module(value: Any) -> str:
    """Return the name of an Ansible module; what is none, and steers the playbook, is refused."""
    if not isinstance(value, str) or not _MODULE.fullmatch(value):
        raise expect("the name of an Ansible module, such as ansible.builtin.stat", value)
    word = value.rpartition(".")[2]
    is_builtin = value in {word, f"ansible.builtin.{word}", f"ansible.legacy.{word}"}
    if is_builtin and (word in _NO_MODULES or word.startswith(("include_", "import_"))):
        raise ValueError(f"{value} looks at no host: it steers a playbook; a playbook can be a probe itself")
    return value


def parse_arguments_of_module(value: Any) -> dict[str, Any]:
    """Return the arguments of a module."""
    if not isinstance(value, dict):
        raise expect("a mapping of the module's arguments, such as {path: /etc/motd}", value)
    return dict(value)


def parse_plain_variables(value: Any) -> dict[str, Any]:
    """Return variables without templates: they are the same for every host."""
    if not isinstance(value, dict):
        raise expect("a mapping of variables", value)
    for name, item in value.items():
        if "{{" in str(item) or "{%" in str(item):
            raise ValueError(f"{show(name)} is a template: write it into the playbook or the inventory")
    return dict(value)


def parse_plain_path(value: Any) -> str:
    """Return a path inside the project, the same for every host."""
    text = parse_text(value).strip()
    if "{{" in text:
        raise ValueError("a template is not possible here: it is one and the same for all hosts")
    return text


def parse_suite(value: Any) -> str:
    """Return the path of a suite inside the project: never an option, a test's id or a place outside."""
    text = parse_plain_path(value)
    parts = text.split("/")
    if text.startswith(("/", "-", "~")) or ".." in parts or "::" in text:
        raise expect("a file or folder of tests, relative to the project's root", value)
    return text


def _typed(parse: Any, title: str, **schema: Any) -> Any:
    return (PlainValidator(parse), WithJsonSchema({"title": title, **schema}))


def _mapping(of: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "minProperties": 1, "additionalProperties": of, **more}


_ABSOLUTE = {"propertyNames": {"pattern": "^/"}}
_WHOLE: dict[str, Any] = {"type": "integer", "minimum": 0, "maximum": LARGEST_NUMBER}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": LARGEST_NUMBER}

InodeLevels = Annotated[
    dict[str, int] | None,
    *_typed(
        parse_inode_levels,
        "percentage, or a mapping of paths to them",
        anyOf=[_PERCENT, _mapping(_PERCENT, **_ABSOLUTE)],
    ),
]
Updates = Annotated[
    dict[str, Any] | None,
    *_typed(
        parse_updates,
        "whole number, or a mapping with at_most and lists_at_most",
        anyOf=[
            _WHOLE,
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {"at_most": _WHOLE, "lists_at_most": {"type": "string", "pattern": _DURATION}},
            },
        ],
    ),
]
Packages = Annotated[
    dict[str, str], *_typed(parse_packages, "mapping of packages to versions", **_mapping(TEXT))
]
Ports = Annotated[
    tuple[int | str, ...],
    *_typed(parse_ports, "list of port numbers or templates", type="array", items=_PORT, minItems=1),
]
Processes = Annotated[
    dict[str, int],
    *_typed(
        parse_processes,
        "list of names, or a mapping of names to the least number",
        anyOf=[{"type": "array", "items": TEXT, "minItems": 1}, _mapping(_COUNT)],
    ),
]
Ages = Annotated[
    dict[str, float],
    *_typed(
        parse_ages,
        "mapping of absolute paths to durations",
        **_mapping({"type": "string", "pattern": _DURATION}),
        propertyNames={"pattern": r"^(/|\{\{)"},
    ),
]
Offset = Annotated[
    float | None, *_typed(parse_some_seconds, "duration above zero", type="string", pattern=_DURATION)
]
Pattern = Annotated[str, *_typed(parse_pattern, "regular expression", **TEXT)]
Entries = Annotated[
    int, *_typed(parse_at_most, "whole number", **{**_WHOLE, "maximum": ENTRIES_LOOKED_AT - 1})
]
Since = Annotated[
    float | None,
    *_typed(
        parse_since,
        "duration, or the word change",
        anyOf=[{"type": "string", "pattern": _DURATION}, {"const": CHANGE}],
    ),
]
Module = Annotated[
    str, *_typed(parse_module, "name of a module", type="string", pattern=f"^{_MODULE.pattern}$")
]
ModuleArguments = Annotated[dict[str, Any], *_typed(parse_arguments_of_module, "mapping", type="object")]
PlainVariables = Annotated[
    dict[str, Any], *_typed(parse_plain_variables, "mapping of variables", type="object")
]
PlainPath = Annotated[str, *_typed(parse_plain_path, "path", **TEXT)]
SuitePath = Annotated[str, *_typed(parse_suite, "path", **TEXT)]
