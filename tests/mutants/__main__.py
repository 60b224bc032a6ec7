"""Break roles on purpose, run their scenarios, and say how many mutants were killed.

Usage: python -m tests.mutants [ROLE...]. Two scenarios run at a time. Ends with 1 when a mutant survived.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.catalogue import ROOT, Mutant, read_mutants

BIN = Path(sys.executable).parent
CONTENT = (".config", "cli", "molecule", "playbooks", "plugins", "roles", "ansible.cfg")
# What fails here says nothing about the role.
OUR_OWN = {"", "create", "prepare", "destroy"}
STEP = re.compile(r"➜ (?P<step>\w+): Executed: (?P<how>\w+)")
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Outcome:
    """How one mutant fared."""

    mutant: Mutant
    step: str
    """The step that failed, "" where none did."""
    seconds: float
    output: str

    @property
    def killed(self) -> bool:
        """Whether the scenario noticed, in a step that looks at the role."""
        return self.step not in OUR_OWN


def main() -> int:
    """Run the mutants; return 0 when all were killed."""
    mutants = read_mutants(sys.argv[1:])
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        outcomes = []
        for outcome in pool.map(try_mutant, mutants):
            outcomes.append(outcome)
            print(describe(outcome), flush=True)
    survivors = [outcome for outcome in outcomes if not outcome.killed]
    for outcome in survivors:
        print(f"\n== {outcome.mutant.role}: {outcome.mutant.name}\n{outcome.output[-4000:]}")
    print(f"\nmutants: {len(outcomes) - len(survivors)} of {len(outcomes)} killed")
    return 1 if survivors or not outcomes else 0


def describe(outcome: Outcome) -> str:
    """Return one line."""
    verdict = f"killed by {outcome.step}" if outcome.killed else f"SURVIVED {outcome.step}".rstrip()
    expected = (
        ""
        if outcome.step == outcome.mutant.caught_by.split()[0]
        else f", {outcome.mutant.caught_by} expected"
    )
    return f"{outcome.mutant.role:12} {outcome.mutant.name:60} {verdict}{expected} ({outcome.seconds:.0f} s)"


def try_mutant(mutant: Mutant) -> Outcome:
    """Run the scenario on a copy of the content in which the role is broken."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wavegate-mutant-") as name:
        folder = Path(name)
        copy_content(folder)
        break_role(folder, mutant)
        output = run_scenario(folder, mutant.role)
    return Outcome(mutant, failed_step(output), time.monotonic() - started, output)


def copy_content(folder: Path) -> None:
    """Copy what a scenario needs."""
    for name in CONTENT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / name)


def break_role(folder: Path, mutant: Mutant) -> None:
    """Apply the mutation; ValueError where its text is not there exactly once."""
    file = folder / mutant.file
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.name}: {mutant.old!r} is {text.count(mutant.old)} times in {mutant.file}")
    file.write_text(text.replace(mutant.old, mutant.new))


def run_scenario(folder: Path, role: str) -> str:
    """Return what molecule said, without colours; hosts are gone afterwards."""
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(folder / ".cache" / "molecule" / role),
    }
    command = [str(BIN / "molecule"), "-c", ".config/molecule/config.yml"]
    done = subprocess.run(
        [*command, "test", "-s", role],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return COLOUR.sub("", done.stdout.decode(errors="replace"))


def failed_step(output: str) -> str:
    """Return the first step that failed, "" where none did."""
    failed = [found["step"] for found in STEP.finditer(output) if found["how"] == "Failed"]
    return failed[0] if failed else ""


if __name__ == "__main__":
    sys.exit(main())
