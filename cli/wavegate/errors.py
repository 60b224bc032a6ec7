"""Every expected error: what happened, why, where things stand, what to do next.

Unexpected errors are not here on purpose: they crash with a trace and exit code 50.

    WavegateError           a person can act on it; printed without a trace
    └── InputError          bad input or set-up, all problems at once, nothing was started
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum

from msgspec import Struct

_CODE = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


class ExitCode(IntEnum):
    """What a CI pipeline can act on; the table is in docs/exit-codes.md."""

    DONE = 0
    USAGE = 2
    WAITING = 10
    NEEDS_PERSON = 20
    HALTED = 30
    ROLLED_BACK = 31
    ROLLBACK_FAILED = 32
    INPUT = 40
    LOCKED = 41
    BUG = 50
    INTERRUPTED = 130


class WavegateError(Exception):
    """An expected error: printed as code, what, why and the next step, then `exit_code`."""

    def __init__(
        self, code: str, what: str, *, why: str = "", hint: str = "", exit_code: ExitCode = ExitCode.INPUT
    ) -> None:
        if not _CODE.fullmatch(code):
            raise ValueError(f"error code {code!r} is not kebab-case")
        super().__init__(what)
        self.code = code
        self.what = what
        self.why = why
        self.hint = hint
        self.exit_code = exit_code


class Problem(Struct, frozen=True):
    """One thing that is wrong with an input, and where: `path` is the key (`waves[1].batch`)."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    hint: str = ""

    def where(self) -> str:
        """Return `file:line:column`, as far as it is known."""
        parts = [self.file] + [str(n) for n in (self.line, self.column) if n]
        return ":".join(part for part in parts if part)


class InputError(WavegateError):
    """Bad input: carries every problem that was found, never only the first."""

    def __init__(self, code: str, what: str, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__(code, what, hint=hint)
        self.problems = tuple(problems)
