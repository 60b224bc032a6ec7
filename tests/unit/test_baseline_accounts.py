"""Accounts that a change removed or made come back as they were, and no other account is touched."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "roles" / "baseline" / "files" / "accounts.py"
THEN = {
    "passwd": ["root:x:0:0::/root:/bin/sh", "ada:x:1001:1001::/nowhere/ada:/bin/sh"],
    "shadow": ["root:*:1::::::", "ada:old-secret:1:0:90::::"],
    "group": ["root:x:0:", "adm:x:4:ada,eve", "ada:x:1001:"],
    "gshadow": ["root:*::", "adm:*::ada,eve", "ada:!::"],
    "subuid": ["ada:100000:65536"],
    "subgid": ["ada:100000:65536"],
}


@pytest.fixture(scope="module")
def accounts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("accounts", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(folder: Path, files: dict[str, list[str]]) -> Path:
    folder.mkdir()
    for name, lines in files.items():
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    return folder


def changed(**lines: list[str]) -> dict[str, list[str]]:
    return {**THEN, **lines}


def restore(accounts: ModuleType, now: Path, then: Path, *names: str, check: bool = False) -> Any:
    question = {"names": names, "copies": str(then), "homes": {}, "check": check}
    return accounts.main("restore", question, str(now))


def read(folder: Path) -> dict[str, list[str]]:
    return {path.name: path.read_text().splitlines() for path in folder.iterdir()}


def test_an_account_that_is_as_recorded_is_left_alone(accounts: ModuleType, tmp_path: Path) -> None:
    then, now = write(tmp_path / "then", THEN), write(tmp_path / "now", THEN)
    assert restore(accounts, now, then, "ada") == {"changed": False, "restored": []}


def test_a_removed_account_comes_back_with_password_groups_and_ids(
    accounts: ModuleType, tmp_path: Path
) -> None:
    gone = {
        name: [line.replace("ada,", "") for line in lines if not line.startswith("ada:")]
        for name, lines in THEN.items()
    }
    then, now = write(tmp_path / "then", THEN), write(tmp_path / "now", gone)
    assert restore(accounts, now, then, "ada")["restored"] == ["ada"]
    found = read(now)
    for name in ("passwd", "shadow", "subuid", "subgid"):
        assert sorted(found[name]) == sorted(THEN[name])
    assert set(found["group"]) == {"root:x:0:", "adm:x:4:eve,ada", "ada:x:1001:"}
    assert "adm:*::eve,ada" in found["gshadow"]


def test_accounts_and_groups_of_others_stay_as_they_are_now(accounts: ModuleType, tmp_path: Path) -> None:
    now = write(
        tmp_path / "now",
        changed(
            passwd=[
                *THEN["passwd"][:1],
                "ada:x:1001:1001::/nowhere/ada:/bin/bash",
                "new:x:999:999::/:/bin/no",
            ],
            group=["root:x:0:", "adm:x:4:ada,new", "new:x:999:"],
        ),
    )
    then = write(tmp_path / "then", THEN)
    restore(accounts, now, then, "ada")
    found = read(now)
    assert found["passwd"] == [*THEN["passwd"], "new:x:999:999::/:/bin/no"]
    assert "adm:x:4:new,ada" in found["group"]
    assert "new:x:999:" in found["group"]


def test_a_password_that_was_changed_meanwhile_stays(accounts: ModuleType, tmp_path: Path) -> None:
    now = write(
        tmp_path / "now",
        changed(
            passwd=["root:x:0:0::/root:/bin/sh", "ada:x:1001:1001::/nowhere/ada:/bin/bash"],
            shadow=["root:*:1::::::", "ada:new-secret:2:0:90::::"],
        ),
    )
    then = write(tmp_path / "then", THEN)
    restore(accounts, now, then, "ada")
    assert read(now)["passwd"] == THEN["passwd"]
    assert "ada:new-secret:2:0:90::::" in read(now)["shadow"]


def test_check_mode_says_it_and_does_nothing(accounts: ModuleType, tmp_path: Path) -> None:
    now = write(tmp_path / "now", changed(passwd=["root:x:0:0::/root:/bin/sh"]))
    before = read(now)
    then = write(tmp_path / "then", THEN)
    assert restore(accounts, now, then, "ada", check=True) == {"changed": True, "restored": ["ada"]}
    assert read(now) == before


def test_without_copies_it_refuses(accounts: ModuleType, tmp_path: Path) -> None:
    now = write(tmp_path / "now", THEN)
    with pytest.raises(accounts.Refused, match="no copies"):
        restore(accounts, now, tmp_path / "nothing", "ada")
    assert read(now) == THEN
