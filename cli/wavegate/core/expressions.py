"""Expressions over what was measured: one Jinja expression, evaluated in a sandbox, that gives true or false.

They see nothing but the names they are given: no variables of Ansible, no files, no time, no chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.environment import TemplateExpression
    from jinja2.nodes import Expr
    from jinja2.sandbox import SandboxedEnvironment

LONGEST = 2000
"""Characters of an expression."""
_KEPT_GLOBALS = ("dict", "range")
_CHANCE = ("random", "shuffle")


class ExpressionError(ValueError):
    """An expression that is none, or that cannot be evaluated; the message is the reason."""


def check_syntax(text: str) -> frozenset[str]:
    """Return the names that the expression looks at; raise ExpressionError when it is no expression."""
    from jinja2 import nodes
    from jinja2.meta import find_undeclared_variables

    expression = _parse(text)
    _compile(text)
    template = nodes.Template([nodes.Output([expression], lineno=1)], lineno=1)
    template.set_environment(_environment())
    return frozenset(find_undeclared_variables(template)) - set(_KEPT_GLOBALS)


def evaluate(text: str, names: Mapping[str, Any]) -> bool:
    """Return what the expression says about `names`; raise ExpressionError.

    Only true and false are answers: a number or a text is none, whatever Python would take it for.
    """
    compiled = _compile(text)
    try:
        answer = compiled(**names)
        if isinstance(answer, bool):
            return answer
        shown = str(answer)
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ExpressionError(reason) from error
    # Whole: half a secret would not be found by whoever redacts this.
    raise ExpressionError(f"it gave {shown or 'an empty text'}, which is neither true nor false")


def missing(reason: str) -> Any:
    """Return a value that no expression can use: whoever looks at it gets the reason."""
    from jinja2 import StrictUndefined

    return StrictUndefined(hint=reason)


@lru_cache(maxsize=1)
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Sandbox(ImmutableSandboxedEnvironment):
        """Also refuses what a few characters could make endless: powers, and repeated texts and lists."""

        intercepted_binops = frozenset({"*", "**"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """Multiply numbers; refuse everything else."""
            if operator == "**" or not all(isinstance(one, (int, float)) for one in (left, right)):
                raise ExpressionError(f"{operator} is possible between numbers only, and powers are not")
            return super().call_binop(context, operator, left, right)

    environment = Sandbox(undefined=StrictUndefined, autoescape=False)
    environment.globals = {name: environment.globals[name] for name in _KEPT_GLOBALS}
    for name in _CHANCE:
        environment.filters.pop(name, None)
    return environment


def _parse(text: str) -> Expr:
    from jinja2 import TemplateSyntaxError
    from jinja2.parser import Parser

    if len(text) > LONGEST:
        raise ExpressionError(f"it is longer than {LONGEST} characters")
    try:
        parser = Parser(_environment(), text, state="variable")
        expression = parser.parse_expression()
        rest = None if parser.stream.eos else parser.stream.current.value
    except TemplateSyntaxError as error:
        raise ExpressionError(_reason(error)) from error
    except RecursionError:
        raise ExpressionError("it is nested too deeply") from None
    if rest is not None:
        raise ExpressionError(f'it ends before "{rest}"')
    return expression


@lru_cache(maxsize=256)
def _compile(text: str) -> TemplateExpression:
    from jinja2 import TemplateSyntaxError

    _parse(text)
    try:
        return _environment().compile_expression(text, undefined_to_none=False)
    except TemplateSyntaxError as error:
        raise ExpressionError(_reason(error)) from error
    except (RecursionError, SyntaxError, MemoryError):
        raise ExpressionError("it is nested too deeply") from None


def _reason(error: Any) -> str:
    message = str(error.message or "it is no expression")
    return message.replace("end of print statement", "the end").rstrip(".")
