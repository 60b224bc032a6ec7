# Copyright: wavegate contributors
# GNU General Public License v3.0+
"""Give Ansible the inventory that a plan was made from, without asking its sources again."""

from __future__ import annotations

DOCUMENTATION = """
name: wavegate_snapshot
short_description: The inventory as it was when the rollout was planned
description:
  - Populates the inventory from a snapshot that wavegate took when it read the real sources.
  - The sources are still named with C(-i), so that C(inventory_dir) and the C(group_vars) and C(host_vars)
    beside them work as always, but no script is executed and no service is asked again.
  - Whatever the source, the whole snapshot is read at the first one and nothing is done for the others.
options:
  snapshot:
    description: Path of the snapshot, a JSON file.
    type: path
    required: true
    env:
      - name: WAVEGATE_INVENTORY_SNAPSHOT
  project:
    description:
      - Where the project lies now. C(inventory_dir) and C(inventory_file) that were inside the project
        when the snapshot was taken point into this folder instead.
    type: path
    env:
      - name: WAVEGATE_INVENTORY_PROJECT
"""

EXAMPLES = """
# ANSIBLE_INVENTORY_ENABLED=wavegate_snapshot WAVEGATE_INVENTORY_SNAPSHOT=snapshot.json
"""

import datetime  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
from collections.abc import MutableMapping  # noqa: E402

from ansible import constants as C  # noqa: E402, N812 - its name everywhere in Ansible
from ansible.errors import AnsibleParserError  # noqa: E402
from ansible.inventory.host import Host  # noqa: E402
from ansible.parsing.vault import EncryptedString  # noqa: E402
from ansible.plugins.inventory import BaseInventoryPlugin  # noqa: E402
from ansible.template import trust_as_template  # noqa: E402

VERSION = 1
BUILT_IN = ("all", "ungrouped")


class InventoryModule(BaseInventoryPlugin):
    """Builds hosts, groups and variables exactly as the snapshot has them."""

    NAME = "wavegate_snapshot"

    def verify_file(self, path):  # noqa: ARG002 - the name is Ansible's
        """Accept every source: the snapshot stands for all of them."""
        return True

    def parse(self, inventory, loader, path, cache=True):
        """Populate the inventory at the first source, do nothing at the others."""
        super().parse(inventory, loader, path, cache)
        if inventory.hosts:
            return
        self.set_options()
        # What Ansible wraps around its inventory marks every value of a plugin; these have all their marks.
        self.inventory = getattr(inventory, "__wrapped__", inventory)
        collecting = gc.isenabled()
        gc.disable()  # looking for garbage among the hosts takes a third of the time, and there is none
        try:
            snapshot = _read(self.get_option("snapshot"))
            self._move = (snapshot["project"], self.get_option("project"))
            self._add_hosts(snapshot["hosts"])
            self._add_groups(snapshot["groups"])
        finally:
            if collecting:
                gc.freeze()
                gc.enable()

    def _add_hosts(self, hosts):
        for name, variables in hosts:
            if name in C.LOCALHOST or name in self.inventory.groups:
                self.inventory.add_host(name)
                for key, value in self._decode_variables(variables).items():
                    self.inventory.set_variable(name, key, value)
                continue
            host = self.inventory.hosts[name] = Host(name)
            host.vars = LateVariables(self._decode_variables, variables)

    def _decode_variables(self, variables):
        decoded = decode(variables)
        for key in ("inventory_dir", "inventory_file"):
            if key in decoded:
                decoded[key] = self._moved(decoded[key])
        return decoded

    def _add_groups(self, groups):
        for group in groups:
            self.inventory.add_group(group["name"])
        for group in groups:
            name = group["name"]
            self.inventory.groups[name].set_priority(group["priority"])
            # Not by set_variable: where a host is called like the group, that is meant to win there.
            for child in group["children"]:
                self.inventory.groups[name].add_child_group(self.inventory.groups[child])
            for host in group["hosts"]:
                self.inventory.groups[name].add_host(self.inventory.hosts[host])
            for key, value in decode(group["vars"]).items():
                self.inventory.set_variable(name, key, value)

    def _moved(self, path):
        before, now = self._move
        if not now or not isinstance(path, str) or not (path + os.sep).startswith(before + os.sep):
            return path
        return now + path[len(before) :]


class LateVariables(MutableMapping):
    """Variables of a host that are decoded when somebody looks at them: few batches look at every host."""

    def __init__(self, decode_variables, variables):
        self._decode = decode_variables
        self._encoded = variables
        self._decoded = None

    def _data(self):
        if self._decoded is None:
            self._decoded = self._decode(self._encoded)
            self._encoded = None
        return self._decoded

    def __or__(self, other):
        """Stay as they are where nothing is added: Ansible tries to, for every host."""
        return self._data() | dict(other) if other else self

    def __ror__(self, other):
        return other | self._data()

    def __getitem__(self, key):
        return self._data()[key]

    def __setitem__(self, key, value):
        self._data()[key] = value

    def __delitem__(self, key):
        del self._data()[key]

    def __iter__(self):
        return iter(self._data())

    def __len__(self):
        return len(self._data())

    def __repr__(self):
        return repr(self._data())

    def __reduce__(self):
        """Be a common dictionary wherever a copy is made."""
        return (dict, (self._data(),))

    def copy(self):
        """Return a common dictionary."""
        return dict(self._data())


def decode(value):
    """Return the Ansible variable that the snapshot's coding stands for."""
    if isinstance(value, str):
        return trust_as_template(value)
    if not isinstance(value, list):
        return value
    kind, content = value
    return _DECODERS[kind](content)


def _read(path):
    try:
        with open(path, encoding="utf-8") as file:
            snapshot = json.load(file)
    except (OSError, ValueError) as error:
        raise AnsibleParserError(f"the inventory snapshot {path} cannot be read: {error}") from error
    if snapshot.get("version") != VERSION:
        raise AnsibleParserError(f"the inventory snapshot {path} was written by another version of wavegate")
    return snapshot


def _decode_all(items):
    return [decode(item) for item in items]


def _decode_key(key):
    return key if isinstance(key, str) else decode(key)


_DECODERS = {
    "vault": lambda text: EncryptedString(ciphertext=text),
    "unsafe": lambda text: text,
    "mapping": lambda pairs: {_decode_key(key): decode(item) for key, item in pairs},
    "list": _decode_all,
    "tuple": lambda items: tuple(_decode_all(items)),
    "set": lambda items: set(_decode_all(items)),
    "bytes": bytes.fromhex,
    "datetime": datetime.datetime.fromisoformat,
    "date": datetime.date.fromisoformat,
    "time": datetime.time.fromisoformat,
}
