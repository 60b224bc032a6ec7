"""The list of ways to break a role, one file for each role."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Mutant:
    """One way to break a role: in `file`, `old` becomes `new`, and a step of the scenario must fail."""

    role: str
    name: str
    file: str
    """From the project's root; below the role, or what all roles share."""
    old: str
    """Occurs exactly once in the file."""
    new: str
    caught_by: str
    """The step of the scenario that is expected to fail, as in its test_sequence."""


def read_mutants(roles: list[str] | None = None) -> list[Mutant]:
    """Return the mutants of the roles, of all roles where none is named."""
    files = sorted(FOLDER.glob("*.yml"))
    chosen = [file for file in files if not roles or file.stem in roles]
    return [Mutant(role=file.stem, **entry) for file in chosen for entry in yaml.safe_load(file.read_text())]
