"""The standard streams as commands see them, and how an error is printed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from msgspec.structs import asdict

from wavegate.errors import InputError, Problem, WavegateError


class Stream:
    """A standard stream that never stops a command: what cannot be written is dropped.

    Whoever read it may leave at any time (`| head`, a closed terminal), which must neither end a rollout nor
    change an exit code. `failure` is what happened, except that nobody reads any more.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        """Write the text, or drop it."""
        try:
            return self._stream.write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Hand over what was written, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def __getattr__(self, name: str) -> Any:
        """Return everything else as the stream itself has it."""
        return getattr(self._stream, name)

    def _give_up(self, error: OSError) -> None:
        if not isinstance(error, BrokenPipeError):
            self.failure = error
        # What Python still buffers would fail once more when the process ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._stream.fileno())
        os.close(nowhere)


@contextmanager
def safe_streams() -> Iterator[Stream]:
    """Put safe streams in the place of stdout and stderr while the block runs; yield the one for stdout."""
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - no path of anybody's
        out, talk = (_make_safe(stream or nowhere) for stream in before)
        sys.stdout, sys.stderr = out, talk
        try:
            yield out
        finally:
            out.flush()
            talk.flush()
            sys.stdout, sys.stderr = before


def _make_safe(stream: TextIO) -> Stream:
    # File names may hold bytes that are no text, and a terminal may know fewer letters than hosts have.
    if hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")
    return Stream(stream)


def print_error(error: WavegateError, *, as_json: bool) -> None:
    """Print the error: for people on stderr, or as JSON on stdout where that was asked for."""
    if as_json:
        print(json.dumps({"error": _to_json(error)}, indent=2, ensure_ascii=False))
    else:
        print("\n".join(_to_lines(error)), file=sys.stderr)


def _to_lines(error: WavegateError) -> Iterator[str]:
    yield f"error[{error.code}]: {_indent(error.what, 2)}"
    if error.why:
        yield f"  why:  {_indent(error.why, 8)}"
    for problem in _problems(error):
        # An error about the whole file has said it all.
        if problem.line or problem.message not in error.what:
            yield from _describe(problem)
    if error.hint:
        yield f"  next: {_indent(error.hint, 8)}"


def _describe(problem: Problem) -> Iterator[str]:
    where = problem.where()
    key = f" {problem.path}:" if problem.path else ""
    yield f"  {where + ':' if where else '-'}{key} {_indent(problem.message, 6)}"
    if problem.hint:
        yield f"      hint: {_indent(problem.hint, 12)}"


def _indent(text: str, columns: int) -> str:
    return text.replace("\n", "\n" + " " * columns)


def _problems(error: WavegateError) -> tuple[Problem, ...]:
    return error.problems if isinstance(error, InputError) else ()


def _to_json(error: WavegateError) -> dict[str, Any]:
    data: dict[str, Any] = {"code": error.code, "what": error.what, "why": error.why, "hint": error.hint}
    if isinstance(error, InputError):
        data["problems"] = [asdict(problem) for problem in error.problems]
    return data
