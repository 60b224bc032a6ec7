"""Ansible's own plugin for YAML inventories, without what it does anew for each of ten thousands of hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.errors import AnsibleError
from ansible.inventory.host import Host
from ansible.utils.path import basedir
from ansible.utils.vars import validate_variable_name

_BUILT_IN = "ansible.builtin.yaml"


def hasten(plugin: Any) -> Any:
    """Return the inventory plugin; Ansible's own for YAML does what a large file repeats in quicker ways."""
    if getattr(plugin, "ansible_name", "") == _BUILT_IN:
        population = Population(plugin)
        plugin.parse = population.parse
        plugin._populate_host_vars = population.populate  # noqa: SLF001 - called by its `parse`
    return plugin


class Population:
    """Takes the place of two methods of the plugin: hosts and their variables come out as by themselves.

    Only data of `QuickLoader` is treated so: it has all the marks it will ever have.
    """

    def __init__(self, plugin: Any) -> None:
        self._plugin = plugin
        self._parse = plugin.parse
        self._populate = plugin._populate_host_vars  # noqa: SLF001 - see above
        self._inventory: Any = None
        self._place: tuple[Any, Any] = (None, None)
        self._known: set[str] = set()

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:  # noqa: FBT001, FBT002
        """Populate the inventory from the file."""
        self._place = (inventory.current_source, basedir(inventory.current_source))
        loader.on_quick = self._go_on_quickly
        try:
            self._parse(inventory, loader, path, cache)
        finally:
            loader.on_quick = lambda: None

    def populate(self, hosts: list[str], variables: Any, group: str | None = None, port: Any = None) -> None:
        """Add the hosts to the group, with the variables."""
        inventory = self._inventory
        if inventory is None or not isinstance(variables, Mapping):
            self._populate(hosts, variables, group, port)
            return
        for name in hosts:
            if not self._add(name, group, port) or name in inventory.groups:
                self._populate([name], variables, group, port)
                continue
            host = inventory.hosts[name]
            for key, value in variables.items():
                if self._is_plain(key) and key not in host.vars:
                    host.vars[key] = value
                else:
                    host.set_variable(key, value)

    def _go_on_quickly(self) -> None:
        self._inventory = self._plugin.inventory = self._plugin.inventory.__wrapped__

    def _add(self, name: str, group: str | None, port: Any) -> bool:
        """Add the host as the inventory does; return False where it has to do that itself."""
        inventory = self._inventory
        if type(name) is not str or not name or name in C.LOCALHOST or group not in inventory.groups:
            return False
        host = inventory.hosts.get(name)
        if host is None:
            host = inventory.hosts[name] = Host(name, port)
            host.vars["inventory_file"], host.vars["inventory_dir"] = self._place
        members = inventory.groups[group]
        if members.add_host(host):
            inventory._groups_dict_cache = {}  # noqa: SLF001 - as `add_host` does
        return True

    def _is_plain(self, key: Any) -> bool:
        """Return whether it is a valid name, of which nothing would be said."""
        if type(key) is not str:
            return False
        if key not in self._known:
            try:
                validate_variable_name(key)
            except AnsibleError:
                return False
            self._known.add(key)
        return True
