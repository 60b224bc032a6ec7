"""The command line's own manners: suggestions, exit codes, closed streams, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from wavegate.commands._common import exit_code_of
from wavegate.core.outcomes import Status
from wavegate.main import cli, main

WAVEGATE = (sys.executable, "-m", "wavegate")


def leave(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["wavegate", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(str(left.value.code))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plann", "x.yml"], "there is no verb 'plann'; did you mean 'plan'?"),
        (["xyzzy"], "there is no verb 'xyzzy'\n"),
        (["plan"], "Missing argument 'FILE'"),
        (["run", "--json", "x.yml"], "--json"),
        (["init", "--json"], "--json"),
    ],
)
def test_wrong_usage_is_text_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    assert leave(monkeypatch, *arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert says in said.err
    assert "Traceback" not in said.err


def test_json_that_is_no_option_asks_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert leave(monkeypatch, "status", "--", "--json") == 40
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error[no-rollouts]: ")


def test_a_bug_leaves_a_trace_and_exit_code_50(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("never thought of")

    monkeypatch.setattr(cli, "invoke", fail)
    assert leave(monkeypatch, "schema") == 50
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "RuntimeError: never thought of" in said
    assert "report the lines above" in said


def shell(root: Path, line: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WG": f"{sys.executable} -m wavegate"}
    command = ["bash", "-o", "pipefail", "-c", line]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        ("$WG schema | true", 0, ""),
        ("$WG schema | head -1", 0, ""),
        ("$WG plan nowhere.yml 2>&1 | true", 40, ""),
        ("$WG schema >&-", 0, ""),
        ("$WG plan nowhere.yml >&- 2>&-", 40, ""),
        ("$WG schema >/dev/full", 40, "error[output-not-written]"),
        ("$WG plan nowhere.yml 2>/dev/full", 40, ""),
        ("PYTHONIOENCODING=ascii $WG plan größe.yml", 40, "error[rollout-file-unreadable]"),
        ("$WG plan $'\\xff.yml'", 40, "error[rollout-file-unreadable]"),
    ],
)
def test_what_becomes_of_the_output_never_falsifies_the_exit_code(
    tmp_path: Path, line: str, code: int, says: str
) -> None:
    done = shell(tmp_path, line)
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_result_that_is_lost_does_not_hide_what_was_done(tmp_path: Path) -> None:
    done = shell(tmp_path, "$WG init project >/dev/full 2>/dev/full")
    assert done.returncode == 0
    assert (tmp_path / "project" / "ansible.cfg").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_while_planning_leaves_without_a_trace_and_without_a_process(
    tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = hosts.sh\n")
    (tmp_path / "hosts.sh").write_text("#!/bin/sh\necho here > reached\nexec sleep 600\n")
    (tmp_path / "hosts.sh").chmod(0o755)
    (tmp_path / "x.yml").write_text("name: x\nplaybook: y.yml\nwaves: [{name: all, hosts: all}]\n")
    os.mkfifo(tmp_path / "reached")
    command = [*WAVEGATE, "run", "x.yml"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert (tmp_path / "reached").read_text() == "here\n"
        inside = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert said.strip() == "wavegate: interrupted"
    assert inside
    assert psutil.wait_procs(inside, timeout=30)[1] == []
    assert not (tmp_path / ".wavegate").exists()


@pytest.mark.parametrize(
    ("status", "died", "code"),
    [
        (Status.RUNNING, False, 10),
        (Status.RUNNING, True, 20),
        (Status.ROLLING_BACK, False, 10),
        (Status.ROLLING_BACK, True, 20),
        (Status.HELD, False, 20),
        (Status.COMPLETED, False, 0),
    ],
)
def test_nobody_is_told_to_wait_for_a_rollout_whose_process_died(
    status: Status, died: bool, code: int
) -> None:
    assert exit_code_of(status, died=died) == code
