"""What sshd does beside what a file of settings asks for: the first value that it reads wins."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.programs import load_program

sshd = load_program("plugins/modules/wavegate_sshd.py")


def test_keywords_are_found_however_a_line_is_written(tmp_path: Path) -> None:
    file = tmp_path / "ours.conf"
    file.write_text(
        "# Port 1\nPermitRootLogin no\n\nX11Forwarding=no\n  AllowUsers ada bob\nallowusers eve\n"
    )
    assert sshd.keywords_of(str(file)) == ["allowusers", "permitrootlogin", "x11forwarding"]


def test_a_value_that_lost_to_an_earlier_one_is_told() -> None:
    wanted = {"permitrootlogin": ["no"], "port": ["22"]}
    told = sshd.compare(["permitrootlogin", "port"], wanted, {"permitrootlogin": ["yes"], "port": ["22"]})
    assert told == ["permitrootlogin is 'yes', wanted is 'no'"]


def test_a_keyword_with_several_values_may_have_more_of_them_from_elsewhere() -> None:
    wanted, found = {"allowusers": ["ada"]}, {"allowusers": ["eve", "ada"]}
    assert sshd.compare(["allowusers"], wanted, found) == []
    assert sshd.compare(["allowusers"], found, wanted) == ["allowusers is 'ada', wanted is 'eve, ada'"]


def test_a_keyword_that_is_not_in_effect_at_all_is_told() -> None:
    assert sshd.compare(["banner"], {"banner": ["/etc/b"]}, {}) == ["banner is not set, wanted is '/etc/b'"]


def test_what_sshd_complains_about_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "sshd"
    program.write_text("#!/bin/sh\necho 'line 3: Bad configuration option: Prot' >&2\nexit 255\n")
    program.chmod(0o755)
    monkeypatch.setattr(sshd, "SSHD", str(program))
    with pytest.raises(OSError, match="line 3: Bad configuration option"):
        sshd.effective()


def test_sshd_is_asked_for_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, "Port 22\nport 2222\npermitrootlogin no\n", "")

    monkeypatch.setattr(sshd.subprocess, "run", answer)
    assert sshd.effective("-f", "/x") == {"port": ["22", "2222"], "permitrootlogin": ["no"]}
    assert asked == [["/usr/sbin/sshd", "-T", "-f", "/x"]]
