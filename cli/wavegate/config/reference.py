"""Write the reference page of the rollout file: `python -m wavegate.config.reference docs/rollout-file.md`.

It is made from the JSON Schema, so that what is documented is what is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wavegate.config.kinds import BUILT_IN

_SECTIONS = (
    ("Vault", "vault"),
    ("BecomeSettings", "become"),
    ("RollbackSettings", "rollback"),
    ("RehearsalSettings", "rehearsal"),
    ("BudgetSettings", "failure_budget"),
    ("Probe", "probes.NAME"),
    ("Compare", "probes.NAME.compare"),
    ("Auth", "auth"),
    *((place.rpartition(":")[2], f"probes.NAME.{kind}") for kind, place in BUILT_IN.items()),
    ("LogWatch", "probes.NAME.host.logs[N]"),
    ("Gate", "gates.NAME"),
    ("ErrorBudgetSettings", "gates.NAME.error_budget"),
    ("Approval", "gates.NAME.approval"),
    ("Rehearsed", "gates.NAME.rehearsed"),
    ("Wave", "waves[N]"),
)
_PLACES = dict(_SECTIONS)

_INTRODUCTION = """\
# The rollout file

This page is written by `python -m wavegate.config.reference docs/rollout-file.md` from the schema that
checks the file. `wavegate validate FILE` tells every problem of a file at once. `wavegate schema` prints the
JSON Schema, with which an editor completes keys, for example by a first line
`# yaml-language-server: $schema=rollout.schema.json`.

```yaml
name: patch-intranet
playbook: playbooks/patch.yml
rollback: playbooks/rollback.yml
vars: {intranet_version: "1.1"}
in_flight: 4
on_breach: rollback_wave

probes:
  answers:
    http:
      url: http://{{ ansible_host }}:8080/healthz
      json: {version: "{{ intranet_version }}"}
  disk-is-not-full:
    host: {disk_free: 10%}

gates:
  healthy: {probes: [answers, disk-is-not-full], interval: 2s, soak: 10m}

waves:
  - {name: pilot, hosts: pilot, after: healthy}
  - {name: department, each: department_*, batch: [1, 50%], failure_budget: 10%, after: healthy}
```

## How values are read
- The file is YAML 1.1, as Ansible reads it: `yes`, `no`, `on` and `off` are truth values, and `1.10` is the
  number 1.1. Write versions and words like these in quotes. Dates stay text. Keys are text as they are
  written; in `vars` a key that YAML reads as something else must be quoted.
- A key that stands there without a value is a problem, and so is a key that is written twice.
- Durations are a number and a unit: `500ms`, `20s`, `15m`, `3h`, `2d`.
- Amounts are a whole number of hosts or a percentage from `0%` to `100%`, which is rounded down.
- Templates (`{{ … }}`) are possible in the texts of probes; Ansible renders them with the host's variables.
- `!vault` and `!unsafe` are possible in `vars` only.
- A probe's own sampling key wins over that of the gate that uses it, and that over the default.
"""


def write_reference(schema: Mapping[str, Any]) -> str:
    """Return the page in Markdown for the JSON Schema of the rollout file."""
    parts = [_INTRODUCTION, _write_section("Top level", schema)]
    parts += [_write_section(f"`{place}`", schema["$defs"][name]) for name, place in _SECTIONS]
    return "\n".join(parts)


def _write_section(title: str, model: Mapping[str, Any]) -> str:
    lines = [f"## {title}", model["description"], "", "| key | value | default | meaning | examples |"]
    lines.append("|---|---|---|---|---|")
    required = model.get("required", ())
    for key, schema in model["properties"].items():
        default = "required" if key in required else _write_value(schema.get("default"))
        examples = " · ".join(_write_value(example) for example in schema.get("examples", ()))
        cells = (f"`{key}`", _write_type(schema), default, schema["description"], examples)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _write_value(value: Any) -> str:
    return "" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _write_type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    if "anyOf" in schema and "title" not in schema:
        return " or ".join(_write_type(option) for option in schema["anyOf"])
    if "$ref" in schema:
        return f"mapping, see `{_PLACES[schema['$ref'].rpartition('/')[2]]}`"
    return str(schema.get("title")) if "title" in schema else _write_container(schema)


def _write_container(schema: Mapping[str, Any]) -> str:
    if schema["type"] == "array":
        return f"list; each a {_write_type(schema['items'])}"
    inner = schema.get("additionalProperties")
    if isinstance(inner, dict):
        return f"mapping of names; each a {_write_type(inner)}"
    return {"object": "mapping", "string": "text", "boolean": "true or false"}[schema["type"]]


def _main(arguments: list[str]) -> None:
    from wavegate.config.json_schema import build_json_schema

    Path(arguments[0]).write_text(write_reference(build_json_schema()), encoding="utf-8")


if __name__ == "__main__":
    import sys

    _main(sys.argv[1:])
