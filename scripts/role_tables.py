"""Write the tables of the roles' READMEs out of their argument specs. Usage: role_tables.py README..."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

TABLES = re.compile(
    r"(?P<open><!-- (?P<kind>variables|procedures) -->\n).*?(?P<close><!-- /(?P=kind) -->)", re.DOTALL
)


def main() -> None:
    """Bring the READMEs up to date."""
    for path in map(Path, sys.argv[1:]):
        specs = yaml.safe_load((path.parent / "meta" / "argument_specs.yml").read_text())["argument_specs"]
        path.write_text(fill_tables(path.read_text(), specs))


def fill_tables(text: str, specs: dict[str, Any]) -> str:
    """Return the README with what is between its markers written anew."""
    tables = {"variables": table_of_variables(specs), "procedures": table_of_procedures(specs)}
    return TABLES.sub(lambda found: f"{found['open']}\n{tables[found['kind']]}\n{found['close']}", text)


def table_of_variables(specs: dict[str, Any]) -> str:
    """Return one row for each public variable, in the order of the specs."""
    options = {name: option for entry in specs.values() for name, option in entry.get("options", {}).items()}
    rows = [
        f"| `{name}` | {show_type(option)} | `{show_default(option.get('default'))}` | {show_text(option)} |"
        for name, option in options.items()
    ]
    return "\n".join(["| Variable | Type | Default | Meaning |", "|---|---|---|---|", *rows, ""])


def table_of_procedures(specs: dict[str, Any]) -> str:
    """Return one row for each procedure; `main` is the role alone and has none."""
    rows = [
        f"| `{name}` | {one_line(entry.get('description', entry['short_description']))} |"
        for name, entry in specs.items()
        if name != "main"
    ]
    return "\n".join(["| Procedure | What it does |", "|---|---|", *rows, ""])


def show_type(option: dict[str, Any]) -> str:
    """Return `list of dict` for a list whose elements have a type."""
    return f"{option['type']} of {option['elements']}" if "elements" in option else str(option["type"])


def show_default(default: Any) -> str:
    """Return the default as YAML would be written in one line, with what a table cannot hold escaped."""
    text = default if isinstance(default, str) and default else json.dumps(default)
    return text.replace("|", "\\|")


def show_text(option: dict[str, Any]) -> str:
    """Return what the option means, with the keys of its elements, in one line."""
    inner = option.get("options", {})
    keys = "; ".join(f"`{name}`: {show_inner(key)}" for name, key in inner.items())
    return one_line(option["description"]) + (f" Keys: {keys}" if keys else "")


def show_inner(option: dict[str, Any]) -> str:
    """Return what one key of an element means, without its full stop, and what it is when it is not given."""
    absent = "required" if option.get("required") else f"default `{show_default(option.get('default'))}`"
    return f"{one_line(option['description']).rstrip('.')} ({absent})"


def one_line(text: str | list[str]) -> str:
    """Return a description as one line of a table."""
    joined = " ".join(text) if isinstance(text, list) else text
    return " ".join(joined.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
