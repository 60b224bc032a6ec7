"""Two people press enter at the same instant, or start different rollouts over the same hosts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_of_two_runs_at_the_same_instant_one_walks_and_the_other_is_refused(tmp_path: Path) -> None:
    wavegate = [sys.executable, "-m", "wavegate"]
    subprocess.run([*wavegate, "init"], cwd=tmp_path, check=True, capture_output=True)
    run = [*wavegate, "run", "rollouts/hello.yml"]
    both = [
        subprocess.Popen(run, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    talks = [process.communicate(timeout=120)[1] for process in both]
    assert sorted(process.returncode for process in both) == [0, 41], talks
    assert any("rollout-locked" in talk for talk in talks)


def test_a_project_that_cannot_keep_anything_is_one_clear_error(tmp_path: Path) -> None:
    wavegate = [sys.executable, "-m", "wavegate"]
    project = tmp_path / "project"
    subprocess.run([*wavegate, "init", str(project)], check=True, capture_output=True)
    (project / ".wavegate").write_text("a file where the folder belongs")
    done = subprocess.run(
        [*wavegate, "run", "rollouts/hello.yml"],
        cwd=project,
        env={**os.environ, "WAVEGATE_JOURNAL": str(tmp_path / "elsewhere" / "journal.db")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 40
    assert done.stderr.startswith("error[material-not-written]")


def test_a_rollout_over_hosts_that_another_one_works_on_is_refused(tmp_path: Path) -> None:
    wavegate = [sys.executable, "-m", "wavegate"]
    subprocess.run([*wavegate, "init"], cwd=tmp_path, check=True, capture_output=True)
    text = (tmp_path / "rollouts/hello.yml").read_text()
    (tmp_path / "rollouts/other.yml").write_text(text.replace("name: hello", "name: other"))
    run = [*wavegate, "run", "rollouts/hello.yml"]
    first = subprocess.Popen(run, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert first.stderr is not None
    first.stderr.readline()  # its first event is durable from here on
    other = [*wavegate, "run", "rollouts/other.yml"]
    second = subprocess.run(other, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    first.communicate(timeout=120)
    assert second.returncode == 41, second.stderr
    assert "on hosts that this one has too: north-1, north-2, pilot-1" in second.stderr
    assert first.returncode == 0
