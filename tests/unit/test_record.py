"""The module `wavegate_record`: what it records before a change, and puts back after it."""

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

MODULE = Path(__file__).parents[2] / "plugins" / "modules" / "wavegate_record.py"
VERSIONS = {"intranet": "1.0", "libintranet": "1.0"}
START = """
import runpy
from ansible.module_utils.testing import patch_module_args
import json, sys
with patch_module_args(json.load(sys.stdin)["ANSIBLE_MODULE_ARGS"]):
    runpy.run_path({!r}, run_name="__main__")
"""
STATE = {"active": "active", "enabled": "enabled"}


@pytest.fixture
def snapshot(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load_program("plugins/modules/wavegate_record.py")
    monkeypatch.setattr(
        module, "package_versions", lambda names: {name: VERSIONS.get(name) for name in names}
    )
    monkeypatch.setattr(module, "service_states", lambda names: {name: dict(STATE) for name in names})
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


def paths_of(host: Path) -> list[str]:
    return [str(host / name) for name in ("etc", "data", "source")]


def act(snapshot: ModuleType, host: Path, state: str, *, check: bool = False, **more: Any) -> dict[str, Any]:
    """Do what the module does for these arguments; what it is not told is as Ansible would fill it in."""
    wanted = {"packages": [], "services": [], "facts": {}, "paths": None, **more}
    if state == "recorded":
        wanted = {
            **wanted,
            "packages": list(VERSIONS),
            "services": ["intranet"],
            "paths": paths_of(host),
            **more,
        }
    answer: dict[str, Any] = snapshot.act({"state": state, "path": record_of(host), **wanted}, check=check)
    return answer


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
    before = snapshot.survey(paths_of(host))
    act(snapshot, host, "recorded")
    spoil(host)
    assert act(snapshot, host, "restored")["changed"] is True
    assert snapshot.survey(paths_of(host)) == before


def test_a_second_restore_changes_nothing(snapshot: ModuleType, host: Path) -> None:
    act(snapshot, host, "recorded")
    spoil(host)
    act(snapshot, host, "restored")
    assert act(snapshot, host, "restored")["changed"] is False


def test_a_second_record_keeps_the_first(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = act(snapshot, host, "recorded")
    (host / "etc" / "intranet.conf").write_text("port = 9999\n")
    monkeypatch.setattr(snapshot, "package_versions", lambda names: dict.fromkeys(names, "1.1"))
    second = act(snapshot, host, "recorded")
    assert (first["changed"], second["changed"]) == (True, False)
    assert second["record"]["packages"] == VERSIONS
    assert Path(record_of(host), "tree" + str(host / "etc" / "intranet.conf")).read_text() == "port = 8080\n"


def test_a_record_that_was_not_finished_is_none_and_is_made_anew(snapshot: ModuleType, host: Path) -> None:
    half = Path(record_of(host) + ".incomplete", "tree")
    half.mkdir(parents=True)
    (half / "rubbish").touch()
    with pytest.raises(snapshot.RefusedError, match="nothing was recorded"):
        act(snapshot, host, "compared")
    assert act(snapshot, host, "recorded")["changed"] is True
    assert not half.exists()
    assert not list(Path(record_of(host)).rglob("rubbish"))


def test_a_record_that_breaks_off_leaves_no_complete_one(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot.shutil, "copyfile", no_space)
    with pytest.raises(OSError, match="No space"):
        act(snapshot, host, "recorded")
    assert not Path(record_of(host)).exists()


@pytest.mark.parametrize("state", ["compared", "restored", "recorded"])
def test_a_damaged_record_is_refused_and_nothing_is_touched(
    snapshot: ModuleType, host: Path, state: str
) -> None:
    act(snapshot, host, "recorded")
    Path(record_of(host), "tree" + str(host / "etc" / "intranet.conf")).write_text("port = 1\n")
    spoil(host)
    spoiled = snapshot.survey(paths_of(host))
    with pytest.raises(snapshot.RefusedError, match="checksum"):
        act(snapshot, host, state)
    assert snapshot.survey(paths_of(host)) == spoiled


def test_check_mode_says_what_it_would_do_and_does_nothing(snapshot: ModuleType, host: Path) -> None:
    assert act(snapshot, host, "recorded", check=True)["changed"] is True
    assert not (host / "backups").exists()
    act(snapshot, host, "recorded")
    spoil(host)
    spoiled = snapshot.survey(paths_of(host))
    assert act(snapshot, host, "restored", check=True)["changed"] is True
    assert snapshot.survey(paths_of(host)) == spoiled


def test_only_the_paths_of_the_request_are_restored(snapshot: ModuleType, host: Path) -> None:
    act(snapshot, host, "recorded")
    spoil(host)
    act(snapshot, host, "restored", paths=[str(host / "etc")])
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
    act(snapshot, host, "recorded")
    kept = Path(record_of(host), "tree" + str(host / "data" / "documents.json"))
    assert kept.read_text() == "written meanwhile"


def test_what_can_be_neither_read_nor_copied_is_refused(snapshot: ModuleType, host: Path) -> None:
    os.mkfifo(host / "data" / "pipe")
    with pytest.raises(snapshot.RefusedError, match="pipe"):
        act(snapshot, host, "recorded")


def test_packages_and_files_that_differ_are_named(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(snapshot, host, "recorded")
    (host / "etc" / "intranet.conf").chmod(0o600)
    monkeypatch.setattr(snapshot, "package_versions", lambda names: dict.fromkeys(names, "1.1"))
    compared = act(snapshot, host, "compared")
    assert compared["differ"] == [str(host / "etc" / "intranet.conf")]
    assert (compared["record"]["packages"], compared["installed"]) == (
        VERSIONS,
        dict.fromkeys(VERSIONS, "1.1"),
    )


def test_what_apt_has_to_be_told_follows_from_the_record(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(snapshot, host, "recorded", packages=["intranet", "libintranet", "extra", "kept"])
    now = {"intranet": "1.1", "libintranet": None, "extra": "3", "kept": None}
    monkeypatch.setattr(snapshot, "package_versions", lambda names: {name: now[name] for name in names})
    compared = act(snapshot, host, "compared")
    assert compared["to_install"] == ["intranet=1.0", "libintranet=1.0"]
    assert compared["to_remove"] == ["extra"]


def test_states_of_services_and_facts_of_the_caller_are_kept(
    snapshot: ModuleType, host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    act(snapshot, host, "recorded", facts={"setting": ["a b", 'c "d"']})
    stopped = {"active": "inactive", "enabled": "disabled"}
    monkeypatch.setattr(snapshot, "service_states", lambda names: dict.fromkeys(names, stopped))
    compared = act(snapshot, host, "compared")
    assert compared["record"]["services"] == {"intranet": STATE}
    assert compared["services"] == {"intranet": stopped}
    assert compared["record"]["facts"] == {"setting": ["a b", 'c "d"']}


def run_module(host: Path, **arguments: Any) -> subprocess.CompletedProcess[str]:
    """Run the module as Ansible does on a host: arguments on stdin, answer on stdout."""
    text = json.dumps({"ANSIBLE_MODULE_ARGS": {"path": record_of(host), **arguments}})
    programs = host / "bin"
    programs.mkdir()
    for name in ("dpkg-query", "systemctl"):
        (programs / name).write_text("#!/bin/sh\nexit 1\n")
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    command = [sys.executable, "-c", START.format(str(MODULE))]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, env=environment)


def test_the_record_is_for_its_owner_only(host: Path) -> None:
    done = run_module(host, state="recorded", paths=paths_of(host), services=["nonesuch"])
    answer = json.loads(done.stdout)
    assert answer["record"]["services"] == {"nonesuch": {"active": "inactive", "enabled": ""}}
    for folder in (host / "backups", host / "backups" / "r1", Path(record_of(host))):
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"state": "restored"}, "nothing was recorded in"),
        ({"state": "recorded", "paths": ["relative"]}, "relative must be absolute"),
        (
            {"state": "recorded", "path": "/var/backups/../../etc"},
            "/etc must be absolute, with no . or .. in it",
        ),
    ],
)
def test_a_refusal_is_one_sentence(host: Path, arguments: dict[str, Any], says: str) -> None:
    answer = json.loads(run_module(host, **arguments).stdout)
    assert answer["failed"] is True
    assert says in answer["msg"]
