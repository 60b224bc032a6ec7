"""How the keys of a rollout file are declared. Defaults stand as they would be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from wavegate.config.fields import SomeTime
from wavegate.errors import Problem


def key(description: str, *examples: Any, default: Any = ...) -> Any:
    """Declare a required key, or one with a default as it would be written."""
    checked = default is not ... and default is not None and default not in ("", (), {})
    return Field(default, description=description, examples=list(examples) or None, validate_default=checked)


def optional(description: str, *examples: Any, default: Any = None) -> Any:
    """Declare a key that may be absent; empty defaults are not shown."""
    return key(description, *examples, default=default)


def switch(description: str, *, default: bool) -> Any:
    """Declare a key that is true or false."""
    return key(description, not default, default=default)


class Model(BaseModel):
    """A mapping with known keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KindSettings(Model):
    """The keys of one probe kind; the first sentence of its docstring says what the kind does."""

    literal_keys: ClassVar[tuple[str, ...]] = ()
    """Keys whose mappings hold values that must be what they look like (`1.10` is no text)."""

    secret_keys: ClassVar[tuple[str, ...]] = ()
    """Dotted paths of keys whose rendered values are never shown, wherever they turn up."""

    hosts_only: ClassVar[bool] = False
    """Whether it looks at hosts themselves, so that `scope: host` is the only one that makes sense."""

    timeout: SomeTime = key("How long one measurement may take.", "2s", default="5s")

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield what is wrong between keys; `path` is relative to the kind ("" is the kind itself).

        The data is as written, of any shape: what the types alone refuse is not looked at here.
        """
        del written
        yield from ()
