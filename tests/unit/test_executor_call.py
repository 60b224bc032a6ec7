"""What batches and host probes have in common: how ansible-playbook is called."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.executor_world import World
from wavegate.adapters.executor.call import AnsibleCall
from wavegate.adapters.executor.launch import BatchFolder


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "our project, of 12:30")
    world.inventory({"a": {}})
    return world


@pytest.fixture
def call(world: World, tmp_path: Path) -> AnsibleCall:
    runtime = tmp_path / "wg"
    runtime.mkdir(mode=0o700)
    launch = world.launch()
    folder = BatchFolder.of(launch, "pilot.1")
    made = AnsibleCall(launch=launch, folder=folder, runtime=runtime, name="pilot.1", hosts=("a", "!b"))
    made.prepare("[]", {"colour": "red"})
    return made


def make_runner(call: AnsibleCall):
    return call.make_runner(lambda event: False, forks=2)


def test_ansible_runner_takes_the_settings_that_it_was_given(call: AnsibleCall) -> None:
    config = make_runner(call).config
    assert (config.pexpect_timeout, config.suppress_output_file) == (0.5, True)


def test_no_fact_cache_of_its_own_comes_in_the_place_of_the_users(call: AnsibleCall) -> None:
    assert [name for name in make_runner(call).config.env if name.startswith("ANSIBLE_CACHE")] == []


def test_the_limit_file_lies_where_ansible_reads_its_path_as_one(call: AnsibleCall) -> None:
    command = make_runner(call).config.command
    limit = command[command.index("--limit") + 1] if isinstance(command, list) else shlex.split(command)
    assert limit == f"@{call.runtime}/{call.token}.hosts"
    assert Path(limit.removeprefix("@")).read_text() == "a\n~!b\\Z\n"


def test_files_are_for_their_owner_alone_and_gone_at_the_end(call: AnsibleCall) -> None:
    make_runner(call)
    written = (*call.folder.private.rglob("*"), *call.runtime.iterdir())
    assert [path for path in written if path.is_file() and path.stat().st_mode & 0o077] == []
    assert call.folder.private.stat().st_mode & 0o077 == 0
    call.remove_files()
    assert not call.folder.private.exists()
    assert list(call.runtime.iterdir()) == []


def test_what_is_set_for_one_call_wins_and_ansible_runners_callbacks_stay(call: AnsibleCall) -> None:
    more = {"ANSIBLE_CALLBACK_PLUGINS": "/ours", "ANSIBLE_LIBRARY": "/modules"}
    env = call.make_runner(lambda event: False, forks=1, more=more).config.env
    first, second = env["ANSIBLE_CALLBACK_PLUGINS"].split(":")
    assert (first, env["ANSIBLE_LIBRARY"]) == ("/ours", "/modules")
    assert Path(second, "awx_display.py").is_file()


TWO_FIRST_BATCHES = """
import importlib.metadata, sys, threading

from wavegate.adapters.executor.call import AnsibleCall

nearly_there, seen, real = threading.Event(), threading.Event(), importlib.metadata.entry_points

def slow(**what):
    if what.get("group") == "ansible_runner.plugins":
        nearly_there.set()
        seen.wait(0.5)
    return real(**what)

def watch(frame, event, argument):
    if frame.f_code.co_name == "init_runner":
        print(type(sys.modules["ansible_runner"].plugins).__name__)
        seen.set()
        raise SystemExit

def second():
    sys.setprofile(watch)
    AnsibleCall.make_runner(Anything(), None, 1)

class Anything:
    def __getattr__(self, name): return self
    def __call__(self, *_): return self
    def __iter__(self): return iter(())
    def __str__(self): return "/"

importlib.metadata.entry_points = slow
importer = threading.Thread(target=__import__, args=("ansible_runner",))
importer.start()
assert nearly_there.wait(30)
second()
"""


def test_a_second_batch_waits_until_the_first_has_loaded_ansible_runner() -> None:
    told = subprocess.run(
        [sys.executable, "-c", TWO_FIRST_BATCHES], capture_output=True, text=True, timeout=60, check=False
    )
    assert told.stdout == "dict\n", told.stderr
