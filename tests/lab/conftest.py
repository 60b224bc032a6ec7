"""One lab for the whole session, in a scratch copy of the project, driven through the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from wavegate.errors import WavegateError
from wavegate.lab.engine import detect_engine

ROOT = Path(__file__).parents[2]
CONTENT = ("ansible.cfg", "roles", "playbooks", "plugins", "rollouts")
CLOSED = {"completed", "rolled_back", "aborted"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without an engine these tests cannot run: said by name, and an error where CI promises one."""
    try:
        detect_engine()
    except WavegateError as error:
        if os.environ.get("CI"):
            raise pytest.UsageError(f"no lab in CI: {error.what}") from error
        for item in items:
            if item.get_closest_marker("lab"):
                item.add_marker(pytest.mark.skip(reason=error.what))


@dataclass(frozen=True)
class Project:
    """A project with a lab; commands run as a person would call them."""

    root: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "wavegate", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.root, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
        )

    def call(self, *arguments: str, code: int | None = 0, timeout: float = 280) -> str:
        """Return stdout and stderr of the command, which must end with `code` (None: whatever it is)."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=timeout)
        assert code is None or process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        return out + err

    def read(self, *arguments: str) -> Any:
        return json.loads(
            subprocess.run(
                [sys.executable, "-m", "wavegate", *arguments, "--json"],
                cwd=self.root,
                check=True,
                stdout=subprocess.PIPE,
                timeout=120,
            ).stdout
        )

    def health(self, host: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self.address(host)}:8080/healthz", timeout=5) as answer:
            return dict(json.load(answer))

    def address(self, host: str) -> str:
        hosts = self.read("lab", "status")["hosts"]
        return str(next(entry["address"] for entry in hosts if entry["name"] == host))

    def write(self, path: str, data: Any) -> str:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        return path

    def events(self, name: str, kind: str) -> list[dict[str, Any]]:
        """Return events of the latest rollout, if it is called `name`: none before it was started."""
        if not (self.root / ".wavegate" / "journal.db").exists():
            return []
        try:
            newest = self.read("history")["rollouts"][:1]
        except subprocess.CalledProcessError:  # the file is there, and its tables are being made
            return []
        if not newest or newest[0]["name"] != name:
            return []
        return [event for event in self.read("events", newest[0]["id"])["events"] if event["kind"] == kind]


def wait_for(question: Callable[[], object], seconds: float = 90) -> None:
    """Wait until the answer is true; fail when it never is."""
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, f"did not happen within {seconds} s"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def balanced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A lab of its own, with a balancer; see tests.lab.balanced."""
    from tests.lab import balanced

    with balanced.bring_up_balanced(tmp_path_factory.mktemp("balanced")) as fleet:
        yield fleet


@pytest.fixture
def at_1_0(balanced: Any) -> Iterator[Any]:
    """The lab with a balancer: both hosts behind it at 1.0, the repository has 1.0 and 1.1."""
    balanced.publish("before")
    if balanced.versions() != ("1.0", "1.0"):
        balanced.put_back()
    yield balanced
    balanced.publish("before")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("fleet")
    for name in CONTENT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    project = Project(root)
    try:
        project.call("lab", "up")
        yield project
    finally:
        project.call("lab", "down", code=None)


@pytest.fixture(autouse=True)
def nothing_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """A rollout that a failed test left open would hold its hosts and fail every test after it."""
    yield
    names = {"project", "balanced"}.intersection(request.fixturenames)
    for name in names:
        found = request.getfixturevalue(name)
        project = getattr(found, "project", found)
        if isinstance(project, Project):  # the wheel's tests have a project of their own kind
            close_all(project)


def close_all(project: Project) -> None:
    if not (project.root / ".wavegate" / "journal.db").exists():
        return
    for rollout in project.read("history")["rollouts"]:
        if rollout["status"] not in CLOSED:
            project.call("halt", rollout["id"], "--now", code=None)
            project.call("abort", rollout["id"], "--reason", "its test is over", code=None)
