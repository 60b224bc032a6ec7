"""docs/json.md lists the keys that the verbs print with --json: all of them, and no other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from wavegate.core import events as ev
from wavegate.core.codec import kind_of
from wavegate.errors import ExitCode
from wavegate.main import cli, main
from wavegate.reports.voting import Asked

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")

PROJECT = {
    "ansible.cfg": "[defaults]\ninventory = hosts.ini\n",
    "hosts.ini": 'here ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n',
    "play.yml": "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.command: 'true'\n",
    "good.yml": """\
name: good
playbook: play.yml
probes:
  up: {command: {argv: ["true"]}}
gates:
  healthy: {probes: [up], interval: 1s}
  go-on: {approval: {}}
waves:
  - {name: all, hosts: all, after: healthy}
""",
    "bad.yml": "nam: bad\n",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project in which one rollout was walked."""
    root = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (root / name).write_text(text)
    with chdir(root):
        assert CliRunner().invoke(cli, ["run", "good.yml"], standalone_mode=False).return_value == 0
        yield root


def ask(*arguments: str) -> Any:
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    return json.loads(result.stdout)


def section(title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def keys_of_table(text: str, after: str = "") -> list[str]:
    """Return the first column of the first table behind the line `after`."""
    lines = text[text.index(after) :].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    table = lines[start + 1 :]
    end = next((number for number, line in enumerate(table) if not line.startswith("|")), len(table))
    return [line.split("`")[1] for line in table[:end]]


VERBS = {
    "plan": (["plan", "good.yml"], "waves"),
    "simulate": (["simulate", "good.yml", "--runs", "2"], "waves"),
    "status": (["status"], "waves"),
    "votes": (["votes"], ""),
    "history": (["history"], "rollouts"),
    "events": (["events"], ""),
    "audit verify": (["audit", "verify"], "rollouts"),
    "audit export": (["audit", "export"], ""),
    "lock show": (["lock", "show", "LATEST"], "leases"),
    "probe": (["probe", "good.yml"], ""),
    "validate": (["validate", "good.yml"], ""),
    "doctor": (["doctor"], "findings"),
    "lab status": (["lab", "status"], ""),
    "report": (["report"], ""),
}


@pytest.mark.parametrize("verb", VERBS)
def test_the_page_lists_the_keys_that_a_verb_prints(project: Path, verb: str) -> None:
    arguments, inner = VERBS[verb]
    latest = ask("history")["rollouts"][0]["id"]
    data = ask(*(latest if word == "LATEST" else word for word in arguments))
    assert data["format"] == 1
    assert sorted(keys_of_table(section(verb))) == sorted(data)
    if inner:
        assert keys_of_table(section(verb), f"Each of `{inner}`:") == list(data[inner][0])


def test_the_page_lists_what_a_gate_asks() -> None:
    listed = keys_of_table(section("votes"), "Each of `gates`:")
    assert listed == list(Asked.__struct_fields__)


def test_the_page_lists_every_kind_of_event_with_its_keys(project: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", section("events"), re.MULTILINE)
    listed = {kind: re.findall(r"`(\w+)`", keys) for kind, keys in rows}
    assert listed == {kind_of(kind): list(kind.__struct_fields__) for kind in ev.Event.__args__}
    for event in ask("events")["events"]:
        left_out = {"untouched", "intervals"} - event.keys()
        keys = [key for key in listed[event["kind"]] if key not in left_out]
        assert list(event) == ["seq", "at", "kind", *keys]


def test_the_page_lists_what_a_measurement_and_a_problem_say(project: Path) -> None:
    (probe,) = ask("probe", "good.yml")["probes"]
    assert list(probe) == ["probe", "measurements"]
    assert keys_of_table(section("probe"), "Each of `measurements`:") == list(probe["measurements"][0])
    (file,) = ask("validate", "bad.yml")["files"]
    assert list(file) == ["file", "valid", "problems"]
    assert keys_of_table(section("Errors"), "Each of `problems`:") == list(file["problems"][0])


@pytest.mark.parametrize(
    ("arguments", "more"), [(["plan", "bad.yml"], ["problems"]), (["status", "nowhere"], [])]
)
def test_an_error_is_json_where_json_was_asked_for(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    more: list[str],
) -> None:
    monkeypatch.setattr("sys.argv", ["wavegate", *arguments, "--json"])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.err) == (ExitCode.INPUT, "")
    error = json.loads(said.out)["error"]
    listed = keys_of_table(section("Errors"))
    assert list(error) == [key for key in listed if key != "problems"] + more
