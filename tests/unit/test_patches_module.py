"""The module wavegate_patches: which version a package gets, and what of it is written down."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.programs import load_program

patches = load_program("plugins/modules/wavegate_patches.py")
HELD = 2
SYSTEM = {"codename": "bookworm", "architecture": "amd64"}
PIN = "os_patches bookworm/amd64 shop"
KEYS = ("missing", "older", "held", "excluded")


class Version(SimpleNamespace):
    """One version of a package, as python-apt shows it."""

    def __gt__(self, other: Version) -> bool:
        return bool(self.version > other.version)

    def __lt__(self, other: Version) -> bool:
        return bool(self.version < other.version)


@pytest.fixture(autouse=True)
def _apt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare the versions of these tests as text."""
    double = SimpleNamespace(SELSTATE_HOLD=HELD, version_compare=lambda a, b: (a > b) - (a < b))
    monkeypatch.setattr(patches, "apt_pkg", double)


def version(text: str, archive: str) -> Version:
    origin = SimpleNamespace(archive=archive, label="Debian", component="main")
    return Version(
        version=text, origins=[origin], policy_priority=500, sha256=f"sum-of-{text}", source_name="store"
    )


def package(held: bool = False) -> SimpleNamespace:
    """Return a package at 1, for which the updates have 3 and the security archive has 2."""
    versions = [version("3", "stable-updates"), version("2", "stable-security"), version("1", "stable")]
    state = SimpleNamespace(selected_state=HELD if held else 1)
    return SimpleNamespace(
        name="shop",
        shortname="shop",
        installed=versions[2],
        candidate=versions[0],
        versions=versions,
        _pkg=state,
    )


def choose(of: SimpleNamespace, **asked: Any) -> tuple[str | None, dict[str, list[str]]]:
    found: dict[str, list[str]] = {key: [] for key in KEYS}
    all_asked = {"scope": "security", "versions": {}, "exclude": [], "pins": {}, "system": SYSTEM, **asked}
    chosen = patches.choose(of, all_asked, found)
    return chosen and chosen.version, {key: told for key, told in found.items() if told}


def test_security_takes_the_newest_of_a_security_archive() -> None:
    assert choose(package()) == ("2", {})


def test_all_takes_what_apt_would_take() -> None:
    assert choose(package(), scope="all") == ("3", {})


def test_a_list_takes_what_it_names_and_nothing_else() -> None:
    assert choose(package(), scope="list", versions={"shop": "3"}) == ("3", {})
    assert choose(package(), scope="list", versions={"other": "3"}) == (None, {})
    assert choose(package(), scope="list", versions={"shop": "1"}) == (None, {})


def test_a_list_cannot_step_back_or_name_what_is_not_there() -> None:
    _, told = choose(package(), scope="list", versions={"shop": "0"})
    assert told == {"older": ["shop 0 (installed is 1)"]}
    _, told = choose(package(), scope="list", versions={"shop": "9"})
    assert told == {"missing": ["shop 9 (which was asked for)"]}


def test_a_barred_version_is_passed_over() -> None:
    barred = package()
    barred.versions[1].policy_priority = -1
    assert choose(barred) == (None, {})


def test_a_host_gets_what_the_first_host_of_the_rollout_got() -> None:
    assert choose(package(), scope="all", pins={PIN: "2 sum-of-2"}) == ("2", {})
    assert choose(package(), pins={PIN: "3 sum-of-3"}) == ("3", {})
    assert choose(package(), scope="list", versions={"other": "3"}, pins={PIN: "2 sum-of-2"}) == (None, {})


def test_a_host_whose_mirror_is_behind_is_refused_and_not_passed_over() -> None:
    behind = package()
    del behind.versions[:2]
    _, told = choose(behind, pins={PIN: "2 sum-of-2"})
    assert told == {"missing": ["shop 2 (which the first host of this rollout got)"]}


def test_it_is_refused_where_that_is_gone_or_was_built_again() -> None:
    _, told = choose(package(), pins={PIN: "1.5 sum"})
    assert told == {"missing": ["shop 1.5 (which the first host of this rollout got)"]}
    _, told = choose(package(), pins={PIN: "2 another"})
    assert told == {"missing": ["shop 2 (which the first host of this rollout got with the same content)"]}


def test_what_is_on_hold_or_excluded_stays() -> None:
    assert choose(package(held=True)) == (None, {"held": ["shop 2"]})
    assert choose(package(), exclude=["sh*"]) == (None, {"excluded": ["shop 2"]})
    assert choose(package(), exclude=["store"]) == (None, {"excluded": ["shop 2"]})


def test_the_first_version_before_stays_in_the_plan(tmp_path: Path) -> None:
    patches.extend_plan(str(tmp_path), ["shop=2"], {"shop": "1"})
    patches.extend_plan(str(tmp_path), ["shop=3", "new=1"], {"shop": "2"})
    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["changes"] == {"shop": {"from": "1", "to": "3"}, "new": {"from": None, "to": "1"}}
    assert (plan["undone"], plan["restarted"]) == (False, False)


def test_a_damaged_record_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "before.json").write_text('{"packages"')
    with pytest.raises(patches.PatchError, match="is damaged"):
        patches.need_record({"record": str(tmp_path)})


def test_without_a_record_nothing_is_taken_back(tmp_path: Path) -> None:
    with pytest.raises(patches.PatchError, match="nothing is recorded"):
        patches.need_record({"record": str(tmp_path)})


def test_who_keeps_the_package_manager_busy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "lock_holder", lambda: "apt-get upgrade (process 7)")
    with pytest.raises(patches.PatchError, match="apt-get upgrade"):
        patches.await_locks(0)


def test_bars_are_added_to_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "BARRED", str(tmp_path / "barred"))
    changes = {"shop": {"from": "1", "to": "2"}, "new": {"from": None, "to": "1"}}
    assert patches.bar(changes, {"shop": "2", "new": "1"}) is True
    assert patches.bar({"other": {"from": "1", "to": "5"}}, {"other": "5"}) is True
    assert patches.read_bars() == {"shop": "2", "other": "5"}
    assert patches.bar(changes, {"shop": "2"}) is False
