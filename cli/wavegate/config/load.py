"""Load a rollout file: every problem of the file at once, each with its line, or the rollout it asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from pydantic import ValidationError

from wavegate.config.document import Document, Position, read_document
from wavegate.config.kinds import kinds_for
from wavegate.config.normalize import normalize
from wavegate.config.problems import describe_problems, locate
from wavegate.config.project import find_project_root
from wavegate.config.rules import check_rules
from wavegate.config.schema import RolloutFile, file_model
from wavegate.config.values import show, suggest
from wavegate.core.spec import RolloutSpec
from wavegate.errors import InputError, Problem

__all__ = ["Loaded", "load_rollout", "locate"]

SIZE_LIMIT = 1024 * 1024


class Loaded(Struct, frozen=True, kw_only=True):
    """A rollout file that was read: `content` is its bytes (for a digest), `root` the project's folder.

    `positions` maps a key path to its place, for `locate`.
    """

    spec: RolloutSpec
    file: str
    root: Path
    content: bytes
    positions: Mapping[str, Position]


def load_rollout(path: Path) -> Loaded:
    """Return the rollout that the file at `path` asks for.

    Raise InputError `rollout-file-unreadable` when there is no text to be had, and `rollout-file-invalid`
    with every problem, each with file, line, column and key.
    """
    content, text = _read_text(path)
    document = read_document(text)
    model, problems = _check(document)
    if model is None or problems:
        raise _refuse(path, locate(problems, document.positions, str(path)))
    return Loaded(
        spec=normalize(model),
        file=str(path),
        root=find_project_root(path),
        content=content,
        positions=document.positions,
    )


def _read_text(path: Path) -> tuple[bytes, str]:
    try:
        with path.open("rb") as stream:
            content = stream.read(SIZE_LIMIT + 1)
    except IsADirectoryError:
        raise _unreadable(path, "it is a folder", "name the file in it") from None
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file", _hint_at_files(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(
            path, f"it cannot be read: {reason}", "look at the path and its permissions"
        ) from error
    if len(content) > SIZE_LIMIT:
        raise _unreadable(
            path, "it is larger than 1 MiB", "a rollout file is a short YAML text: is it the right one?"
        )
    try:
        return content, content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"it is not UTF-8 text (byte {error.start})"
        raise _unreadable(path, reason, "save it as UTF-8, or name another file") from None


def _hint_at_files(path: Path) -> str:
    try:
        names = [entry.name for entry in path.parent.iterdir() if entry.suffix in {".yml", ".yaml"}]
    except OSError:
        return "the folder does not exist either" if not path.parent.exists() else ""
    return suggest(path.name, names) or (f"in that folder: {', '.join(sorted(names)[:5])}" if names else "")


def _unreadable(path: Path, reason: str, hint: str) -> InputError:
    problem = Problem(reason, file=str(path), hint=hint)
    return InputError(
        "rollout-file-unreadable", f"cannot read the rollout file {path}: {reason}", [problem], hint=hint
    )


def _check(document: Document) -> tuple[RolloutFile | None, list[Problem]]:
    problems = list(document.problems)
    data = document.data
    if not isinstance(data, dict):
        return None, problems or [_describe_shape(data)]
    kinds, broken = kinds_for(data)
    problems += broken
    expected, model = file_model(kinds), None
    try:
        model = expected.model_validate(data)
    except ValidationError as error:
        known = {problem.path for problem in problems}
        found = [problem for problem in describe_problems(error, expected) if problem.path not in known]
        problems += [_explain_literal(problem, document.literals) for problem in found]
    return model, problems + check_rules(data, document.literals, kinds)


def _describe_shape(data: Any) -> Problem:
    if data is None:
        return Problem("the file is empty", line=1, column=1, hint="start from: wavegate init")
    hint = "a rollout file starts with keys such as name: and playbook:"
    if isinstance(data, list):
        hint += "; this looks like a playbook, which belongs under playbook:"
    return Problem(f"expected a mapping; got {show(data)}", line=1, column=1, hint=hint)


def _explain_literal(problem: Problem, literals: Mapping[str, str]) -> Problem:
    """Where text was expected and YAML made something else of it, say so."""
    written = literals.get(problem.path)
    if problem.hint or not written or not problem.message.startswith(("expected text", "expected a name")):
        return problem
    return replace(problem, hint=f'YAML does not read {written} as text: write "{written}" in quotes')


def _refuse(path: Path, problems: Sequence[Problem]) -> InputError:
    ordered = sorted(problems, key=lambda problem: (problem.line, problem.column))
    count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    hint = "docs/rollout-file.md explains every key"
    return InputError("rollout-file-invalid", f"the rollout file {path} has {count}", ordered, hint=hint)
