"""molecule passes over a missing playbook or test folder without failing: nothing may be missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SCENARIOS = sorted(path.parent for path in (ROOT / "molecule").glob("*/molecule.yml"))
BASE = ROOT / ".config" / "molecule" / "config.yml"
# From a virgin host there, through an interruption, on, and back; then the evidence for gates.
WANTED = (
    "destroy",
    "syntax",
    "create",
    "prepare",
    "check",
    "verify tests/untouched",
    "converge",
    "idempotence",
    "verify tests/installed",
    "side_effect interrupted.yml",
    "converge",
    "verify tests/installed",
    "side_effect patch.yml",
    "verify tests/patched",
    "side_effect rollback.yml",
    "verify tests/rolled_back",
    "side_effect ../shared/evidence.yml",
    "destroy",
)


def sequence_of(scenario: Path) -> list[list[str]]:
    content: dict[str, Any] = yaml.safe_load((scenario / "molecule.yml").read_text())
    return [step.split() for step in content["scenario"]["test_sequence"]]


def by_name(scenario: Path) -> str:
    return scenario.name


def is_in_order(wanted: tuple[str, ...], steps: list[str]) -> bool:
    remaining = iter(steps)
    return all(step in remaining for step in wanted)


def test_every_role_has_a_scenario() -> None:
    roles = {path.parent.name for path in (ROOT / "roles").glob("*/tasks")} - {"common"}
    assert {scenario.name for scenario in SCENARIOS} == roles


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_a_scenario_goes_all_the_way_from_a_virgin_host_to_the_old_version(scenario: Path) -> None:
    assert is_in_order(WANTED, [" ".join(step) for step in sequence_of(scenario)])


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_a_scenario_is_played_on_both_releases(scenario: Path) -> None:
    platforms = yaml.safe_load((scenario / "molecule.yml").read_text())["platforms"]
    assert {platform["suite"] for platform in platforms} == {"bookworm", "trixie"}


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_every_folder_of_tests_is_there_and_is_used(scenario: Path) -> None:
    named = {step[1] for step in sequence_of(scenario) if step[0] == "verify"}
    there = {str(path.parent.relative_to(scenario)) for path in scenario.glob("tests/*/test_*.py")}
    assert named == there
    assert named


@pytest.mark.parametrize("scenario", SCENARIOS, ids=by_name)
def test_every_playbook_of_a_side_effect_is_there(scenario: Path) -> None:
    base = yaml.safe_load(BASE.read_text())["provisioner"]["playbooks"]["side_effect"]
    named = {step[1] for step in sequence_of(scenario) if step[0] == "side_effect"}
    assert all((scenario / playbook).is_file() for playbook in {base, *named})


def test_a_run_over_zero_hosts_fails() -> None:
    text = (ROOT / "molecule" / "conftest.py").read_text()
    assert 'get_hosts("all")) > 0' in text
