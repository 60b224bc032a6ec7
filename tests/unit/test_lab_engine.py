from __future__ import annotations

from pathlib import Path

import pytest

from wavegate.errors import WavegateError
from wavegate.lab.engine import EngineError, detect_engine, settle
from wavegate.lab.machines import make_room
from wavegate.lab.network import ensure_network
from wavegate.lab.packages import build_repository, pack
from wavegate.lab.state import Lab


@pytest.fixture(autouse=True)
def no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which no engine is, so that each test puts there what it needs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("WAVEGATE_ENGINE", raising=False)
    return tmp_path


def put_program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_an_engine_the_error_says_how_to_install_one() -> None:
    with pytest.raises(WavegateError) as caught:
        detect_engine()
    assert caught.value.code == "no-container-engine"
    assert "install podman" in caught.value.hint


def test_on_debian_the_hint_is_the_exact_command(no_engine: Path) -> None:
    put_program(no_engine, "apt-get", "exit 0")
    with pytest.raises(WavegateError) as caught:
        detect_engine()
    assert "apt-get install -y --no-install-recommends podman runc netavark" in caught.value.hint


def test_podman_comes_before_docker_and_the_environment_before_both(
    no_engine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_program(no_engine, "podman", "echo false")
    put_program(no_engine, "docker", "echo 27.0")
    assert detect_engine().name == "podman"
    monkeypatch.setenv("WAVEGATE_ENGINE", "docker")
    assert detect_engine().name == "docker"
    assert detect_engine(made_with="podman").name == "podman"


def test_an_engine_that_does_not_answer_is_passed_over(no_engine: Path) -> None:
    put_program(no_engine, "podman", "echo false")
    put_program(no_engine, "docker", "echo 'no daemon' >&2; exit 1")
    assert detect_engine().name == "podman"
    put_program(no_engine, "podman", "echo true")
    with pytest.raises(WavegateError) as caught:
        detect_engine()
    assert caught.value.code == "engine-not-usable"
    assert "no daemon" in caught.value.why
    assert "root" in caught.value.why


def test_settling_lowers_limits_only_where_the_engine_asks_for_it(no_engine: Path) -> None:
    put_program(no_engine, "podman", '[ "$1" = info ] && echo false; exit 0')
    assert settle(detect_engine(), "image").limits == ()
    put_program(
        no_engine, "podman", 'case "$*" in info*) echo false;; *--ulimit=nofile*) ;; *) exit 126;; esac'
    )
    settled = settle(detect_engine(), "image")
    assert [limit.partition("=")[0] for limit in settled.limits] == ["--ulimit", "--ulimit"]
    assert settled.flags == ()


def test_settling_takes_runc_where_the_default_runtime_fails(no_engine: Path) -> None:
    put_program(no_engine, "runc", "exit 0")
    put_program(
        no_engine, "podman", 'case "$*" in info*) echo false;; --runtime=runc*) ;; *) exit 126;; esac'
    )
    assert settle(detect_engine(), "image").flags == ("--runtime=runc",)


def test_settling_fails_with_what_the_engine_said_first(no_engine: Path) -> None:
    script = (
        'case "$*" in info*) echo false;; *--ulimit*) echo 2nd >&2; exit 1;; *) echo 1st >&2; exit 1;; esac'
    )
    put_program(no_engine, "podman", script)
    with pytest.raises(EngineError) as caught:
        settle(detect_engine(), "image")
    assert caught.value.why == "1st"


def test_a_network_of_that_name_that_is_not_the_labs_is_left_alone(no_engine: Path) -> None:
    answers = """info*) echo false;; "network inspect"*) echo '[{"name": "x", "labels": {}}]';; *) exit 1;;"""
    script = f'case "$*" in {answers} esac'
    put_program(no_engine, "podman", script)
    with pytest.raises(WavegateError) as caught:
        ensure_network(detect_engine(), Lab("0123abcd", "bookworm"))
    assert caught.value.code == "lab-network-taken"
    assert "wavegate-0123abcd" in caught.value.what


def test_an_engine_without_a_free_network_is_a_clear_error(no_engine: Path) -> None:
    put_program(
        no_engine, "podman", '[ "$1" = info ] && { echo false; exit 0; }; echo "no subnet left" >&2; exit 125'
    )
    with pytest.raises(WavegateError) as caught:
        ensure_network(detect_engine(), Lab("0123abcd", "bookworm"))
    assert (caught.value.code, caught.value.why) == ("lab-network-taken", "no subnet left")


def test_room_for_many_systemds_is_made_once_and_said(tmp_path: Path) -> None:
    limit, said = tmp_path / "limit", []
    limit.write_text("128\n")
    make_room(10, said.append, limit)
    assert int(limit.read_text()) == 592
    make_room(9, said.append, limit)
    assert len(said) == 1
    make_room(9, said.append, tmp_path / "not" / "there")
    assert "sysctl -w" in said[1]


def test_a_repository_is_built_once_and_again_when_something_is_missing(tmp_path: Path) -> None:
    built: list[bytes] = []

    def build(argv: tuple[str, ...], material: bytes) -> bytes:
        built.append(material)
        return pack(iter([("Packages", b"some")]))

    assert build_repository(tmp_path / "repository", build)
    assert not build_repository(tmp_path / "repository", build)
    assert (tmp_path / "repository/Packages").read_bytes() == b"some"
    (tmp_path / "repository/.material").unlink()
    assert build_repository(tmp_path / "repository", build)
    assert built[0] == built[1]
    assert b"intranet/DEBIAN/postinst" in built[0]
