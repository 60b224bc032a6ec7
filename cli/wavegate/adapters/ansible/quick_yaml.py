"""Large inventory files: parsed once, into data without the position of every word.

Ansible notes for each scalar where it stands, which takes most of its time and memory, and its plugins `auto`
and `yaml` each parse the file and copy what came out of it. Here a large file is parsed once, by the same
parser, with the same meaning and the same trust. What is unusual in a file (tags, merge keys, doubled keys,
templates in keys) is left to Ansible's own loader; and where there are problems, everything is asked again
with it, so that messages name the places.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString
from yaml.constructor import SafeConstructor
from yaml.error import YAMLError
from yaml.nodes import MappingNode, ScalarNode, SequenceNode
from yaml.resolver import Resolver

_libyaml: Any = object
try:
    from ansible._internal._datatag._tags import TrustedAsTemplate
    from ansible.module_utils._internal._datatag import _AnsibleTaggedStr, _AnsibleTagsMapping
    from yaml.cyaml import CParser as _libyaml  # type: ignore[attr-defined]  # noqa: N813 - a base class that may be missing

    _TRUST = _AnsibleTagsMapping([(TrustedAsTemplate, TrustedAsTemplate())])
    AVAILABLE = True
except (
    ImportError
):  # another Ansible, or a PyYAML without libyaml: everything is left to Ansible's own loader
    AVAILABLE = False

LARGE = 256 * 1024
_YAML = "tag:yaml.org,2002:"
_STR, _NULL, _MAP, _SEQ = f"{_YAML}str", f"{_YAML}null", f"{_YAML}map", f"{_YAML}seq"


class UnusualError(Exception):
    """The text has something in it that only Ansible's own loader knows the meaning of."""


class QuickLoader(DataLoader):  # type: ignore[misc]
    """Ansible's loader, except for large inventory files; `used` tells whether there was one."""

    def __init__(self) -> None:
        super().__init__()
        self.used = False
        self.on_quick: Callable[[], None] = lambda: None
        self._kept: tuple[Any, Any] = (None, None)

    def load_from_file(self, file_name: str, cache: str = "all", **how: Any) -> Any:
        """Return the file's data; the caller may change it. Only inventory plugins ask without any cache."""
        if cache != "none" or how.get("json_only"):
            return super().load_from_file(file_name, cache=cache, **how)
        path = self.path_dwim(file_name)
        key = (path, _identity(path))
        if key != self._kept[0]:
            self._kept = (key, self._load_large(path))
        if self._kept[1] is None:
            return super().load_from_file(file_name, cache=cache, **how)
        if not how.get("trusted_as_template"):
            return self._kept[1]  # asked for by `auto`, which looks for the name of a plugin
        data, self._kept = self._kept[1], (None, None)
        self.used = True
        self.on_quick()
        return data

    def _load_large(self, path: str) -> Any:
        identity = _identity(path)
        if not AVAILABLE or not identity or identity[2] < LARGE:
            return None
        try:
            data, plain = self._get_file_contents(path)
            return parse(data.decode()) if plain else None
        except (UnusualError, YAMLError, UnicodeDecodeError, RecursionError):
            return None


def parse(text: str) -> Any:
    """Return what the YAML text means to Ansible, its strings trusted; raise UnusualError or YAMLError."""
    parser = _Parser(text)
    try:
        node = parser.get_single_node()
    finally:
        parser.dispose()
    return _Builder().build(node)


class _Parser(_libyaml, Resolver):  # type: ignore[misc]
    """libyaml's nodes, with the tags that YAML gives to plain scalars."""

    def __init__(self, text: str) -> None:
        _libyaml.__init__(self, text)
        Resolver.__init__(self)


class _Builder:
    """Makes data of nodes. Equal strings are the same object; what an alias names is built once."""

    def __init__(self) -> None:
        self._strings: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._built: dict[int, Any] = {}
        safe = SafeConstructor()
        self._scalars: dict[str, Callable[[Any], Any]] = {
            _NULL: lambda _: None,
            f"{_YAML}bool": safe.construct_yaml_bool,
            f"{_YAML}int": safe.construct_yaml_int,
            f"{_YAML}float": safe.construct_yaml_float,
            "!vault": lambda node: EncryptedString(ciphertext="".join(node.value)),
        }

    def build(self, node: Any) -> Any:
        """Return the data of the node."""
        kind = type(node)
        if kind is ScalarNode:
            return self._scalar(node)
        if (known := self._built.get(id(node))) is not None:
            return known
        if kind is MappingNode and node.tag == _MAP:
            return self._mapping(node)
        if kind is SequenceNode and node.tag == _SEQ:
            items: list[Any] = []
            self._built[id(node)] = items
            items.extend(map(self.build, node.value))
            return items
        raise UnusualError(getattr(node, "tag", "an empty text"))

    def _scalar(self, node: Any) -> Any:
        value, tag = node.value, node.tag
        if tag != _STR:
            make = self._scalars.get(tag)
            if make is None:
                raise UnusualError(tag)
            try:
                return make(node)
            except Exception as error:  # Ansible says it better
                raise UnusualError(value) from error
        known = self._strings.get(value)
        if known is None:
            known = self._strings[value] = _AnsibleTaggedStr._instance_factory(value, _TRUST)  # noqa: SLF001 - `tag` takes ten times as long
        return known

    def _mapping(self, node: Any) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        self._built[id(node)] = mapping
        for key_node, value_node in node.value:
            mapping[self._key(key_node)] = self.build(value_node)
        if len(mapping) != len(node.value):
            raise UnusualError("a doubled key")
        return mapping

    def _key(self, node: Any) -> Any:
        if type(node) is not ScalarNode:
            raise UnusualError("a key that is no word")
        if node.tag != _STR:
            return self._scalar(node)  # a merge key has a tag that is not known here
        value = node.value
        if "{" in value:
            raise UnusualError("a template in a key")
        return self._keys.setdefault(value, value)


def _identity(path: str) -> tuple[int, ...]:
    try:
        status = os.stat(path)  # noqa: PTH116 - Ansible's paths are texts
    except OSError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size
