"""The keys of the probe kind `dns`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from wavegate.config.fields import ListOfTexts, OptionalText, Port, SomeTime, Text
from wavegate.config.keys import KindSettings, key, optional
from wavegate.config.kinds.http import check_latency
from wavegate.config.values import choice
from wavegate.errors import Problem


class RecordType(StrEnum):
    """What can be asked of a name."""

    A = "A"
    AAAA = "AAAA"
    CAA = "CAA"
    CNAME = "CNAME"
    MX = "MX"
    NS = "NS"
    PTR = "PTR"
    SOA = "SOA"
    SRV = "SRV"
    TXT = "TXT"


RecordWord = Annotated[
    RecordType,
    PlainValidator(choice(RecordType)),
    WithJsonSchema({"title": "word", "enum": [word.value for word in RecordType]}),
]


class Dns(KindSettings):
    """Asks a name server, from the controller. Good means: it gave an answer, and the one that is wanted."""

    name: Text = key(
        "The name to ask for; an address with `type: PTR`. May be a template.",
        "intranet.example.org",
        "{{ inventory_hostname }}.example.org",
    )
    type: RecordWord = key("The type of the records.", "MX", default="A")
    answers: ListOfTexts = optional(
        "The records that must come, these and no others, in any order; each may be a template.",
        ["{{ ansible_host }}"],
        ["10 mail.example.org"],
        default=(),
    )
    server: OptionalText = optional(
        "The name server that is measured, by address or name; without it, the controller's are asked.",
        "{{ ansible_host }}",
        "192.0.2.53",
    )
    port: Port = key("The server's port.", 5353, default=53)
    max_latency: SomeTime = optional("A slower answer is bad.", "100ms")

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem for what can never trip or says nothing."""
        yield from super().check_written(written)
        yield from check_latency(written, "5s")
        if "port" in written and "server" not in written:
            yield Problem("port says nothing without server", path="port", hint="add server: ADDRESS")
