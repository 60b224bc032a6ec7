"""The module `host_state`: what it makes of what the system says, and of nonsense."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.programs import load_program

MODULE = Path(__file__).parents[2] / "plugins" / "modules" / "host_state.py"
TWO_UNITS = "LoadState=loaded\nActiveState=active\n\nLoadState=loaded\nActiveState=failed\n"


host_state = load_program("plugins/modules/host_state.py")


def say(monkeypatch: pytest.MonkeyPatch, folder: Path, script: str) -> None:
    """Put a systemctl on the PATH that does what the script says."""
    program = folder / "systemctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


def space(**fields: int) -> SimpleNamespace:
    return SimpleNamespace(**{"f_blocks": 100, "f_bavail": 42, "f_frsize": 4096, "f_files": 0, **fields})


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("intranet", "intranet.service"),
        ("nginx.service", "nginx.service"),
        ("backup.timer", "backup.timer"),
        ("getty@tty1", "getty@tty1.service"),
        ("org.example.thing", "org.example.thing.service"),
    ],
)
def test_a_name_without_a_suffix_is_a_service(name: str, full: str) -> None:
    assert host_state.full_name(name) == full


def test_states_come_in_the_order_of_the_question() -> None:
    assert host_state.parse_states(TWO_UNITS, ["b", "a"]) == {"b": "active", "a": "failed"}


def test_a_unit_that_is_not_there_is_not_found_rather_than_inactive() -> None:
    text = "LoadState=not-found\nActiveState=inactive\n"
    assert host_state.parse_states(text, ["nonesuch"]) == {"nonesuch": "not-found"}


@pytest.mark.parametrize(
    "text", ["", "\n\n", "nonsense", "LoadState=loaded\nActiveState=\n", "=\n", TWO_UNITS]
)
def test_states_that_cannot_be_understood_are_not_measured(text: str) -> None:
    with pytest.raises(host_state.NotMeasuredError):
        host_state.parse_states(text, ["intranet"])


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("", []),
        ("\n  \n", []),
        ("ssh.service loaded failed failed OpenBSD Secure Shell server\n", ["ssh.service"]),
        ("a.service loaded failed failed A\nb.mount loaded failed failed B\n", ["a.service", "b.mount"]),
    ],
)
def test_failed_units_are_the_first_column(text: str, units: list[str]) -> None:
    assert host_state.parse_units(text) == units


def test_memory_is_what_is_available_and_not_what_is_free() -> None:
    text = "MemTotal:       1000 kB\nMemFree:         10 kB\nMemAvailable:    601 kB\nHugePages_Total:   0\n"
    assert host_state.parse_memory(text) == 60.1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00\xff garbage",
        "MemTotal: 1000 kB\n",
        "MemAvailable: 10 kB\n",
        "MemTotal: 0 kB\nMemAvailable: 0 kB\n",
        "MemTotal: many kB\nMemAvailable: 3 kB\n",
        "MemTotal: -5 kB\nMemAvailable: 3 kB\n",
    ],
)
def test_memory_that_cannot_be_understood_is_not_measured(text: str) -> None:
    with pytest.raises(host_state.NotMeasuredError):
        host_state.parse_memory(text)


def test_free_space_is_what_an_ordinary_user_may_write() -> None:
    described = host_state.describe_space(space(f_bfree=47))
    assert described == {"free_bytes": 42 * 4096, "total_bytes": 100 * 4096, "free_percent": 42.0}


def test_a_file_system_without_a_size_is_not_measured() -> None:
    with pytest.raises(host_state.NotMeasuredError, match="no size"):
        host_state.describe_space(space(f_blocks=0, f_bavail=0))


def test_a_path_that_cannot_be_measured_does_not_hide_the_others() -> None:
    errors: dict[str, str] = {}
    found = host_state.measure_disk(["/", "relative", "/nonesuch", "/a\0b"], errors)
    assert set(found) == {"/"}
    assert set(errors) == {"relative", "/nonesuch", "/a\0b"}


def test_a_file_system_that_does_not_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs
    monkeypatch.setattr(host_state, "SECONDS", 0.2)

    def hang(path: str) -> os.statvfs_result:
        if path == "/hangs":
            time.sleep(5)
        return real("/" if path == "/hangs" else path)

    monkeypatch.setattr(os, "statvfs", hang)
    errors: dict[str, str] = {}
    began = time.monotonic()
    assert set(host_state.measure_disk(["/hangs", "/"], errors)) == {"/"}
    assert errors == {"/hangs": "no answer within 0.2 s"}
    assert time.monotonic() - began < 3


def test_a_name_that_is_no_unit_never_reaches_systemctl(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    say(
        monkeypatch,
        tmp_path,
        f"echo \"$@\" > {tmp_path}/asked; printf 'LoadState=loaded\\nActiveState=active\\n'",
    )
    errors: dict[str, str] = {}
    names = ["ssh", "--help", "a b", "*", "", "x;y", "naïve"]
    assert host_state.measure_services(names, errors) == {"ssh": "active"}
    assert set(errors) == {"--help", "a b", "*", "", "x;y", "naïve"}
    assert (tmp_path / "asked").read_text().split()[-2:] == ["--", "ssh.service"]


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo no bus >&2; exit 1", "no bus"),
        ("exit 3", "exit code 3"),
        ("exec sleep 5", "no answer within"),
        ("printf 'rubbish\\n\\377\\376'", "named no state"),
        ("", "told of 0 units"),
    ],
)
def test_a_systemctl_that_is_of_no_use_is_an_error_and_no_state(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, why: str
) -> None:
    monkeypatch.setattr(host_state, "SECONDS", 0.3)
    say(monkeypatch, tmp_path, script)
    errors: dict[str, str] = {}
    assert host_state.measure_services(["ssh"], errors) == {}
    assert why in errors["services"]


def test_without_systemd_the_rest_is_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    state = host_state.measure(["ssh"], ["/"])
    assert "failed_units" not in state
    assert {"services", "failed_units"} <= set(state["errors"])
    assert state["disk"]["/"]["total_bytes"] > 0
    assert 0 < state["memory_available_percent"] <= 100
    assert state["load_per_core"] >= 0


@pytest.mark.parametrize(("file", "required"), [("run/reboot-required", True), ("run/other", False)])
def test_a_reboot_is_required_when_the_file_says_so(tmp_path: Path, file: str, required: bool) -> None:
    for path in ("etc/debian_version", file):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert host_state.measure_reboot_required(str(tmp_path)) is required


def test_a_system_that_does_not_tell_of_reboots_is_not_measured(tmp_path: Path) -> None:
    with pytest.raises(host_state.NotMeasuredError, match="Debian"):
        host_state.measure_reboot_required(str(tmp_path))


def run_module(**arguments: Any) -> dict[str, Any]:
    question = json.dumps({"ANSIBLE_MODULE_ARGS": {"_ansible_check_mode": True, **arguments}})
    done = subprocess.run(
        [sys.executable, MODULE], input=question, capture_output=True, text=True, check=False
    )
    return dict(json.loads(done.stdout))


def test_the_module_answers_in_check_mode_and_changes_nothing() -> None:
    answer = run_module(paths=["/"])
    assert answer["changed"] is False
    assert answer["services"] == {}
    assert set(answer["disk"]) == {"/"}


def test_the_module_refuses_an_argument_that_it_does_not_know() -> None:
    answer = run_module(path="/")
    assert answer["failed"] is True
    assert "path" in answer["msg"]
