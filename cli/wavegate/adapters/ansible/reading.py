"""Read the inventory with Ansible's own code, and notice what it only warns about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.utils.display import Display

from wavegate.adapters.ansible.quick_yaml_plugin import hasten
from wavegate.adapters.ansible.repeatable import STATIC_PLUGINS
from wavegate.adapters.ansible.snapshot import take_snapshot
from wavegate.ports import AnsibleProblem

Doing = Callable[[str, str], None]


class Inventory(InventoryManager):  # type: ignore[misc]
    """Ansible's inventory, with a problem for each source that it could not make sense of.

    `snapshot` is the inventory as the sources gave it, before any vars plugin added to it (None without
    `keep`); `is_static` says whether every source was a file that is only read.
    """

    def __init__(self, loader: Any, sources: Sequence[str], doing: Doing, *, keep: bool = True) -> None:
        self.problems: list[AnsibleProblem] = []
        self.snapshot: dict[str, Any] | None = None
        self.is_static = True
        self._keep = keep
        self._plugin: Any = None
        self._doing = doing
        self._depth = 0
        self._left = len(sources)
        super().__init__(loader=loader, sources=list(sources), parse=False)

    def read(self) -> None:
        """Read every source; what went wrong is in `problems`."""
        try:
            self.parse_sources(cache=True)
        except Exception as error:  # noqa: BLE001 - plugins raise anything
            if not self.problems:
                self.problems.append(_unreadable(", ".join(self._sources), describe(error)))
        if not self.hosts and not self.problems:
            self.problems.append(_no_hosts(self._sources))
        self.problems.extend(self._clashes())

    def parse_source(self, source: str, cache: bool = False) -> bool:  # noqa: FBT001, FBT002 - Ansible's
        """Read one source as Ansible does, and remember why when it could not."""
        folder = os.path.isdir(source)  # noqa: PTH112 - a source may be a list of hosts
        self._depth += 1
        with _listening() as heard:
            if not folder:
                self._doing("inventory", source)
            parsed = bool(super().parse_source(source, cache=cache))
        self._depth -= 1
        if not folder:
            self.is_static &= getattr(self._plugin, "ansible_name", "") in STATIC_PLUGINS
            self.is_static &= not os.access(source, os.X_OK)
        if not parsed and not folder:
            self.problems.append(_unreadable(source, "\n".join(_leave_to_script(source, heard))))
        if self._depth == 0:
            self._left -= 1
            if self._left == 0 and self._keep:
                self.snapshot = take_snapshot(self)
        return parsed

    def _fetch_inventory_plugins(self) -> Iterator[Any]:
        for self._plugin in super()._fetch_inventory_plugins():
            yield hasten(
                self._plugin
            )  # Ansible asks for no other after the one that made sense of the source

    def _clashes(self) -> Iterator[AnsibleProblem]:
        for name in sorted(set(self.hosts) & set(self.groups)):
            if [host.name for host in self.groups[name].get_hosts()] != [name]:
                yield AnsibleProblem(
                    kind="inventory",
                    subject=name,
                    message=f"{name!r} is a host and also a group of others: neither can be named alone",
                    hint="rename the group or the host",
                )


def describe(error: BaseException) -> str:
    """Return the error as Ansible says it, with file, line and column where it knows them."""
    if not isinstance(error, AnsibleError):
        return str(error) or type(error).__name__
    message = str(error.message).strip()
    help_text = getattr(error, "_help_text", None)
    place = _place(error)
    return "\n".join(
        part for part in (f"{place}: {message}" if place else message, help_text) if part
    ).strip()


def _place(error: BaseException | None) -> str:
    """Return `file:line:column` of the deepest cause that knows it."""
    place = ""
    while error is not None:
        context = str(getattr(error, "_formatted_source_context", None) or "")
        first = context.partition("\n")[0].removeprefix("Origin: ")
        if first.startswith("/"):
            place = first
        error = error.__cause__
    return place


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect the parsers' errors, which Ansible only prints as warnings."""
    heard: list[str] = []
    display = Display()

    def hear(msg: str | None, exception: BaseException, **_: Any) -> None:
        text = describe(exception)
        heard.append(f"{msg} {text}" if msg else text)

    before = display.error_as_warning
    display.error_as_warning = hear
    try:
        yield heard
    finally:
        display.error_as_warning = before


def _unreadable(source: str, message: str) -> AnsibleProblem:
    hint = "see what Ansible makes of it: `ansible-inventory --list -i " + source + "`"
    if "," not in source and not os.path.exists(source):  # noqa: PTH110 - Ansible's test for a list of hosts
        message, hint = "there is no such inventory", "correct `inventory:` or ansible.cfg"
    elif os.path.exists(source) and not os.access(source, os.R_OK):  # noqa: PTH110 - the same
        message, hint = "it may not be read", "give yourself read access to it"
    elif _is_script(source) and not os.access(source, os.X_OK):
        message = "it is a script that may not be executed"
        hint = f"chmod +x {source}"
    elif (interpreter := _find_interpreter(source)) and not os.path.exists(interpreter):  # noqa: PTH110
        message, hint = f"its first line names {interpreter}, which is not there", "install or correct it"
    return AnsibleProblem(
        kind="inventory",
        subject=source,
        message=message or "no inventory plugin could read it",
        hint=hint,
    )


def _leave_to_script(source: str, heard: list[str]) -> list[str]:
    """Leave out what other plugins made of a script: they took its text for an inventory."""
    said = [text for text in heard if "'script' plugin" in text]
    return said if said and _is_script(source) else heard


def _is_script(source: str) -> bool:
    return bool(_find_interpreter(source))


def _find_interpreter(source: str) -> str:
    """Return the program that the script's first line names, "" when the source is no script."""
    try:
        with open(source, "rb") as file:  # noqa: PTH123 - a source is text, not always a path
            line = file.readline(1024).decode(errors="replace")
    except OSError:
        return ""
    words = line.removeprefix("#!").split()
    return words[0] if line.startswith("#!") and words else ""


def _no_hosts(sources: Sequence[str]) -> AnsibleProblem:
    return AnsibleProblem(
        kind="inventory",
        subject=", ".join(sources),
        message="the inventory holds no host",
        hint="Ansible would end with success here, having done nothing",
    )
