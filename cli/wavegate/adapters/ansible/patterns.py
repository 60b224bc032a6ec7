"""Host patterns: what they mean to Ansible, and which names in them mean nothing at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.errors import AnsibleError
from ansible.inventory.manager import PATTERN_WITH_SUBSCRIPT, split_host_pattern

from wavegate.adapters.ansible.reading import describe
from wavegate.ports import AnsibleProblem

_GLOB = frozenset("*?[")


def resolve(inventory: Any, pattern: str) -> tuple[tuple[str, ...], list[AnsibleProblem]]:
    """Return the hosts of the pattern in Ansible's order, and a problem for each name nobody has.

    Ansible only warns about such names. A glob or a regular expression names nobody, so it may match nothing.
    """
    problems = [_unknown(inventory, pattern, name) for name in _unknown_names(inventory, pattern)]
    if problems:
        return (), problems
    try:
        hosts = tuple(host.name for host in inventory.get_hosts(pattern) if host.name in inventory.hosts)
    except AnsibleError as error:
        return (), [AnsibleProblem(kind="pattern", subject=pattern, message=describe(error))]
    return hosts, []


def near(name: str, known: Iterable[str]) -> str:
    """Return a hint with the known names that look like `name`, or an empty string."""
    close = get_close_matches(name, list(known), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(close)}?" if close else ""


def _unknown_names(inventory: Any, pattern: str) -> Iterator[str]:
    known = {*inventory.groups, *inventory.hosts}
    for part in split_host_pattern(pattern):
        name = part
        if name not in known and name[0] in "&!":
            name = name[1:]
        if not name or name in known or name[0] == "~":
            continue
        subscript = PATTERN_WITH_SUBSCRIPT.match(name)
        if subscript:
            name = subscript.group(1)
        if name not in known and not _GLOB.intersection(name):
            yield name


def _unknown(inventory: Any, pattern: str, name: str) -> AnsibleProblem:
    names = [*inventory.groups, *inventory.hosts]
    hint = near(name, names) or f"groups: {', '.join(list(inventory.groups)[:8])}"
    if name in C.LOCALHOST:
        hint = f"a rollout needs it in the inventory: `{name} ansible_connection=local`"
    return AnsibleProblem(
        kind="pattern",
        subject=pattern,
        message=f"no host or group is called {name!r}",
        hint=hint,
    )
