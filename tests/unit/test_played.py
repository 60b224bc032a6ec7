"""Which scenarios a test run plays: those that were touched, and two others in turn."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.programs import load_program

played = load_program("scripts/played.py")
ROLES = ("a", "b", "c", "d", "e")
DAY = date(2026, 11, 28)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a project whose roles all passed."""
    for part in (*played.SHARED, *(f"{kind}/{role}" for role in ROLES for kind in ("roles", "molecule"))):
        (tmp_path / part).mkdir(parents=True)
        (tmp_path / part / "main.yml").write_text(part)
    for role in ROLES:
        played.keep_played(tmp_path, role, played.digest_scenario(tmp_path, role), DAY, 61.4)
    return tmp_path


def test_unchanged_roles_take_turns_so_that_none_is_forgotten(root: Path) -> None:
    days = [played.choose_roles(root, ROLES, DAY + timedelta(days=number)) for number in range(5)]
    assert {len(roles) for roles in days} == {2}
    assert {role for roles in days for role in roles} == set(ROLES)


@pytest.mark.parametrize("part", ["roles/c", "molecule/c"])
def test_what_was_touched_is_played_on_every_day(root: Path, part: str) -> None:
    (root / part / "new.yml").write_text("")
    days = [played.choose_roles(root, ROLES, DAY + timedelta(days=number)) for number in range(5)]
    assert all("c" in roles for roles in days)
    assert {len(roles) for roles in days} == {2, 3}


@pytest.mark.parametrize("part", played.SHARED)
def test_what_all_share_touches_all(root: Path, part: str) -> None:
    (root / part / "main.yml").write_text("other")
    assert played.choose_roles(root, ROLES, DAY) == list(ROLES)


def test_without_anything_written_down_all_are_played(root: Path) -> None:
    (root / "molecule" / "played.json").unlink()
    assert played.choose_roles(root, ROLES, DAY) == list(ROLES)


def test_what_is_written_down_says_when_and_how_long(root: Path) -> None:
    entry = played.read_played(root)["a"]
    assert (entry["on"], entry["seconds"]) == ("2026-11-28", 61)


def test_what_python_leaves_behind_is_no_content(root: Path) -> None:
    before = played.digest_scenario(root, "a")
    (root / "plugins" / "__pycache__").mkdir()
    (root / "plugins" / "__pycache__" / "x.cpython-311.pyc").write_bytes(b"x")
    assert played.digest_scenario(root, "a") == before
