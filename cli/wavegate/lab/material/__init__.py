"""Files that go into the lab's containers; they travel inside the wheel."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable


def material() -> Traversable:
    """Return the folder of these files."""
    return files(__name__)


def read_material(name: str) -> str:
    """Return the text of one file."""
    return material().joinpath(name).read_text(encoding="utf-8")
