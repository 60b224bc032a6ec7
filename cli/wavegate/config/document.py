"""Read YAML as data with the place of every key; never builds an object that the text asks for."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import yaml
from msgspec import Struct
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from wavegate.errors import Problem

NODE_LIMIT = 50_000
"""More values than any rollout file has; a small text whose aliases unfold to millions stops here."""

_CORE = "tag:yaml.org,2002:"
_KEPT_TAGS = {
    "!vault": "__ansible_vault",
    "!vault-encrypted": "__ansible_vault",
    "!unsafe": "__ansible_unsafe",
}
_KEPT_IN = "vars"
_TEXT_TAGS = {_CORE + name for name in ("str", "timestamp", "value", "merge")}
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_UNQUOTED_TEMPLATE = "a value that starts with {{ must stand in quotes"


class Position(Struct, frozen=True):
    """A place in the text; both count from 1."""

    line: int
    column: int


class Document(Struct, frozen=True):
    """One YAML text as JSON data.

    `positions` maps a key path (`waves[1].batch`) to where its key stands; `literals` maps a key path to the
    text of a value that YAML did not read as text (`1.10`, `yes`).
    """

    data: Any
    positions: Mapping[str, Position]
    literals: Mapping[str, str]
    problems: tuple[Problem, ...]


class _TooManyValuesError(Exception):
    pass


def join_path(path: str, part: str | int) -> str:
    """Return the key path of `part` below `path`: `waves`, `waves[1]`, `waves[1].batch`."""
    if isinstance(part, int):
        return f"{path}[{part}]"
    return f"{path}.{part}" if path else part


def read_document(text: str) -> Document:
    """Return `text` as data with positions; what does not parse is a problem, and nothing raises."""
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
    except yaml.YAMLError as error:
        return Document(None, {}, {}, (_describe_syntax_error(error, text),))
    except RecursionError:
        return Document(None, {}, {}, (Problem("the YAML is nested too deeply to be read"),))
    reader = _Reader(loader)
    try:
        data = reader.read(node, "") if node else None
    except _TooManyValuesError:
        problem = Problem(f"the file unfolds to more than {NODE_LIMIT} values", hint="use fewer YAML aliases")
        return Document(None, {}, {}, (problem,))
    except RecursionError:
        return Document(None, {}, {}, (Problem("the YAML is nested too deeply to be read"),))
    return Document(data, reader.positions, reader.literals, tuple(reader.problems))


def _describe_syntax_error(error: yaml.YAMLError, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return _describe_character_error(error, text)
    line = text.splitlines()[mark.line] if mark.line < len(text.splitlines()) else ""
    message = ", ".join(str(part) for part in (error.context, error.problem) if part)  # type: ignore[attr-defined]
    hint = ""
    if re.search(r"[:-]\s+\{\{", line):
        hint = _UNQUOTED_TEMPLATE
    elif "\\t" in message:
        hint = "YAML allows no tabs for indentation: use spaces"
    elif "single document" in message:
        hint = "one rollout a file: remove everything from the second --- on"
    return Problem(f"this is not YAML: {message}", line=mark.line + 1, column=mark.column + 1, hint=hint)


def _describe_character_error(error: yaml.YAMLError, text: str) -> Problem:
    index = getattr(error, "position", 0)
    before = text[: index if isinstance(index, int) else 0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Problem("this is not YAML: it contains a control character", line=line, column=column)


class _Reader:
    """Walks composed nodes and collects data, positions and problems; problems never stop the walk."""

    def __init__(self, loader: yaml.SafeLoader) -> None:
        self._scalars: Mapping[str, Callable[[ScalarNode], Any]] = {
            _CORE + "null": loader.construct_yaml_null,
            _CORE + "bool": loader.construct_yaml_bool,
            _CORE + "int": loader.construct_yaml_int,
            _CORE + "float": loader.construct_yaml_float,
        }
        self._count = 0
        self._open: list[Node] = []
        self.positions: dict[str, Position] = {}
        self.literals: dict[str, str] = {}
        self.problems: list[Problem] = []

    def read(self, node: Node, path: str) -> Any:
        """Return the node's data; remember places and literals below `path`."""
        self._count_one()
        self.positions.setdefault(path, _position(node))
        if any(node is outer for outer in self._open):
            return self._complain(node, path, "this alias contains itself")
        self._open.append(node)
        try:
            return self._read_inside(node, path)
        finally:
            self._open.pop()

    def _count_one(self) -> None:
        self._count += 1
        if self._count > NODE_LIMIT:
            raise _TooManyValuesError

    def _read_inside(self, node: Node, path: str) -> Any:
        if node.tag in _KEPT_TAGS:
            return self._keep_tag(node, path)
        if isinstance(node, ScalarNode):
            return self._read_scalar(node, path)
        if isinstance(node, SequenceNode) and node.tag == _CORE + "seq":
            return [self.read(item, join_path(path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, MappingNode) and node.tag == _CORE + "map":
            return self._read_mapping(node, path)
        return self._complain(node, path, f"the YAML tag {_show_tag(node)} means nothing here")

    def _keep_tag(self, node: Node, path: str) -> Any:
        if not _is_in_variables(path):
            hint = f"put the value under {_KEPT_IN}: and write its name as a template where it is used"
            return self._complain(node, path, f"{node.tag} is only possible in {_KEPT_IN}", hint)
        if not isinstance(node, ScalarNode):
            return self._complain(node, path, f"{node.tag} can only mark a single text")
        return {_KEPT_TAGS[node.tag]: self._check_text(node, path)}

    def _read_scalar(self, node: ScalarNode, path: str) -> Any:
        if node.tag in _TEXT_TAGS:
            return self._check_text(node, path)
        construct = self._scalars.get(node.tag)
        if construct is None:
            return self._complain(node, path, f"the YAML tag {_show_tag(node)} means nothing here")
        try:
            value = construct(node)
        except (ValueError, OverflowError, LookupError):
            return self._complain(
                node, path, f"{_clip(node.value)} is not a value that can be read as {_show_tag(node)}"
            )
        if isinstance(value, float) and not math.isfinite(value):
            return self._complain(node, path, f"{_clip(node.value)} is not a number that JSON can carry")
        self.literals[path] = node.value
        return value

    def _check_text(self, node: ScalarNode, path: str) -> str:
        if _UNSTORABLE.search(node.value):
            self._complain(
                node, path, "the text contains a character that cannot be stored (NUL or half a pair)"
            )
            return _UNSTORABLE.sub("?", node.value)
        return str(node.value)

    def _read_mapping(self, node: MappingNode, path: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node, is_merged in self._list_entries(node, path):
            key = self._read_key(key_node, path)
            if key is None or (is_merged and key in data):
                continue
            place = join_path(path, key)
            if key in data:
                first = self.positions[place]
                self._complain(
                    key_node, place, f"the key is written twice; the first is in line {first.line}"
                )
                continue
            self.positions[place] = _position(key_node)
            data[key] = self.read(value_node, place)
        return data

    def _read_key(self, node: Node, path: str) -> str | None:
        if isinstance(node, MappingNode):
            self._complain(node, path, "a mapping cannot be a key", _UNQUOTED_TEMPLATE)
            return None
        if not isinstance(node, ScalarNode):
            self._complain(node, path, "a list cannot be a key")
            return None
        key = self._check_text(node, path)
        if _is_in_variables(path) and node.tag not in _TEXT_TAGS:
            message = f"YAML does not read the key {_clip(key)} as text, and variables travel as JSON"
            self._complain(node, join_path(path, key), message, f'write "{_clip(key)}" in quotes')
        return key

    def _list_entries(self, node: MappingNode, path: str) -> Iterator[tuple[Node, Node, bool]]:
        """Yield (key, value, came by a merge key); own keys come first, as they win."""
        merges = []
        for key_node, value_node in node.value:
            if key_node.tag == _CORE + "merge":
                merges.append(value_node)
            else:
                yield key_node, value_node, False
        for merged in merges:
            yield from self._list_merged(merged, path)

    def _list_merged(self, node: Node, path: str) -> Iterator[tuple[Node, Node, bool]]:
        sources = node.value if isinstance(node, SequenceNode) else [node]
        seen: set[str] = set()
        for source in sources:
            self._count_one()
            if not isinstance(source, MappingNode) or any(source is outer for outer in self._open):
                self._complain(source, path, "<< takes a mapping or a list of mappings")
                continue
            self._open.append(source)
            for key_node, value_node, _ in self._list_entries(source, path):
                name = str(key_node.value)
                if name not in seen:
                    yield key_node, value_node, True
                seen.add(name)
            self._open.pop()

    def _complain(self, node: Node, path: str, message: str, hint: str = "") -> None:
        place = _position(node)
        problem = Problem(message, line=place.line, column=place.column, path=path, hint=hint)
        self.problems.append(problem)


def _is_in_variables(path: str) -> bool:
    return path == _KEPT_IN or path.startswith((f"{_KEPT_IN}.", f"{_KEPT_IN}["))


def _position(node: Node) -> Position:
    return Position(node.start_mark.line + 1, node.start_mark.column + 1)


def _show_tag(node: Node) -> str:
    return str(node.tag).replace(_CORE, "!!")


def _clip(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - enough to recognise it
