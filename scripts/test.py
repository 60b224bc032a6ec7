"""All tests in one go, each step timed; ends by saying what failed and, loudly, what was not tested.

Usage: test.py [lint | molecule [ROLE...]]. Of the roles, those are played that were touched since they last
passed, and two others in turn; `molecule` plays all or the named ones, and writes down which passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from pathlib import Path
from threading import Lock

from played import choose_roles, digest_scenario, keep_played

from wavegate.errors import WavegateError
from wavegate.lab.requirements import ensure_engine

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CODE = ["cli", "tests", "scripts", "benchmarks", "plugins", "molecule"]


@dataclass(frozen=True)
class Step:
    """One command of the test run."""

    name: str
    command: list[str]
    needs_engine: bool = False
    beside_others: bool = False
    """Whether it runs at the same time as its neighbours that do; what it prints is shown when it is over."""
    env: dict[str, str] = field(default_factory=dict)
    plays: str = ""
    """The role that it tests."""
    keeps: bool = False
    """Whether it is written down that it passed."""


TODAY = datetime.now(tz=UTC).date()
ONE_WRITER = Lock()
AT_ONCE = (os.cpu_count() or 1) + 1
"""Tests on real hosts wait for them for a good part of their time."""

LINT = [
    Step("ruff", ["ruff", "check", *CODE]),
    Step("format", ["ruff", "format", "--check", "cli", "tests", "scripts", "benchmarks"]),
    Step("types", ["mypy"], beside_others=True),
    Step("imports", ["lint-imports"], beside_others=True),
    Step("yamllint", ["yamllint", "--strict", "."], beside_others=True),
    Step(
        "ansible-lint",
        ["ansible-lint", "--offline", "-q", "roles", "playbooks", "molecule"],
        beside_others=True,
    ),
]
UNIT = [
    Step("unit tests", ["pytest", "-q", "-m", "not lab", "-n", "2", "--dist", "loadfile", "--durations=25"])
]
ROLES = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
LAB = [
    Step(
        "tests on the lab",
        ["pytest", "-q", "-m", "lab", "-n", "2", "--dist", "loadfile", "--durations=25"],
        needs_engine=True,  # alone: some of them count the requests that a busy machine loses
    )
]


def scenario(role: str, *, keep: bool = False) -> Step:
    """Return the step that tests a role with molecule, and may keep that it passed."""
    return Step(
        f"molecule: {role}",
        ["molecule", "-c", ".config/molecule/config.yml", "test", "-s", role],
        needs_engine=True,
        beside_others=True,
        env={"MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".cache" / "molecule" / role)},
        plays=role,
        keeps=keep,
    )


def choose(wanted: list[str]) -> list[Step]:
    """Return the steps that the words ask for, all of them where there are none."""
    if wanted[:1] == ["lint"]:
        return LINT
    if wanted[:1] == ["molecule"]:
        return [scenario(role, keep=True) for role in wanted[1:] or ROLES]
    return [*LINT, *UNIT, *LAB, *map(scenario, choose_roles(ROOT, ROLES, TODAY))]


def main() -> int:
    """Run the steps; return 0 only when everything that ran passed (and, in CI, everything ran)."""
    steps = choose(sys.argv[1:])
    missing = find_missing_engine() if any(step.needs_engine for step in steps) else ""
    skipped = [step.name for step in steps if step.needs_engine and missing]
    failed = []
    for beside_others, group in groupby(steps, lambda step: step.beside_others):
        chosen = [step for step in group if step.name not in skipped]
        failed += run_together(chosen) if beside_others else [step.name for step in chosen if not run(step)]
    if not sys.argv[1:] and (rested := sorted(set(ROLES) - {step.plays for step in steps})):
        print(f"\nnot played, as nothing in them changed since they passed: {', '.join(rested)}")
    if skipped:
        print(f"\n{'!' * 78}\nNOT TESTED: {', '.join(skipped)}\n{missing}\n{'!' * 78}")
    if failed:
        print(f"\nFAILED: {', '.join(failed)}")
    passed = len(steps) - len(failed) - len(skipped)
    print(f"\nsteps: {passed} passed, {len(failed)} failed, {len(skipped)} skipped")
    return 1 if failed or (skipped and os.environ.get("CI")) else 0


def find_missing_engine() -> str:
    """Return why no container engine can be had here; "" when there is one. Installs it where it may."""
    try:
        ensure_engine(install=True, say=lambda line: print(f"== {line}", flush=True))
    except WavegateError as error:
        return f"{error.what}\n{error.hint}"
    return ""


def run_together(steps: list[Step]) -> list[str]:
    """Run the steps at the same time, as many as there is room for; return the names of those that failed."""
    names = ", ".join(step.name for step in steps)
    print(f"\n== at the same time: {names}", flush=True)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        passed = list(pool.map(partial(run, captured=True), steps))
    return [step.name for step, well in zip(steps, passed, strict=True) if not well]


def run(step: Step, *, captured: bool = False) -> bool:
    """Run one step in front of the person, or print all of it at its end; return whether it passed."""
    head = f"\n== {step.name}: {' '.join(step.command)}"
    if not captured:
        print(head, flush=True)
    started = time.monotonic()
    content = digest_scenario(ROOT, step.plays) if step.keeps else ""
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **step.env}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if captured else {}
    done = subprocess.run(
        [BIN / step.command[0], *step.command[1:]], cwd=ROOT, env=environment, check=False, **pipes
    )
    told = f"{head}\n{done.stdout.decode(errors='replace')}" if captured else ""
    verdict = "passed" if done.returncode == 0 else f"FAILED ({done.returncode})"
    seconds = time.monotonic() - started
    print(f"{told}== {step.name}: {verdict} in {seconds:.0f} s", flush=True)
    if content and done.returncode == 0 and content == digest_scenario(ROOT, step.plays):
        with ONE_WRITER:
            keep_played(ROOT, step.plays, content, TODAY, seconds)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
