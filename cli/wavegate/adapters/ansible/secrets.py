"""Everything that must never be shown: what vault passwords open, and passwords of connections and become."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.cli import CLI
from ansible.parsing.vault import EncryptedString, VaultLib

from wavegate.adapters.ansible.templates import View
from wavegate.adapters.tree import walk_files
from wavegate.ports import Question

_SHORTEST = 4
_ADJACENT = ("group_vars", "host_vars")
_LONGEST_FILE = 4 * 1024 * 1024
_HEADER = b"$ANSIBLE_VAULT;"
_INLINE = re.compile(rb"\$ANSIBLE_VAULT;[^\s\\\"]+(?:\s*(?:\\n|\n)\s*[0-9a-fA-F]+)+")
_PASSWORD_NAME = re.compile(r"ansible_(?:\w+_)?(?:pass|passwd|password|passphrase|secret|token|private_key)")


class Secrets:
    """Gathers secret strings; one that cannot be opened here cannot be opened by a batch either."""

    def __init__(self, vault: list[Any], loader: Any) -> None:
        self._loader = loader
        self._vault = VaultLib(vault)
        self._locked: list[str] = []
        self._found: set[str] = set()
        self._seen: set[bytes] = set()
        for _, secret in vault:
            self._add_text(_text(secret.bytes))

    def found(self) -> frozenset[str]:
        """Return every secret of at least 4 characters; of several lines also each line."""
        return frozenset(self._found)

    def are_in(self, values: Mapping[str, Mapping[str, str]]) -> bool:
        """Return whether any of the hosts' values holds a secret."""
        texts = {text for each in values.values() for text in each.values()}
        return any(secret in text for text in texts for secret in self._found)

    def scan(self, places: Iterable[Path]) -> None:
        """Open every vault-encrypted file and value in the files and below the folders."""
        for place in places:
            for path in walk_files(place) if place.is_dir() else (place,):
                self._scan_file(path)

    def hint(self) -> str:
        """Return a sentence naming encrypted files that no password opens; Ansible does not name them."""
        files = ", ".join(self._locked[:5])
        return f"none of the vault passwords opens {files}" if files else ""

    def add_host(self, view: View) -> None:
        """Add the values of the host's password variables."""
        for name in [name for name in view.variables if _holds_password(name)]:
            try:
                self._add(view.fill(view.variables[name]))
            except Exception:  # noqa: BLE001, S112 - what cannot be rendered cannot be shown either
                continue

    def add_inventory(self, inventory: Any) -> None:
        """Add the vault values that stand in the inventory sources."""
        for owner in [*inventory.groups.values(), *inventory.hosts.values()]:
            self._add_vaulted(owner.vars)

    def add_variables(self, variables: Mapping[str, Any]) -> None:
        """Add vault values of the variables, and what password variables among them hold."""
        self._add_vaulted(variables)
        for name, value in variables.items():
            if _holds_password(name):
                self._add(value)

    def add_password_files(self) -> None:
        """Add the become and connection passwords that Ansible's configuration names files for."""
        for name in ("BECOME_PASSWORD_FILE", "CONNECTION_PASSWORD_FILE"):
            path = C.config.get_config_value(name)
            if path:
                try:
                    self._add_text(_text(CLI.get_password_from_file(str(path))))
                except Exception:  # noqa: BLE001, S112 - a batch will say so; it holds no password
                    continue

    def _scan_file(self, path: Path) -> None:
        try:
            if path.stat().st_size > _LONGEST_FILE:
                return
            data = path.read_bytes()
        except OSError:
            return
        if _HEADER not in data:
            return
        if data.startswith(_HEADER):
            text = self._open(data)
            self._locked += [] if text else [str(path)]
            self._add_document(text)
            return
        for match in _INLINE.findall(data):
            self._add_text(self._open(b"\n".join(match.replace(b"\\n", b"\n").split())))

    def _open(self, ciphertext: bytes) -> str:
        if ciphertext in self._seen:
            return ""
        self._seen.add(ciphertext)
        try:
            return _text(self._vault.decrypt(ciphertext))
        except Exception:  # noqa: BLE001 - another password, or damaged
            return ""

    def _add_document(self, text: str) -> None:
        try:
            data = self._loader.load(text)
        except Exception:  # noqa: BLE001 - a key, a certificate: no YAML
            data = text
        self._add(data if isinstance(data, Mapping | list) else text)

    def _add_vaulted(self, value: Any) -> None:
        for leaf in _leaves(value):
            if isinstance(leaf, EncryptedString):
                self._add(leaf)

    def _add(self, value: Any) -> None:
        for leaf in _leaves(value):
            try:
                self._add_text("".join(str(leaf)))
            except Exception:  # noqa: BLE001, S112 - encrypted with another password
                continue

    def _add_text(self, text: str) -> None:
        for part in (text.strip(), *text.splitlines()):
            if len(part.strip()) >= _SHORTEST:
                self._found.add(part.strip())


def gather(secrets: Secrets, question: Question, inventory: Any, plays: Iterable[Any]) -> None:
    """Add everything that is not found in files: inventory, plays, extra variables, password files."""
    secrets.add_inventory(inventory)
    secrets.add_password_files()
    secrets.add_variables(question.variables)
    for play in plays:
        secrets.add_variables(play.get_vars())


def places_of(sources: Iterable[str], playbooks: Iterable[str]) -> list[Path]:
    """Return the files and folders that a batch may read: project, inventories, playbooks and roles."""
    places = [Path.cwd(), *(Path(path) for path in C.DEFAULT_ROLES_PATH)]
    for folder in map(Path, playbooks):
        places += [*folder.glob("*.y*ml"), *(folder / name for name in (*_ADJACENT, "vars", "roles"))]
    for source in map(Path, (source for source in sources if "," not in source)):
        places.append(source)
        places += [source.parent / name for name in _ADJACENT]
    chosen: list[Path] = []
    for place in (Path(os.path.realpath(path)) for path in places):
        if place.exists() and not any(place.is_relative_to(other) for other in chosen):
            chosen.append(place)
    return chosen


@lru_cache(maxsize=4096)
def _holds_password(name: Any) -> bool:
    return bool(_PASSWORD_NAME.fullmatch(str(name)))


def _leaves(value: Any) -> Iterator[Any]:
    """Yield strings, vault values and numbers long enough to be a code, wherever they are nested."""
    if isinstance(value, Mapping):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, str | EncryptedString):
        yield value
    elif isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**5:
        yield str(value)


def _text(data: bytes | str) -> str:
    return data.decode(errors="surrogateescape") if isinstance(data, bytes) else str(data)
