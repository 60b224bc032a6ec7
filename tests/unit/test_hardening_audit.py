"""What the audit finds: one finding for each rule, with a remedy where it does not hold."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).parents[2] / "roles" / "hardening" / "files" / "host.py"


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("host", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    monkeypatch.setattr(loaded, "name_of", lambda *_: "root")
    return loaded


def wanted(path: Path, mode: str) -> dict[str, str]:
    return {"path": str(path), "owner": "root", "group": "root", "mode": mode}


@pytest.mark.parametrize(("mode", "status"), [(0o640, "pass"), (0o400, "pass"), (0o644, "fail")])
def test_a_stricter_mode_is_well(host: ModuleType, tmp_path: Path, mode: int, status: str) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(mode)
    (found,) = host.audit_files([wanted(file, "0640")])
    assert found["status"] == status
    assert bool(found["remedy"]) == (status == "fail")


def test_no_mode_becomes_less_strict(host: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o604)
    assert host.put_right(wanted(file, "0640"))["mode"] == "0600"
    file.chmod(0o600)
    assert host.put_right(wanted(file, "0640")) is None


def test_a_file_that_is_not_there_is_no_failure(host: ModuleType, tmp_path: Path) -> None:
    (found,) = host.audit_files([wanted(tmp_path / "nothing", "0640")])
    assert found["status"] == "not-applicable"
    assert host.put_right(wanted(tmp_path / "nothing", "0640")) is None


@pytest.mark.parametrize(
    ("value", "settable", "status"),
    [
        ("1", False, "pass"),
        ("0", True, "fail"),
        ("0", False, "not-applicable"),
        (None, False, "not-applicable"),
    ],
)
def test_a_value_that_cannot_be_set_here_is_not_counted_as_set(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, value: str | None, settable: bool, status: str
) -> None:
    monkeypatch.setattr(host, "kernel_value", lambda _: value)
    monkeypatch.setattr(host, "may_set", lambda _: settable)
    (found,) = host.audit_kernel({"kernel.kptr_restrict": "1"})
    assert (found["id"], found["status"]) == ("kernel-kernel.kptr_restrict", status)


def test_only_values_that_differ_and_may_be_set_are_set(
    host: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "a").write_text("0\n")
    (tmp_path / "b").write_text("1\n")
    monkeypatch.setattr(host, "kernel_path", lambda name: str(tmp_path / name))
    monkeypatch.setattr(host, "may_set", lambda name: name != "c")
    question = {"kernel": {"a": "1", "b": "1", "none": "1"}, "check": False}
    assert host.set_values({**question, "check": True}) == {"changed": True, "set": ["a"], "refused": []}
    assert (tmp_path / "a").read_text() == "0\n"
    assert host.set_values(question)["set"] == ["a"]
    assert (tmp_path / "a").read_text() == "1"


def test_accounts_that_open_the_host_are_named(host: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "passwd").write_text("root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n")
    (tmp_path / "etc" / "shadow").write_text("root:*:1::::::\nada::1::::::\n")
    second, without = host.audit_accounts(str(tmp_path))
    assert (second["status"], second["found"]) == ("fail", "toor")
    assert (without["status"], without["found"]) == ("fail", "ada")


def test_what_anybody_may_write_is_found(host: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc" / "open"
    file.touch()
    (finding,) = host.audit_trees(str(tmp_path))
    assert finding["status"] == "pass"
    file.chmod(0o666)
    (finding,) = host.audit_trees(str(tmp_path))
    assert (finding["status"], finding["found"]) == ("fail", str(file))


def test_what_failed_comes_first_in_the_table(host: ModuleType) -> None:
    lines = host.table([host.finding("well", "", 1, 1, "x"), host.finding("ill", "", 1, 2, "do this")])
    assert [line.split()[:2] for line in lines] == [["status", "id"], ["fail", "ill"], ["pass", "well"]]
    assert lines[1].endswith("do this")
