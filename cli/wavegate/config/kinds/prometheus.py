"""The keys of the probe kind `prometheus`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import PlainValidator, WithJsonSchema

from wavegate.config.fields import Text, Url
from wavegate.config.keys import key
from wavegate.config.kinds.conditions import ConditionKeys
from wavegate.config.kinds.web import WebKeys
from wavegate.config.values import choice


class Empty(StrEnum):
    """What an empty answer means."""

    ERROR = "error"
    GOOD = "good"
    BAD = "bad"


EmptyWord = Annotated[
    Empty,
    PlainValidator(choice(Empty)),
    WithJsonSchema({"title": "word", "enum": [word.value for word in Empty]}),
]


class Prometheus(ConditionKeys, WebKeys):
    """Asks Prometheus a PromQL query, from the controller. Good means: what `good_when` and `bad_when` say.

    A Prometheus that does not answer, refuses the query or has no data is an error, never a failure.
    """

    names: ClassVar[Mapping[str, str]] = {
        "value": "the number, where the query gives exactly one",
        "result": "a list of all series, each with metric (its labels) and value",
    }

    url: Url = key("Where Prometheus is; may be a template.", "http://prometheus.example.org:9090")
    query: Text = key(
        "An instant query in PromQL; may be a template.",
        'sum(rate(http_requests_total{code=~"5..", instance="{{ inventory_hostname }}:9100"}[5m]))',
    )
    empty: EmptyWord = key(
        "What an answer without any series means: `good` for a query that lists what is wrong.",
        "good",
        default="error",
    )
