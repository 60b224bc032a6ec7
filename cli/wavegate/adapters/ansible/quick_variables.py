"""Variables of hosts, equal to Ansible's own, without computing for each host what it shares with others.

Ansible goes through group variables, variables files, caches of facts and plugins for every host anew. Hosts
with the same groups share all of that. Where plugins, caches or settings could make a difference, Ansible
is asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.inventory.helpers import get_group_vars, sort_groups
from ansible.plugins.loader import vars_loader
from ansible.vars.clean import namespace_facts
from ansible.vars.manager import VariableManager
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

_STAGE = "task"
_MEMORY = frozenset({"memory", "ansible.builtin.memory"})
_FILES = frozenset({"host_group_vars", "ansible.builtin.host_group_vars"})


class QuickVariables(VariableManager):  # type: ignore[misc]
    """Ansible's variable manager, quicker where only a host is asked for."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self._of_groups: dict[tuple[str, ...], dict[str, Any]] = {}
        self._last: dict[tuple[str, bool], dict[str, Any]] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._simple: bool | None = None

    def get_vars(self, play: Any = None, host: Any = None, task: Any = None, **how: Any) -> Any:
        """Return the variables as Ansible does."""
        others = {name for name, value in how.items() if value is not None} - {"include_hostvars"}
        if play or task or host is None or others or not self._is_simple():
            return super().get_vars(play=play, host=host, task=task, **how)
        basedir = self._loader.get_basedir()
        key = (basedir, *(group.name for group in host.get_groups()))
        shared = self._of_groups.get(key)
        if shared is None:
            shared = self._of_groups[key] = self._compute_shared(host)
        last = self._last_of(basedir, how.get("include_hostvars", True))
        return shared | host.get_vars() | self._from_files(host, basedir) | last

    @property
    def _sources(self) -> list[str]:
        return list(self._inventory._sources)  # noqa: SLF001 - Ansible's own way

    def are_of_files(self) -> bool:
        """Return whether no plugin, no cache of facts and no unusual setting has a part in the variables."""
        return self._is_simple()

    def _is_simple(self) -> bool:
        if self._simple is None:
            list(get_vars_from_inventory_sources(self._loader, [], [], _STAGE))
            get_vars_from_path(self._loader, self._loader.get_basedir(), [], _STAGE)  # loads the plugins
            self._simple = (
                C.DEFAULT_HASH_BEHAVIOUR == "replace"
                and self.safe_basedir
                and set(C.VARIABLE_PRECEDENCE) <= self._ALLOWED - {"plugins_by_group"}
                and C.CACHE_PLUGIN in _MEMORY
                and set(vars_loader._plugin_instance_cache) <= _FILES  # noqa: SLF001 - those it goes through
            )
        return self._simple

    def _compute_shared(self, host: Any) -> dict[str, Any]:
        """Return what the host has of its groups, and what comes without any facts."""
        everyone = self._inventory.groups["all"]
        groups = sort_groups([group for group in host.get_groups() if group.name != "all"])
        parts: Mapping[str, Callable[[], dict[str, Any]]] = {
            "all_inventory": everyone.get_vars,
            "all_plugins_inventory": lambda: self._beside_inventory([everyone]),
            "all_plugins_play": lambda: self._beside_playbook([everyone]),
            "groups_inventory": lambda: get_group_vars(groups),
            "groups_plugins_inventory": lambda: self._beside_inventory(groups),
            "groups_plugins_play": lambda: self._beside_playbook(groups),
        }
        shared: dict[str, Any] = {}
        for name in C.VARIABLE_PRECEDENCE:
            shared |= parts[name]()
        return shared

    def _last_of(self, basedir: str, include_hostvars: bool) -> dict[str, Any]:  # noqa: FBT001
        """Return what wins over every variable of a host, whatever the host."""
        key = (basedir, include_hostvars)
        if key not in self._last:
            facts = dict(namespace_facts({}))
            if not C.INJECT_FACTS_AS_VARS:
                facts["ansible_local"] = {}
            magic = self._get_magic_variables(
                play=None, host=None, task=None, include_hostvars=include_hostvars
            )
            self._last[key] = facts | self._extra_vars | magic
        return self._last[key]

    def _from_files(self, host: Any, basedir: str) -> dict[str, Any]:
        name = host.name
        if "/" not in name and not any(name in self._names_in(folder) for folder in self._folders(basedir)):
            return {}
        return self._beside_inventory([host]) | self._beside_playbook([host])

    def _folders(self, basedir: str) -> Iterator[str]:
        for source in self._sources:
            if source and ("," not in source or os.path.exists(source)):  # noqa: PTH110 - Ansible's own test
                yield source if os.path.isdir(source) else os.path.dirname(source)  # noqa: PTH112, PTH120
        yield basedir

    def _names_in(self, folder: str) -> frozenset[str]:
        """Return the hosts that may have files below the folder: every name, and it without an extension."""
        if folder not in self._listed:
            place = Path(os.path.realpath(folder), "host_vars")
            names = [path.name for path in place.iterdir()] if place.is_dir() else []
            stems = [os.path.splitext(name)[0] for name in names]  # noqa: PTH122 - of a name, not a path
            self._listed[folder] = frozenset([*names, *stems])
        return self._listed[folder]

    def _beside_inventory(self, entities: list[Any]) -> dict[str, Any]:
        return dict(get_vars_from_inventory_sources(self._loader, self._sources, entities, _STAGE))

    def _beside_playbook(self, entities: list[Any]) -> dict[str, Any]:
        return dict(get_vars_from_path(self._loader, self._loader.get_basedir(), entities, _STAGE))
