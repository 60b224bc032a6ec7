"""What the intranet role records before a change, and puts back after it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.programs import load_program

SCRIPT = Path(__file__).parents[2] / "roles" / "intranet" / "files" / "snapshot.py"
VERSIONS = {"intranet": "1.0", "libintranet": "1.0"}


@pytest.fixture
def snapshot(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_program("roles/intranet/files/snapshot.py")
    monkeypatch.setattr(
        module, "package_versions", lambda names: {name: VERSIONS.get(name) for name in names}
    )
    return module


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a folder with what a change touches: configuration, data with a folder and a link, no source."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "intranet.conf").write_text("port = 8080\n")
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "documents.json").write_bytes(b'{"documents": []}\n')
    (tmp_path / "data" / "documents.json").chmod(0o640)
    (tmp_path / "data" / "deep" / 'née "x" \' y').write_text("name")
    (tmp_path / "data" / "link").symlink_to("documents.json")
    return tmp_path


def request(host: Path, *, check: bool = False) -> dict[str, Any]:
    paths = [str(host / name) for name in ("etc", "data", "source")]
    return {"packages": ["intranet", "libintranet"], "paths": paths, "check": check}


def record_of(host: Path) -> str:
    return str(host / "backups" / "r1" / "intranet")


def spoil(host: Path) -> None:
    (host / "etc" / "intranet.conf").write_text("port = 9999\n")
    (host / "etc" / "extra.conf").write_text("new")
    (host / "data" / "documents.json").unlink()
    (host / "data" / "documents.json").mkdir()
    (host / "data" / "documents.json" / "inner").write_text("a folder where a file was")
    (host / "data" / "link").unlink()
    (host / "data" / "link").symlink_to("/nonesuch")
    (host / "data" / "deep" / 'née "x" \' y').unlink()
    (host / "data" / "deep").rmdir()
    (host / "data" / "deep").write_text("a file where a folder was")
    (host / "source").write_text("was not there")


def test_what_was_recorded_comes_back_entry_by_entry(snapshot: ModuleType, host: Path) -> None:
    before = snapshot.survey(request(host)["paths"])
    snapshot.record(record_of(host), request(host))
    spoil(host)
    assert snapshot.restore(record_of(host), request(host))["changed"] is True
    assert snapshot.survey(request(host)["paths"]) == before


def test_a_second_restore_changes_nothing(snapshot: ModuleType, host: Path) -> None:
    snapshot.record(record_of(host), request(host))
    spoil(host)
    snapshot.restore(record_of(host), request(host))
    assert snapshot.restore(record_of(host), request(host))["changed"] is False


def test_a_second_record_keeps_the_first(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = snapshot.record(record_of(host), request(host))
    (host / "etc" / "intranet.conf").write_text("port = 9999\n")
    monkeypatch.setattr(snapshot, "package_versions", lambda names: dict.fromkeys(names, "1.1"))
    second = snapshot.record(record_of(host), request(host))
    assert (first["changed"], second["changed"]) == (True, False)
    assert second["packages"] == VERSIONS
    assert Path(record_of(host), "tree" + str(host / "etc" / "intranet.conf")).read_text() == "port = 8080\n"


def test_a_record_that_was_not_finished_is_none_and_is_made_anew(snapshot: ModuleType, host: Path) -> None:
    half = Path(record_of(host) + ".incomplete", "tree")
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    with pytest.raises(snapshot.Refused, match="nothing was recorded"):
        snapshot.compare(record_of(host), request(host))
    assert snapshot.record(record_of(host), request(host))["changed"] is True
    assert not half.exists()
    assert not list(Path(record_of(host)).rglob("rubbish"))


def test_a_record_that_breaks_off_leaves_no_complete_one(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.shutil, "copyfile", no_space)
    with pytest.raises(OSError, match="No space"):
        snapshot.record(record_of(host), request(host))
    assert not Path(record_of(host)).exists()


@pytest.mark.parametrize("act", ["compare", "restore", "record"])
def test_a_damaged_record_is_refused_and_nothing_is_touched(
    snapshot: ModuleType, host: Path, act: str
) -> None:
    snapshot.record(record_of(host), request(host))
    Path(record_of(host), "tree" + str(host / "etc" / "intranet.conf")).write_text("port = 1\n")
    spoil(host)
    spoiled = snapshot.survey(request(host)["paths"])
    with pytest.raises(snapshot.Refused, match="checksum"):
        getattr(snapshot, act)(record_of(host), request(host))
    assert snapshot.survey(request(host)["paths"]) == spoiled


def test_check_mode_says_what_it_would_do_and_does_nothing(snapshot: ModuleType, host: Path) -> None:
    assert snapshot.record(record_of(host), request(host, check=True))["changed"] is True
    assert not (host / "backups").exists()
    snapshot.record(record_of(host), request(host))
    spoil(host)
    spoiled = snapshot.survey(request(host)["paths"])
    assert snapshot.restore(record_of(host), request(host, check=True))["changed"] is True
    assert snapshot.survey(request(host)["paths"]) == spoiled


def test_only_the_paths_of_the_request_are_restored(snapshot: ModuleType, host: Path) -> None:
    snapshot.record(record_of(host), request(host))
    spoil(host)
    snapshot.restore(record_of(host), {**request(host), "paths": [str(host / "etc")]})
    assert (host / "etc" / "intranet.conf").read_text() == "port = 8080\n"
    assert (host / "source").exists()


def test_a_file_that_changes_while_it_is_copied_is_copied_again(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies: list[str] = []
    real = snapshot.shutil.copyfile

    def copy_while_written(source: str, target: str) -> None:
        real(source, target)
        if source.endswith("documents.json") and not copies:
            copies.append(source)
            Path(source).write_text("written meanwhile")
            Path(target).write_text("torn")

    monkeypatch.setattr(snapshot.shutil, "copyfile", copy_while_written)
    snapshot.record(record_of(host), request(host))
    kept = Path(record_of(host), "tree" + str(host / "data" / "documents.json"))
    assert kept.read_text() == "written meanwhile"


def test_what_can_be_neither_read_nor_copied_is_refused(snapshot: ModuleType, host: Path) -> None:
    os.mkfifo(host / "data" / "pipe")
    with pytest.raises(snapshot.Refused, match="pipe"):
        snapshot.record(record_of(host), request(host))


def test_packages_and_files_that_differ_are_named(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot.record(record_of(host), request(host))
    (host / "etc" / "intranet.conf").chmod(0o600)
    monkeypatch.setattr(snapshot, "package_versions", lambda names: dict.fromkeys(names, "1.1"))
    compared = snapshot.compare(record_of(host), request(host))
    assert compared["differ"] == [str(host / "etc" / "intranet.conf")]
    assert (compared["packages"], compared["installed"]) == (VERSIONS, dict.fromkeys(VERSIONS, "1.1"))


def test_the_record_is_for_its_owner_only(host: Path) -> None:
    arguments = [
        sys.executable,
        str(SCRIPT),
        "record",
        record_of(host),
        json.dumps({**request(host), "packages": []}),
    ]
    environment = {**os.environ, "PATH": f"{fake_dpkg(host)}:{os.environ['PATH']}"}
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    for folder in (host / "backups", host / "backups" / "r1", Path(record_of(host))):
        assert folder.stat().st_mode & 0o777 == 0o700


def fake_dpkg(folder: Path) -> Path:
    programs = folder / "bin"
    programs.mkdir()
    (programs / "dpkg-query").write_text("#!/bin/sh\nexit 1\n")
    (programs / "dpkg-query").chmod(0o755)
    return programs


def test_a_refusal_is_one_sentence_and_no_trace(host: Path) -> None:
    arguments = [sys.executable, str(SCRIPT), "restore", record_of(host), json.dumps(request(host))]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "nothing was recorded" in done.stderr
