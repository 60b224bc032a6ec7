"""The inventory as JSON data, from which `plugins/inventory/wavegate_snapshot.py` builds the same one again.

Every batch would otherwise ask scripts and clouds once more, and could get another answer than the plan had.
Values keep what Ansible knows of them: strings that it must not template (`!unsafe`, and what plugins do not
vouch for) and vault ciphertext. The coding is a JSON list whose first item is its kind; strings that may be
templated, numbers, booleans and null stand for themselves.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

from ansible.parsing.vault import EncryptedString, VaultHelper
from ansible.template import is_trusted_as_template

VERSION = 1


def take_snapshot(inventory: Any) -> dict[str, Any]:
    """Return hosts, groups, their order and variables as the sources gave them; JSON data."""
    return {
        "version": VERSION,
        "project": str(Path.cwd()),
        "hosts": [[host.name, encode(host.vars)] for host in inventory.hosts.values()],
        "groups": [
            {
                "name": group.name,
                "priority": group.priority,
                "vars": encode(group.vars),
                "hosts": [host.name for host in group.hosts],
                "children": [child.name for child in group.child_groups],
            }
            for group in inventory.groups.values()
        ],
    }


def encode(value: Any) -> Any:  # noqa: PLR0911 - one line for each kind of value
    """Return an Ansible variable as JSON data that keeps its kind and its marks."""
    if isinstance(value, EncryptedString):
        return ["vault", VaultHelper.get_ciphertext(value, with_tags=False)]
    if value is None or isinstance(value, bool | int | float):
        return _plain_number(value)
    if isinstance(value, str):
        return _plain(value) if is_trusted_as_template(value) else ["unsafe", _plain(value)]
    if isinstance(value, Mapping):
        return ["mapping", [[_encode_key(key), encode(item)] for key, item in value.items()]]
    if isinstance(value, bytes):
        return ["bytes", value.hex()]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        kind = next(k for k in (datetime.datetime, datetime.date, datetime.time) if isinstance(value, k))
        return [kind.__name__, value.isoformat()]
    kinds = {"tuple": isinstance(value, tuple), "set": isinstance(value, Set)}
    kind_name = next((name for name, fits in kinds.items() if fits), "list")
    return [kind_name, [encode(item) for item in value]]


def _encode_key(key: Any) -> Any:
    return _plain(key) if isinstance(key, str) else encode(key)  # keys are never templated


def _plain(text: str) -> str:
    return "".join(text)


def _plain_number(value: float | None) -> bool | int | float | None:
    if value is None or isinstance(value, bool):
        return value
    return int(value) if isinstance(value, int) else float(value)
