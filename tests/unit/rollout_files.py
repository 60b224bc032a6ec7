"""Rollout files for tests: the smallest valid one, and a way to load text."""

from __future__ import annotations

from pathlib import Path

from wavegate.config.load import Loaded, load_rollout
from wavegate.errors import InputError, Problem

SMALLEST = """\
name: smallest
playbook: site.yml
waves:
  - {name: everybody, hosts: all}
"""


def load_text(folder: Path, text: str | bytes) -> Loaded:
    file = folder / "rollout.yml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_rollout(file)


def find_problems(folder: Path, text: str | bytes) -> tuple[Problem, ...]:
    try:
        load_text(folder, text)
    except InputError as error:
        return error.problems
    return ()
