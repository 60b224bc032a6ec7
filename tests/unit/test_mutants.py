"""The ways to break a role must still be ways to break it: one that changes nothing would always survive."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.mutants.__main__ import Outcome, break_role, describe, failed_step
from tests.mutants.catalogue import ROOT, Mutant, read_mutants

MUTANTS = read_mutants()
LEAST = 20


def by_name(mutant: Mutant) -> str:
    return f"{mutant.role}: {mutant.name}"


def sequence_of(role: str) -> list[str]:
    content = yaml.safe_load((ROOT / "molecule" / role / "molecule.yml").read_text())
    return list(content["scenario"]["test_sequence"])


def test_there_are_enough_and_every_role_has_some() -> None:
    roles = {path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml")}
    assert len(MUTANTS) >= LEAST
    assert {mutant.role for mutant in MUTANTS} == roles


@pytest.mark.parametrize("mutant", MUTANTS, ids=by_name)
def test_each_changes_one_place_of_what_its_scenario_plays(mutant: Mutant) -> None:
    assert mutant.file.startswith((f"roles/{mutant.role}/", "roles/common/", "plugins/"))
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert mutant.old != mutant.new
    assert mutant.caught_by in sequence_of(mutant.role)


def test_breaking_a_role_touches_the_copy_alone(tmp_path: Path) -> None:
    (tmp_path / "roles").mkdir()
    (tmp_path / "roles" / "x.yml").write_text("enabled: true\n")
    break_role(tmp_path, Mutant("x", "n", "roles/x.yml", "true", "false", "converge"))
    assert (tmp_path / "roles" / "x.yml").read_text() == "enabled: false\n"
    with pytest.raises(ValueError, match="0 times"):
        break_role(tmp_path, Mutant("x", "n", "roles/x.yml", "true", "false", "converge"))


@pytest.mark.parametrize(
    ("output", "step", "killed"),
    [
        (
            "x ➜ create: Executed: Successful\nx ➜ verify: Executed: Failed\nx ➜ verify: Executed: Failed",
            "verify",
            True,
        ),
        ("x ➜ create: Executed: Failed (Ansible return code was 2)", "create", False),
        ("x ➜ verify: Executed: Successful", "", False),
        ("molecule could not be started", "", False),
    ],
)
def test_only_a_step_that_looks_at_the_role_kills(output: str, step: str, killed: bool) -> None:
    outcome = Outcome(
        Mutant("x", "broken", "f", "o", "n", "verify tests/installed"), failed_step(output), 1.0, output
    )
    assert (outcome.step, outcome.killed) == (step, killed)
    assert ("SURVIVED" in describe(outcome)) is not killed
