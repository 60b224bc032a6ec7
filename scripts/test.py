"""All tests in one go, each step timed; ends by saying what failed and, loudly, what was not tested."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

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
    env: dict[str, str] = field(default_factory=dict)


LINT = [
    Step("ruff", ["ruff", "check", *CODE]),
    Step("format", ["ruff", "format", "--check", "cli", "tests", "scripts", "benchmarks"]),
    Step("types", ["mypy"]),
    Step("imports", ["lint-imports"]),
    Step("yamllint", ["yamllint", "--strict", "."]),
    Step("ansible-lint", ["ansible-lint", "--offline", "-q", "roles", "playbooks", "molecule"]),
]
UNIT = [
    Step("unit tests", ["pytest", "-q", "-m", "not lab", "-n", "2", "--dist", "loadfile", "--durations=25"])
]
ROLES = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
REAL = [
    Step(
        "tests on the lab", ["pytest", "-q", "-m", "lab", "-n", "2", "--dist", "loadfile"], needs_engine=True
    ),
    *(
        Step(
            f"molecule: {role}",
            ["molecule", "-c", ".config/molecule/config.yml", "test", "-s", role],
            needs_engine=True,
            env={"MOLECULE_EPHEMERAL_DIRECTORY": str(ROOT / ".cache" / "molecule" / role)},
        )
        for role in ROLES
    ),
]


def main() -> int:
    """Run the steps; return 0 only when everything that ran passed (and, in CI, everything ran)."""
    wanted = sys.argv[1:]
    steps = LINT if wanted == ["lint"] else [*LINT, *UNIT, *REAL]
    missing = "" if steps is LINT else find_missing_engine()
    failed, skipped = [], []
    for step in steps:
        if step.needs_engine and missing:
            skipped.append(step.name)
        elif not run(step):
            failed.append(step.name)
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


def run(step: Step) -> bool:
    """Run one step in front of the person; return whether it passed."""
    print(f"\n== {step.name}: {' '.join(step.command)}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **step.env}
    code = subprocess.run(
        [BIN / step.command[0], *step.command[1:]], cwd=ROOT, env=environment, check=False
    ).returncode
    seconds = time.monotonic() - started
    print(
        f"== {step.name}: {'passed' if code == 0 else f'FAILED ({code})'} in {seconds:.0f} s",
        flush=True,
    )
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
