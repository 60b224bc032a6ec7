"""What an answer of a web service means, measured against what the probe wants.

Everything in an answer is the service's doing, so whatever is wrong with it is bad, never an error.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from wavegate.core.judgement import Judgement, seconds_text
from wavegate.core.outcomes import Reading

BODY_LIMIT = 1024 * 1024
"""Bytes of an answer that are looked at; an endless answer costs no more than these."""


class HttpExpectation(Struct, frozen=True, kw_only=True):
    """What an http probe wants: one of `statuses`, `text` in the body, JSON values by dotted path, speed.

    `headers` are wanted of the answer, each with exactly this value; the case of their names is all one.
    """

    statuses: tuple[int, ...]
    values: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    max_latency: float | None = None


class HttpAnswer(Struct, frozen=True, kw_only=True):
    """What came back: at most BODY_LIMIT bytes of body; `whole` says that it was all of it.

    `headers` are pairs of name (in small letters) and value; a name may come more than once.
    """

    status: int
    body: bytes
    seconds: float
    whole: bool = True
    charset: str = "utf-8"
    encoding: str = ""
    headers: Sequence[tuple[str, str]] = ()


def judge_http(expected: HttpExpectation, answer: HttpAnswer) -> Judgement:
    """Return good when all of the expectation holds, otherwise bad with everything that does not."""
    complaints = [
        *_judge_status(expected, answer),
        *_judge_headers(expected, answer),
        *_judge_body(expected, answer),
        *_judge_latency(expected, answer),
    ]
    if complaints:
        return Judgement(Reading.BAD, "; ".join(complaints), answer.seconds)
    return Judgement(
        Reading.GOOD, f"answered {answer.status} in {seconds_text(answer.seconds)}", answer.seconds
    )


_YES = range(200, 300)


def judge_webhook(answer: HttpAnswer) -> Judgement:
    """Return good for any 2xx, bad for everything else with what the service says about it."""
    if answer.status in _YES:
        sentence = f"answered {answer.status} in {seconds_text(answer.seconds)}"
        return Judgement(Reading.GOOD, sentence, answer.seconds)
    said = (
        "" if answer.encoding else next((line for line in _decode(answer).splitlines() if line.strip()), "")
    )
    sentence = f"answered {answer.status}, wanted 2xx{f': {said.strip()}' if said else ''}"
    return Judgement(Reading.BAD, sentence, answer.seconds)


def _judge_status(expected: HttpExpectation, answer: HttpAnswer) -> Iterator[str]:
    if answer.status not in expected.statuses:
        yield f"answered {answer.status}, wanted {' or '.join(map(str, expected.statuses))}"


def _judge_headers(expected: HttpExpectation, answer: HttpAnswer) -> Iterator[str]:
    for name, wanted in expected.headers.items():
        seen = [value.strip() for key, value in answer.headers if key == name.lower()]
        if not seen:
            yield f'there is no header {name}, wanted "{wanted}"'
        elif wanted.strip() not in seen:
            yield f'header {name} is "{", ".join(seen)}", wanted "{wanted}"'


def _judge_body(expected: HttpExpectation, answer: HttpAnswer) -> Iterator[str]:
    if expected.text is None and not expected.values:
        return
    if answer.encoding:
        yield f"answered in the encoding {answer.encoding}, though it was asked for none"
        return
    if expected.text is not None and expected.text not in _decode(answer):
        yield f'"{expected.text}" is not in ' + ("the body" if answer.whole else "the first MiB of the body")
    if expected.values:
        yield from _judge_values(expected.values, answer)


def _judge_latency(expected: HttpExpectation, answer: HttpAnswer) -> Iterator[str]:
    if expected.max_latency is not None and answer.seconds > expected.max_latency:
        yield f"took {seconds_text(answer.seconds)}, wanted at most {seconds_text(expected.max_latency)}"


_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "iso-8859-1", "latin-1", "windows-1252"})


def _decode(answer: HttpAnswer) -> str:
    """Return the body as text; a charset that a service made up must not choose the codec."""
    charset = answer.charset.lower()
    return answer.body.decode(charset if charset in _CHARSETS else "utf-8", errors="replace")


def _judge_values(values: Mapping[str, Any], answer: HttpAnswer) -> Iterator[str]:
    if not answer.whole:
        yield f"the body is longer than {BODY_LIMIT} bytes, too long for JSON"
        return
    try:
        document = json.loads(answer.body, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        yield f"the body is not valid JSON: {error}"
        return
    for path, expected in values.items():
        yield from _judge_value(path, expected, document)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _judge_value(path: str, expected: Any, document: Any) -> Iterator[str]:
    try:
        actual = find_value(document, path)
    except LookupError as error:
        yield f"json {path}: {error.args[0]}, wanted {show_value(expected)}"
        return
    if not equal_values(expected, actual):
        yield f"json {path} is {show_value(actual)}, wanted {show_value(expected)}"


def find_value(document: Any, path: str) -> Any:
    """Return the value at the dotted path (a number is a list's index); raise LookupError naming the part."""
    value, place = document, "the answer"
    for part in path.split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, (dict, list)):
            raise LookupError(f'there is no "{part}" in {place}')
        else:
            raise LookupError(f'there is no "{part}" in {place}, which is {show_value(value)}')
        place = f'"{part}"'
    return value


def equal_values(expected: Any, actual: Any) -> bool:
    """Tell whether a JSON value is the expected one.

    An expected string equals a JSON scalar that is written the same way, because a template makes strings:
    "3" equals 3 and "true" (or Python's "True") equals true, but "1.10" does not equal 1.1. Any other
    expectation keeps its type: 3 equals neither "3" nor true.
    """
    if isinstance(expected, str):
        return expected == actual or expected in _spellings(actual)
    if isinstance(expected, Mapping) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(equal_values(expected[k], actual[k]) for k in actual)
    if isinstance(expected, (list, tuple)) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(equal_values, expected, actual))
    if any(isinstance(value, (bool, type(None))) for value in (expected, actual)):
        return expected is actual
    if isinstance(expected, (int, float)) and isinstance(actual, (int, Decimal)):
        return Decimal(str(expected)) == actual
    return False


def _spellings(actual: Any) -> tuple[str, ...]:
    """Return how a template may write a JSON scalar that is no string."""
    if actual is None or isinstance(actual, bool):
        return show_value(actual), str(actual)
    return (str(actual),) if isinstance(actual, (int, Decimal)) else ()


def show_value(value: Any) -> str:
    """Return a JSON value as a sentence shows it; strings stand unescaped, so that redaction finds them."""
    if isinstance(value, str):
        return f'"{value}"'
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, Mapping):
        return f"an object with {len(value)} keys"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)}"
    return str(value)
