"""The nginx role's program: who is out, how a configuration is changed, and when it is as it was written."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from tests.programs import load_program

CONFIGURATION = """\
        listen 127.0.0.1:8089; # status
            return 200 "configuration @digest@\\n";
    upstream app {
        zone app 128k;
        server 192.0.2.1:80 weight=1; # member a
        server 192.0.2.2:80 weight=1 backup down; # member b
    }

    upstream api {
        server [2001:db8::1]:80 weight=1; # member a
    }
"""


@pytest.fixture
def nginx() -> ModuleType:
    return load_program("roles/nginx/files/nginx.py")


@pytest.fixture
def text(nginx: ModuleType) -> str:
    # As the role's template has it: the digest is of the text that still has its placeholder.
    return str(nginx.signed(CONFIGURATION.replace("@digest@", "0" * 64)))


def test_each_upstream_has_its_own_members(nginx: ModuleType, text: str) -> None:
    assert nginx.members(text) == {
        "app": {"a": (False, "192.0.2.1:80"), "b": (True, "192.0.2.2:80")},
        "api": {"a": (False, "[2001:db8::1]:80")},
    }


def test_a_member_is_taken_out_of_one_upstream_alone(nginx: ModuleType, text: str) -> None:
    changed = nginx.members(nginx.with_member(text, "api", "a", True))
    assert changed["api"]["a"][0]
    assert not changed["app"]["a"][0]


def test_out_and_back_is_the_text_of_before(nginx: ModuleType, text: str) -> None:
    there = nginx.signed(nginx.with_member(text, "app", "a", True))
    assert there != text
    assert nginx.is_as_written(there)
    assert nginx.signed(nginx.with_member(there, "app", "a", False)) == text


def test_what_was_out_can_be_put_back_with_its_other_words(nginx: ModuleType, text: str) -> None:
    changed = nginx.with_member(text, "app", "b", False)
    assert "        server 192.0.2.2:80 weight=1 backup; # member b\n" in changed


def test_a_configuration_that_was_edited_is_not_as_written(nginx: ModuleType, text: str) -> None:
    assert nginx.is_as_written(text)
    assert not nginx.is_as_written(text.replace("weight=1;", "weight=2;"))
    assert not nginx.is_as_written("worker_processes auto;\n")


def test_a_member_that_nobody_has_is_refused_with_those_there_are(nginx: ModuleType, text: str) -> None:
    with pytest.raises(nginx.Refused, match="there are a, b"):
        nginx.known(text, "c", [])


def test_the_last_member_that_is_in_is_not_drained(
    nginx: ModuleType, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "nginx.conf"
    file.write_text(text)
    monkeypatch.setattr(nginx, "FOLDER", str(tmp_path))
    monkeypatch.setattr(nginx, "FILE", str(file))
    with pytest.raises(nginx.Refused, match="the last member of app"):
        nginx.drain("a", '["app"]', "0", "false")
    assert file.read_text() == text


@pytest.mark.parametrize(
    ("written", "found"),
    [("0100007F:1F90", ("127.0.0.1", 8080)), ("B80D0120000000000000000001000000:0050", ("2001:db8::1", 80))],
)
def test_the_table_of_connections_is_read(
    nginx: ModuleType, written: str, found: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nginx.sys, "byteorder", "little")
    family = nginx.socket.AF_INET if len(written) == 13 else nginx.socket.AF_INET6
    assert nginx.peer(family, written) == found
