"""A small project of local hosts, for benchmarks that run the real programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_BIN = Path(sys.executable).parent


def wavegate() -> list[str | Path]:
    """Return the command that starts wavegate of this checkout's environment."""
    return [_BIN / "wavegate"]


def ansible_playbook() -> list[str | Path]:
    """Return the command that starts ansible-playbook of the same environment."""
    return [_BIN / "ansible-playbook"]


def make_project(folder: Path, hosts: int) -> Path:
    """Write a project with `hosts` local hosts, a playbook of five small tasks and two rollout files.

    `one.yml` does all hosts in one batch; `batches_N.yml` (see `write_rollout`) in batches of N.
    """
    names = {f"host{number:03d}": None for number in range(hosts)}
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    _write(folder / "hosts.yml", {"all": {"hosts": names, "vars": connection}})
    (folder / "ansible.cfg").write_text(f"[defaults]\ninventory = hosts.yml\nforks = {hosts}\n")
    scratch = str(folder / "scratch-{{ inventory_hostname }}")
    tasks = [
        {"name": "Look", "ansible.builtin.stat": {"path": "/etc/passwd"}},
        {"name": "Run", "ansible.builtin.command": {"argv": ["true"]}, "changed_when": False},
        {"name": "Copy", "ansible.builtin.copy": {"content": "x", "dest": scratch, "mode": "0600"}},
        {"name": "Look again", "ansible.builtin.stat": {"path": scratch}},
        {"name": "Run again", "ansible.builtin.command": {"argv": ["true"]}, "changed_when": False},
    ]
    _write(folder / "site.yml", [{"name": "Site", "hosts": "all", "gather_facts": False, "tasks": tasks}])
    write_rollout(folder, "one", {"hosts": "all"})
    return folder


def make_sleeping_project(folder: Path, seconds: Sequence[float], forks: int) -> Path:
    """Write a project with one local host for each of `seconds`, on which the payload takes that long.

    `site.yml` does all hosts at once with `forks`; `serial.yml` the same, in batches of `forks`.
    """
    names = {f"host{number:03d}": {"seconds": value} for number, value in enumerate(seconds)}
    connection = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    _write(folder / "hosts.yml", {"all": {"hosts": names, "vars": connection}})
    (folder / "ansible.cfg").write_text(
        f"[defaults]\ninventory = hosts.yml\nforks = {forks}\n[connection]\npipelining = true\n"
    )
    command = {"argv": ["sleep", "{{ seconds }}"]}
    tasks = [{"name": "Work", "ansible.builtin.command": command, "changed_when": True}]
    play = {"name": "Site", "hosts": "all", "gather_facts": False, "tasks": tasks}
    _write(folder / "site.yml", [play])
    _write(folder / "serial.yml", [{**play, "serial": forks}])
    return folder


def write_rollout(folder: Path, name: str, wave: dict[str, Any]) -> None:
    """Write `name.yml`, a rollout file with one wave."""
    wave = {"name": "all", **wave}
    _write(
        folder / f"{name}.yml",
        {"name": name.replace("_", "-"), "playbook": "site.yml", "inventory": "hosts.yml", "waves": [wave]},
    )


def _write(path: Path, data: Any) -> None:
    """JSON is YAML."""
    path.write_text(json.dumps(data, indent=2))
