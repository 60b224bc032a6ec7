"""The keys of the probe kind `http`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, PlainValidator, WithJsonSchema

from wavegate.config.fields import (
    TEXT,
    Expectations,
    ListOfTexts,
    Method,
    OptionalText,
    Rate,
    SomeTime,
    Statuses,
    TextMapping,
    Url,
)
from wavegate.config.keys import key, optional
from wavegate.config.kinds.web import WebKeys
from wavegate.config.values import expect, parse_some_seconds, parse_whole, show
from wavegate.errors import Problem

MOST_REDIRECTS = 20


def _parse_send(value: Any) -> Any:
    if not value or not isinstance(value, str | dict | list):
        raise expect("a text, or a mapping or list that is sent as JSON", value)
    return value


def _parse_redirects(value: Any) -> int:
    return parse_whole(value, 0, MOST_REDIRECTS)


Send = Annotated[
    Any,
    PlainValidator(_parse_send),
    WithJsonSchema(
        {
            "title": "text, or a mapping or list for JSON",
            "anyOf": [TEXT, {"type": "object", "minProperties": 1}, {"type": "array", "minItems": 1}],
        }
    ),
]
Redirects = Annotated[
    int,
    PlainValidator(_parse_redirects),
    WithJsonSchema({"title": "whole number", "type": "integer", "minimum": 0, "maximum": MOST_REDIRECTS}),
]


class Http(WebKeys):
    """Asks an HTTP service, from the controller. Good means: every expectation that is written holds."""

    literal_keys: ClassVar[tuple[str, ...]] = ("json",)

    url: Url = key(
        "The address; a template that is rendered for each host.", "http://{{ ansible_host }}:8080/healthz"
    )
    method: Method = key("The HTTP method.", "HEAD", default="GET")
    send: Send = optional(
        "The request's body: a text, or a mapping or list that is sent as JSON; may hold templates.",
        {"query": "{ status }"},
        "ping",
    )
    status: Statuses = key("The status that is good, or a list of them.", 204, [200, 204], default=200)
    json_: Expectations = Field(
        {},
        alias="json",
        description="What the JSON answer must contain: a dotted path and a single value, which may be a "
        "template. Write a version in quotes: YAML reads 1.10 as the number 1.1.",
        examples=[{"state": "ok", "database.up": True, "version": "{{ intranet_version }}"}],
    )
    body: OptionalText = optional("Text that the answer must contain; may be a template.", "welcome")
    answer_headers: TextMapping = optional(
        "Headers that the answer must have, each with exactly this value, which may be a template.",
        {"X-Version": "{{ intranet_version }}"},
        default={},
    )
    max_latency: SomeTime = optional("A slower answer is bad.", "500ms")
    redirects: Redirects = key(
        "How many redirects are followed; with 0 a redirect is the answer.", 0, default=5
    )
    redirect_hosts: ListOfTexts = optional(
        "Other hosts that a redirect may lead to; headers, `auth` and client certificate are not sent there.",
        ["login.example.org"],
        default=(),
    )

    rate: Rate = optional(
        "How many requests a second one measurement makes, each over a new connection; it counts them and "
        "those that failed, and is bad when one did. Its number is the median of the answer times.",
        50,
    )
    span: SomeTime = optional("How long a measurement with `rate` goes on asking; without it, 1s.", "5s")

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem for what can never hold, never trip or says nothing."""
        yield from super().check_written(written)
        yield from check_rate(written)
        yield from check_latency(written, "5s")
        if written.get("method") == "HEAD":
            for key_ in ("body", "json"):
                if key_ in written:
                    yield Problem("the answer to HEAD has no body", path=key_, hint="remove method: HEAD")
        if "send" in written and "method" not in written:
            yield Problem("a body is sent with GET only in so many words", path="send", hint="method: POST")
        if "redirect_hosts" in written and written.get("redirects") == 0:
            yield Problem("redirect_hosts says nothing with redirects: 0", path="redirect_hosts")


MOST_AT_ONCE = 500
"""How many requests of one measurement may wait for their answers at the same time."""


def check_rate(written: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield a problem for more requests at once than are sensible, and for a span of nothing."""
    rate = written.get("rate")
    if "span" in written and "rate" not in written:
        yield Problem("span says nothing without rate", path="span", hint="add rate: 50")
    if not isinstance(rate, int) or isinstance(rate, bool):
        return
    try:
        timeout = parse_some_seconds(written.get("timeout", "5s"))
    except ValueError:
        return
    if rate * timeout > MOST_AT_ONCE:
        what = f"{rate} requests a second with a timeout of {timeout:g} s could be {rate * timeout:g} at once"
        yield Problem(what, path="rate", hint=f"at most {MOST_AT_ONCE}: lower rate or timeout")


def check_latency(written: Mapping[str, Any], default_timeout: str) -> Iterator[Problem]:
    """Yield a problem for a latency that the timeout hides: it would never trip."""
    timeout = written.get("timeout", default_timeout)
    try:
        never = parse_some_seconds(written.get("max_latency")) >= parse_some_seconds(timeout)
    except ValueError:
        return
    if never:
        message = f"max_latency can never trip: the timeout of {show(timeout)} ends the measurement first"
        yield Problem(message, path="max_latency", hint="a longer timeout, or a shorter max_latency")
