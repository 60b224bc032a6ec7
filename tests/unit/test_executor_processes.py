"""Ending a batch's processes takes nothing from those who started them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from wavegate.adapters.executor.environment import MARKER
from wavegate.adapters.executor.processes import end_processes, find_processes, wait_for_processes

SLEEPS = "import time; print('ready', flush=True); time.sleep(1000)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"


@pytest.fixture
def start():
    started = []

    def begin(script, marker):
        child = subprocess.Popen(
            [sys.executable, "-c", script], env={**os.environ, MARKER: marker}, stdout=subprocess.PIPE
        )
        started.append(child)
        assert child.stdout.readline() == b"ready\n"
        return child

    yield begin
    for child in started:
        child.kill()
        child.wait()
        child.stdout.close()


@pytest.mark.parametrize(("script", "last"), [(SLEEPS, signal.SIGTERM), (STUBBORN, signal.SIGKILL)])
def test_a_child_that_was_ended_keeps_its_exit_code_for_its_parent(start, script, last):
    child, other = start(script, "probe-test/a"), start(SLEEPS, "probe-test/b")
    end_processes("probe-test/a", grace=0.5)
    assert find_processes("probe-test/a") == []
    assert child.wait(5) == -last
    assert other.poll() is None


def test_a_wait_for_processes_that_do_not_end_is_over_in_time(start):
    child = start(SLEEPS, "probe-test/c")
    wait_for_processes("probe-test/c", 0.3)
    assert child.poll() is None
