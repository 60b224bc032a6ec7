"""docs/errors.md lists every error code of the source with its exit code, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import wavegate
from wavegate.errors import ExitCode

SOURCE = Path(wavegate.__file__).parent
DOCS = SOURCE.parent.parent / "docs"
CONSTRUCTORS = {"WavegateError", "InputError", "Failure"}
KEBAB = re.compile(r"[a-z]+(-[a-z]+)+")

Codes = dict[str, set[int]]


def read_codes() -> Codes:
    found: Codes = defaultdict(set)
    for path in SOURCE.rglob("*.py"):
        for code, exit_code in codes_of(ast.parse(path.read_text(encoding="utf-8"))):
            found[code].add(exit_code)
    return dict(found)


def codes_of(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield every code that is made in the module: directly, by helpers, as data, and by subclasses."""
    for call in calls_in(module, CONSTRUCTORS):
        if call.args and is_code(call.args[0]):
            yield text_of(call.args[0]), exit_code_of(call)
    for function in [node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)]:
        for call in calls_in(function, CONSTRUCTORS):
            if call.args and isinstance(call.args[0], ast.JoinedStr):
                yield from fill_in(module, function, call)
    yield from codes_as_data(module)
    yield from codes_of_subclasses(module)


def codes_as_data(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Yield the codes of errors that come from another process, as `{"code": ...}`."""
    for data in [node for node in ast.walk(module) if isinstance(node, ast.Dict)]:
        for key, value in zip(data.keys, data.values, strict=True):
            if key is not None and text_of(key) == "code" and is_code(value):
                yield text_of(value), ExitCode.INPUT


def codes_of_subclasses(module: ast.Module) -> Iterator[tuple[str, int]]:
    for node in [node for node in ast.walk(module) if isinstance(node, ast.ClassDef)]:
        if {name_of(base) for base in node.bases} & CONSTRUCTORS:
            for call in calls_in(node, {"__init__"}):
                if is_code(call.args[0]):
                    yield text_of(call.args[0]), exit_code_of(call)


def text_of(node: ast.AST) -> str:
    return str(node.value) if isinstance(node, ast.Constant) else ""


def is_code(node: ast.AST) -> bool:
    return bool(KEBAB.fullmatch(text_of(node)))


def fill_in(module: ast.Module, helper: ast.FunctionDef, call: ast.Call) -> Iterator[tuple[str, int]]:
    """Yield the codes that a helper makes of its first argument."""
    parts = call.args[0]
    assert isinstance(parts, ast.JoinedStr)
    for user in calls_in(module, {helper.name}):
        texts = [text_of(part) or text_of(user.args[0]) for part in parts.values]
        yield "".join(texts), exit_code_of(call)


def calls_in(tree: ast.AST, names: set[str]) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and name_of(node.func) in names]


def name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def exit_code_of(call: ast.Call) -> int:
    given = [*call.args, *(keyword.value for keyword in call.keywords)]
    named = [
        node.attr for node in given if isinstance(node, ast.Attribute) and name_of(node.value) == "ExitCode"
    ]
    return ExitCode[named[0]] if named else ExitCode.INPUT


def read_page() -> Codes:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (.+) \| (.+) \|$", page("errors.md"), re.MULTILINE)
    assert all(meaning.strip() and action.strip() for _, _, meaning, action in rows)
    codes = [code for code, *_ in rows]
    assert len(codes) == len(set(codes)), "a code is listed twice"
    return {code: {int(exit_code)} for code, exit_code, *_ in rows}


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_page_lists_every_code_of_the_source_and_no_other() -> None:
    assert read_page() == read_codes()


def test_the_scan_sees_codes_however_they_are_made() -> None:
    found = read_codes()
    told = {"rollout-open": 20, "rollout-file-invalid": 40, "journal-busy": 41, "ansible-missing": 40}
    helped = {"engine-command-failed": 40, "wave-unknown": 40, "unknown-fault": 40}
    for code, exit_code in {**told, **helped}.items():
        assert found[code] == {exit_code}


def test_every_exit_code_is_explained() -> None:
    listed = re.findall(r"^\| (\d+) \|", page("exit-codes.md"), re.MULTILINE)
    assert [int(code) for code in listed] == sorted(ExitCode)
