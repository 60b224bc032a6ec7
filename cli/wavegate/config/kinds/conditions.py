"""The keys `good_when` and `bad_when`, for kinds whose answer an expression judges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator, WithJsonSchema

from wavegate.config.fields import TEXT
from wavegate.config.keys import KindSettings, optional
from wavegate.config.values import expect, show, suggest
from wavegate.core.expressions import ExpressionError, check_syntax
from wavegate.errors import Problem

KEYS = ("good_when", "bad_when")


def parse_expression(value: Any) -> str:
    """Return an expression whose syntax was checked."""
    if not isinstance(value, str) or not value.strip():
        raise expect("an expression such as result.lag < 30", value)
    if "{{" in value or "{%" in value:
        raise ValueError("an expression stands without {{ }}, and sees only what was measured")
    try:
        check_syntax(value.strip())
    except ExpressionError as error:
        raise ValueError(f"{show(value)} is no expression: {error}") from None
    return value.strip()


Expression = Annotated[
    str | None, PlainValidator(parse_expression), WithJsonSchema({"title": "expression", **TEXT})
]


class ConditionKeys(KindSettings):
    """The keys of a kind whose answer is judged by expressions; a kind inherits them."""

    names: ClassVar[Mapping[str, str]] = {"result": "what was measured"}
    """The names that the expressions may look at, each with what it is."""
    needs_condition: ClassVar[bool] = True
    """Whether nothing can be judged without an expression."""

    good_when: Expression = optional(
        "A Jinja expression over `result`. Alone: false is bad. With `bad_when`: where both are false, "
        "nothing is decided.",
        "result.lag < 30",
    )
    bad_when: Expression = optional(
        "A Jinja expression over `result`. Alone: false is good. True is bad, whatever `good_when` says.",
        "result.errors > 0",
    )

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem for expressions that are missing, or that look at what is not there."""
        yield from super().check_written(written)
        if cls.needs_condition and not any(key in written for key in KEYS):
            hint = "for example good_when: result.lag < 30"
            yield Problem("nothing says what is good: good_when, bad_when or both are needed", hint=hint)
        for key in KEYS:
            yield from _check_names(key, written.get(key), cls.names)


def _check_names(key: str, text: Any, known: Mapping[str, str]) -> Iterator[Problem]:
    try:
        used = check_syntax(parse_expression(text)) if text is not None else None
    except ValueError:
        return
    if used is None:
        return
    if not used:
        hint = f"known: {', '.join(known)}"
        yield Problem("the expression looks at nothing that was measured", path=key, hint=hint)
    for name in sorted(used - known.keys()):
        hint = (
            suggest(name, known) or f"known: {', '.join(f'{word} ({what})' for word, what in known.items())}"
        )
        yield Problem(f"the expression knows no {show(name)}", path=key, hint=hint)
