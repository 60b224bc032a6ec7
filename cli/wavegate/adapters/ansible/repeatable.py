"""Whether an answer is a matter of files alone, so that equal files will give it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.plugins.loader import lookup_loader
from jinja2 import nodes
from jinja2.exceptions import TemplateError

STATIC_PLUGINS = frozenset(
    f"ansible.builtin.{name}" for name in ("yaml", "ini", "toml", "host_list", "advanced_host_list")
)
"""Inventory plugins that read one file, or no file at all, and nothing else."""

_FILTERS = frozenset(
    """
    abs b64decode b64encode basename bool capitalize combine count d default dict2items difference
    dirname first flatten float format from_json from_yaml indent int intersect items2dict join last
    length list lower max mandatory min product quote regex_escape regex_findall regex_replace
    regex_search replace reverse round sort split splitext string sum symmetric_difference ternary
    title to_json to_nice_json to_nice_yaml to_yaml trim truncate type_debug union unique upper
    urlencode urlsplit zip
    """.split()  # noqa: SIM905 - a list of words
)
_TESTS = frozenset(
    """
    boolean defined divisibleby eq equalto even false falsy float ge gt in integer iterable le lower
    lt mapping match ne none number odd regex sameas search sequence string subset superset true
    truthy undefined upper version
    """.split()  # noqa: SIM905 - a list of words
)
_FUNCTIONS = frozenset({"dict", "range"})


class LookupWatch:
    """Notices whether any lookup plugin was asked from now on: they read whatever they like."""

    def __init__(self) -> None:
        self.seen = False
        get = lookup_loader.get

        def watched(*names: Any, **how: Any) -> Any:
            self.seen = True
            return get(*names, **how)

        lookup_loader.get = watched


def are_repeatable(environment: Any, templates: Iterable[str]) -> bool:
    """Return whether equal variables give equal texts: no template asks clocks, dice or files."""
    try:
        return all(_is_repeatable(environment.parse(template)) for template in templates)
    except TemplateError:
        return False


def _is_repeatable(tree: nodes.Template) -> bool:
    doubtful: list[bool] = [
        *(node.name not in _FILTERS for node in tree.find_all(nodes.Filter)),
        *(node.name not in _TESTS for node in tree.find_all(nodes.Test)),
        *(not _is_harmless(node.node) for node in tree.find_all(nodes.Call)),
        *(True for _ in tree.find_all((nodes.FilterBlock, nodes.Include, nodes.Import, nodes.FromImport))),
    ]
    return not any(doubtful)


def _is_harmless(called: nodes.Expr) -> bool:
    """Return whether it is a method of a value, or a function that always gives the same."""
    return isinstance(called, nodes.Getattr) or (isinstance(called, nodes.Name) and called.name in _FUNCTIONS)
