"""The module wavegate_release: releases are complete or they do not count, and the switch is one step."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.programs import load_program

release = load_program("plugins/modules/wavegate_release.py")


@pytest.fixture
def params(tmp_path: Path) -> dict[str, Any]:
    """Return the settings of an application with an artifact that holds one program."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("shop-1/bin/shop")
        entry.size, entry.mode = 4, 0o777
        archive.addfile(entry, io.BytesIO(b"text"))
    artifact = tmp_path / "shop.tar.gz"
    artifact.write_bytes(packed.getvalue())
    root = tmp_path / "shop"
    root.mkdir()
    return {
        "root": str(root),
        "version": "1.0",
        "artifact": str(artifact),
        "kind": "tarball",
        "checksum": "sha256:" + hashlib.sha256(packed.getvalue()).hexdigest(),
        "strip": 1,
        "pip_options": [],
        "keep": 2,
        "needed": [],
        "way_back": False,
        "run": False,
    }


def versions(params: dict[str, Any]) -> list[str]:
    return [each["version"] for each in release.releases_of(params["root"])]


def test_a_release_is_placed_once(params: dict[str, Any]) -> None:
    assert release.place(params, False)["changed"] is True
    assert release.place(params, False)["changed"] is False
    program = Path(params["root"], "releases/1.0/bin/shop")
    assert program.read_text() == "text"
    assert program.stat().st_mode & 0o022 == 0


def test_check_mode_unpacks_nothing(params: dict[str, Any]) -> None:
    assert release.place(params, True)["changed"] is True
    assert list(Path(params["root"]).iterdir()) == []


def test_another_content_than_the_wanted_one_is_not_unpacked(params: dict[str, Any]) -> None:
    with pytest.raises(release.ReleaseError, match="nothing was unpacked"):
        release.place({**params, "checksum": "sha256:" + "0" * 64}, False)
    assert versions(params) == []


def test_one_version_has_one_content(params: dict[str, Any]) -> None:
    release.place(params, False)
    with pytest.raises(release.ReleaseError, match="give the new one another version"):
        release.place({**params, "checksum": "sha256:" + "0" * 64}, False)


def test_a_half_release_does_not_count_and_is_made_anew(params: dict[str, Any]) -> None:
    half = Path(params["root"], "releases/1.0")
    half.mkdir(parents=True)
    (half / "left over").touch()
    (half / ".release.json").write_text('{"checksum": "sha')
    assert versions(params) == []
    with pytest.raises(release.ReleaseError, match="nothing was switched"):
        release.switch(params, False)
    release.place(params, False)
    assert not (half / "left over").exists()


def test_the_switch_and_the_way_back(params: dict[str, Any]) -> None:
    for version in ("1.0", "1.1"):
        release.place({**params, "version": version}, False)
    assert release.switch(params, False)["before"] == ""
    assert release.switch(params, False)["changed"] is False
    Path(params["root"], "current.next").symlink_to("left by a process that was killed")
    assert release.switch({**params, "version": "1.1"}, False)["before"] == "1.0"
    assert release.current_of(params["root"]) == "1.1"
    assert release.switch({**params, "version": "1.0"}, True)["changed"] is True
    assert release.current_of(params["root"]) == "1.1"
    release.switch({**params, "version": ""}, False)
    assert release.current_of(params["root"]) == ""


def test_the_newest_the_current_and_the_needed_are_kept(params: dict[str, Any]) -> None:
    for version in ("1.0", "1.1", "1.2", "1.3", "1.4"):
        release.place({**params, "version": version}, False)
    release.switch(params, False)
    done = release.prune({**params, "needed": ["1.1"]}, False)
    assert done["removed"] == ["1.2"]
    assert versions(params) == ["1.0", "1.1", "1.3", "1.4"]


def test_a_migration_is_written_down_before_and_after(params: dict[str, Any]) -> None:
    with pytest.raises(release.ReleaseError, match="no migration to"):
        release.end(params, False)
    assert release.begin(params, False)["changed"] is True
    begun = release.read_json(f"{params['root']}/migrations.json")["1.0"]
    assert (begun["done"], begun["way_back"]) == (None, False)
    release.begin(params, False)
    release.end(params, False)
    done = release.read_json(f"{params['root']}/migrations.json")["1.0"]
    assert done["begun"] == begun["begun"]
    assert done["done"] is not None
