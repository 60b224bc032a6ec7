from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.unit.rollout_files import SMALLEST
from wavegate.commands import schema, validate

SYNTAX = (
    "worse.yml:1:5: this is not YAML: while parsing a flow node, expected the node content, "
    "but found '<stream end>'"
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yml").write_text(SMALLEST)
    (tmp_path / "bad.yml").write_text(f"{SMALLEST}versoin: 1\nin_flight: 0\n")
    (tmp_path / "worse.yml").write_text("a: [")


def run(*arguments):
    return CliRunner().invoke(validate.command, arguments)


def test_a_good_file_is_ok(files):
    result = run("good.yml")
    assert (result.exit_code, result.output) == (0, "good.yml: ok\n")


def test_all_problems_of_all_files_are_printed_at_once(files):
    result = run("bad.yml", "good.yml", "worse.yml", "missing.yml")
    assert result.exit_code == 40
    assert result.output.splitlines() == [
        "bad.yml:5:1: versoin: unknown key",
        "    did you mean version?",
        "bad.yml:6:1: in_flight: expected a whole number from 1 up; got 0",
        "bad.yml: 2 problems",
        "good.yml: ok",
        SYNTAX,
        "worse.yml: 1 problem",
        "missing.yml: there is no such file",
        "    in that folder: bad.yml, good.yml, worse.yml",
        "missing.yml: 1 problem",
    ]


def test_json_has_every_file_with_its_problems(files):
    result = run("--json", "good.yml", "bad.yml")
    assert result.exit_code == 40
    data = json.loads(result.output)
    assert data["format"] == 1
    assert [(file["file"], file["valid"], len(file["problems"])) for file in data["files"]] == [
        ("good.yml", True, 0),
        ("bad.yml", False, 2),
    ]
    assert data["files"][1]["problems"][0] == {
        "message": "unknown key",
        "file": "bad.yml",
        "line": 5,
        "column": 1,
        "path": "versoin",
        "hint": "did you mean version?",
    }


def test_without_a_file_the_usage_is_shown(files):
    assert run().exit_code == 2


def test_the_schema_is_printed_as_json():
    result = CliRunner().invoke(schema.command)
    assert result.exit_code == 0
    assert json.loads(result.output)["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("command", [validate.command, schema.command])
def test_help_has_an_example(command):
    result = CliRunner().invoke(command, ["--help"])
    assert f"Example:\n    wavegate {command.name}" in result.output
