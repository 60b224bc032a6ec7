"""Read single values of a rollout file: parsers take YAML data and tell in a sentence what they expected."""

from __future__ import annotations

import difflib
import keyword
import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Any

from wavegate.core.quantity import Amount, parse_amount, parse_duration

LONGEST_DURATION = 366 * 86400.0
LARGEST_NUMBER = 1_000_000
NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
LABEL = re.compile(r"[^\s/](?:[^/]{0,78}[^\s/])?")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SIZE = re.compile(r"(\d{1,12}(?:\.\d{1,6})?)\s*([kMGT]?B|[KMGT]iB|KB)")
_MARGIN = re.compile(r"\s*\+?\s*(1000|\d{1,3}(?:\.\d{1,3})?)\s*%\s*")
_SHARE = re.compile(r"\s*(100|\d{1,2}(?:\.\d{1,4})?)\s*%\s*")
MOST_REQUESTS = 200
"""How many requests a second a probe may make: more would measure this machine instead of the service."""
_UNITS = {"B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def show(value: Any) -> str:
    """Return `value` for an error message: short, as it would stand in YAML."""
    if isinstance(value, str):
        return f"{value[:60]!r}…" if len(value) > 60 else repr(value)  # noqa: PLR2004 - enough to recognise it
    names: dict[Any, str] = {None: "nothing", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return names[value]
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return show(str(value))[1:-1] if isinstance(value, float) or abs(value) < 10**40 else "a huge number"


def suggest(word: str, known: Iterable[str]) -> str:
    """Return `did you mean X?` for a near miss, else an empty string."""
    names = list(known)
    folded = {name.lower().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word.lower().replace("-", "_")[:80], folded, n=1, cutoff=0.6)
    return f"did you mean {folded[close[0]]}?" if close else ""


def expect(what: str, value: Any) -> ValueError:
    """Return the error that says what was expected and what stood there."""
    return ValueError(f"expected {what}; got {show(value)}")


def parse_text(value: Any) -> str:
    """Return a text that is not blank."""
    if not isinstance(value, str) or not value.strip():
        raise expect("text", value)
    return value


def parse_name(value: Any) -> str:
    """Return a rollout's name, which becomes part of file names."""
    if not isinstance(value, str) or not NAME.fullmatch(value) or len(value) > 80:  # noqa: PLR2004
        raise expect(
            "a name of small letters, digits, '.', '_' and '-' that starts with a letter or digit", value
        )
    return value


def parse_label(value: Any) -> str:
    """Return the name of a wave, gate or probe: one printable line of at most 80 characters without '/'."""
    if not isinstance(value, str) or not LABEL.fullmatch(value) or not value.isprintable():
        raise expect("a name: one line of at most 80 printable characters without '/'", value)
    return value


def parse_variable(value: Any) -> str:
    """Return a name that Ansible takes for a variable."""
    if not isinstance(value, str) or not VARIABLE.fullmatch(value) or keyword.iskeyword(value):
        raise expect("a variable's name: letters, digits and '_', not a Python keyword", value)
    return value


def parse_switch(value: Any) -> bool:
    """Return a truth value."""
    if not isinstance(value, bool):
        raise expect("true or false", value)
    return value


def parse_version(value: Any) -> int:
    """Return the version of the format, which is 1."""
    if isinstance(value, int) and not isinstance(value, bool) and value > 1:
        raise ValueError(
            f"this wavegate reads version 1 of the format; the file is written for version {show(value)}"
        )
    if value != 1 or isinstance(value, bool | float):
        raise expect("the number 1", value)
    return 1


def parse_whole(value: Any, least: int = 0, most: int = LARGEST_NUMBER) -> int:
    """Return a whole number from `least` to `most`."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        end = f"to {most}" if most < LARGEST_NUMBER else "up"
        raise expect(f"a whole number from {least} {end}", value)
    return value


def parse_count(value: Any) -> int:
    """Return a whole number of at least 1."""
    return parse_whole(value, 1)


def parse_exit_code(value: Any) -> int:
    """Return the exit code of a process."""
    return parse_whole(value, 0, 255)


def parse_number(value: Any) -> float:
    """Return a number above 0."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LARGEST_NUMBER:
        raise expect(f"a number above 0, at most {LARGEST_NUMBER}", value)
    return float(value)


def parse_seconds(value: Any) -> float:
    """Return the seconds of a duration, which may be zero."""
    try:
        seconds = parse_duration(value)
    except (ValueError, AttributeError, TypeError):
        raise expect("a duration such as 500ms, 20s, 15m, 3h or 2d", value) from None
    if seconds > LONGEST_DURATION:
        raise expect("a duration of at most 366d", value)
    return seconds


def parse_some_seconds(value: Any) -> float:
    """Return the seconds of a duration above zero."""
    seconds = parse_seconds(value)
    if seconds == 0:
        raise expect("a duration above zero", value)
    return seconds


def parse_budget(value: Any) -> Amount:
    """Return a number of hosts or a percentage, which may be zero."""
    wanted = "a whole number or a percentage from 0% to 100%"
    if not isinstance(value, int | str):
        raise expect(wanted, value)
    try:
        amount = parse_amount(value if not isinstance(value, bool) else "")
    except ValueError:
        raise expect(wanted, value) from None
    if amount.value > LARGEST_NUMBER:
        raise expect(f"a number of hosts up to {LARGEST_NUMBER}", value)
    return amount


def parse_batch(value: Any) -> tuple[Amount, ...]:
    """Return batch sizes in order; the last one repeats."""
    wanted = "a whole number, a percentage such as 25%, or a list of them"
    if isinstance(value, list) and not value:
        raise ValueError(f"expected {wanted}; got an empty list")
    sizes = []
    for item in value if isinstance(value, list) else [value]:
        try:
            size = parse_budget(item)
        except ValueError:
            raise expect(wanted, item) from None
        if size.value == 0:
            raise ValueError(f"a batch cannot be empty; expected at least 1 or 1%, got {show(item)}")
        sizes.append(size)
    return tuple(sizes)


def parse_texts(value: Any) -> tuple[str, ...]:
    """Return one text or a list of them as a tuple."""
    items = value if isinstance(value, list) else [value]
    if not items:
        raise ValueError("expected text or a list of texts; got an empty list")
    try:
        return tuple(parse_text(item) for item in items)
    except ValueError:
        wrong = next(item for item in items if not isinstance(item, str) or not item.strip())
        raise expect("text or a list of texts", wrong) from None


def parse_list_of_texts(value: Any) -> tuple[str, ...]:
    """Return a list of texts as a tuple."""
    if not isinstance(value, list) or not value:
        raise expect("a list of texts with at least one entry", value)
    return parse_texts(value)


def parse_arguments(value: Any) -> tuple[str, ...]:
    """Return a program and its arguments; whole numbers count as text."""
    if not isinstance(value, list) or not value:
        raise expect('a list such as ["curl", "-f", "http://…"], never a shell line', value)
    arguments = tuple(_to_text(item) for item in value)
    if not arguments[0].strip():
        raise ValueError("the program, which is the first entry, is empty")
    return arguments


def parse_text_mapping(value: Any) -> dict[str, str]:
    """Return a mapping of text to text; whole numbers count as text. Values are kept out of messages."""
    if not isinstance(value, dict):
        raise expect("a mapping of names to texts", value)
    return {parse_text(name): _to_text(item, name) for name, item in value.items()}


def _to_text(value: Any, name: str = "") -> str:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**18:
        return str(value)
    if not isinstance(value, str):  # the value may be a secret: only its kind is told
        kind = (
            "a mapping or list"
            if isinstance(value, dict | list)
            else "a value that YAML does not read as text"
        )
        where = f" for {name!r}" if name else ""
        raise ValueError(f"expected text{where}; got {kind}: put it in quotes")  # noqa: TRY004 - pydantic's contract
    return value


def parse_expectations(value: Any) -> dict[str, Any]:
    """Return a mapping of dotted paths to single values: text, a number, true, false or null."""
    if not isinstance(value, dict) or not value:
        raise expect('a mapping such as {state: ok, "database.up": true}', value)
    for path, item in value.items():
        if not path.strip(".") or isinstance(item, dict | list):
            raise ValueError(
                f"expected a single value for {show(path)}; got {show(item)}: write a.b for what is nested"
            )
        if isinstance(item, int) and abs(item) >= 10**18:
            raise ValueError(f"the number for {show(path)} is too large to be compared")
    return dict(value)


def parse_statuses(value: Any) -> tuple[int, ...]:
    """Return the HTTP status codes that are good."""
    items = value if isinstance(value, list) else [value]
    wrong = [code for code in items if not isinstance(code, int) or not 100 <= code <= 599]  # noqa: PLR2004
    if wrong or not items:
        raise expect("an HTTP status from 100 to 599, or a list of them", wrong[0] if wrong else value)
    return tuple(items)


def parse_url(value: Any) -> str:
    """Return an http(s) address, or a template of one."""
    if not isinstance(value, str) or not re.match(r"https?://[^/\s]|\s*\{\{", value):
        raise expect("an address that starts with http:// or https://", value)
    return value


def parse_method(value: Any) -> str:
    """Return an HTTP method."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z]{3,10}", value):
        raise expect("an HTTP method in capital letters, such as GET", value)
    return value


def parse_port(value: Any) -> int | str:
    """Return a port's number, or a template of one."""
    if isinstance(value, str) and "{{" in value:
        return value
    return parse_whole(value, 1, 65535)


def parse_level(value: Any) -> dict[str, int]:
    """Return `{"percent": 10}` for `10%`, `{"bytes": 2000000000}` for `2GB`."""
    text = value.strip() if isinstance(value, str) else ""
    if match := _SIZE.fullmatch(text):
        return {"bytes": int(float(match[1]) * _UNITS[match[2]])}
    try:
        return {"percent": parse_amount(text if text.endswith("%") else "").value}
    except ValueError:
        raise expect("a percentage from 0% to 100%, or a size such as 500MB, 2GB or 2GiB", value) from None


def parse_require(value: Any) -> str:
    """Return the one thing that can be required before a host is changed."""
    if value != "backup":
        raise expect("backup", value)
    return "backup"


def parse_percent(value: Any) -> int:
    """Return 10 for `10%`."""
    try:
        return parse_amount(value if isinstance(value, str) and value.strip().endswith("%") else "").value
    except ValueError:
        raise expect("a percentage from 0% to 100%", value) from None


def parse_margin(value: Any) -> float:
    """Return 0.2 for `+20%`, by which something may be worse."""
    match = _MARGIN.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise expect("a percentage from +0% to +1000%, such as +20%", value)
    return float(match[1]) / 100


def parse_share(value: Any) -> float:
    """Return 0.001 for `0.1%`."""
    match = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise expect("a percentage from 0% to 100%, such as 0.1%", value)
    return float(match[1]) / 100


def parse_confidence(value: Any) -> float:
    """Return a confidence, of which 0.5 is none at all and 1 cannot be reached."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0.5 <= value <= 0.9999:  # noqa: PLR2004
        raise expect("a number from 0.5 to 0.9999, such as 0.95", value)
    return float(value)


def parse_rate(value: Any) -> int:
    """Return how many requests a second."""
    return parse_whole(value, 1, MOST_REQUESTS)


def parse_hosts_to_compare(value: Any) -> int:
    """Return how many hosts are measured to compare with."""
    return parse_whole(value, 2, 1000)


def word(only: str) -> Callable[[Any], str]:
    """Return a parser for a key that has a single word so far."""

    def parse(value: Any) -> str:
        if value != only:
            raise expect(only, value)
        return only

    return parse


def parse_disk_levels(value: Any) -> dict[str, dict[str, int]]:
    """Return a level for each mount point; a single level is for `/`."""
    if not isinstance(value, dict):
        return {"/": parse_level(value)}
    if not value or not all(path.startswith("/") for path in value):
        raise expect(
            "a percentage such as 10%, or a mapping of absolute paths to percentages or sizes", value
        )
    return {path: parse_level(level) for path, level in value.items()}


def choice(options: type[StrEnum]) -> Callable[[Any], StrEnum]:
    """Return a parser for the words of an enum, which names them all and the near miss."""

    def parse(value: Any) -> StrEnum:
        words = [option.value for option in options]
        if isinstance(value, str) and value in words:
            return options(value)
        hint = suggest(value, words) if isinstance(value, str) else ""
        raise ValueError(f"expected {' or '.join(words)}; got {show(value)}" + (f"; {hint}" if hint else ""))

    return parse


def refuse_nothing(value: Any) -> Any:
    """Return `value`; a key that stands there with no value is a mistake."""
    if value is None:
        raise ValueError("the key has no value; give it one or remove the key")
    return value
