"""`wavegate report` over a real journal of a project on disk."""

import json

import pytest
from click.testing import CliRunner
from junitparser import JUnitXml

from tests.unit import report_rollouts as rollouts
from wavegate.bootstrap.reading import open_project_journal
from wavegate.commands.report import command
from wavegate.errors import WavegateError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with one rollout that was rolled back."""
    (tmp_path / "ansible.cfg").write_text("[defaults]\n")
    bench = rollouts.rolled_back()
    journal = open_project_journal(tmp_path, create=True)
    at = bench.records[0].at
    journal.create("abc123", bench.plan, "rollouts/patch.yml", at)
    journal.acquire("abc123", at)
    for record in bench.records:
        journal.append("abc123", record.seq - 1, [record.event], record.at)
    journal.release("abc123")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments, env=None):
    return CliRunner().invoke(command, arguments, env=env, catch_exceptions=False)


def test_without_options_it_prints_plain_text_about_the_latest_rollout(project):
    result = run()
    assert "1 host was put back" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.parametrize("arguments", [("abc", "--json"), ("abc123", "--format", "json")])
def test_json_is_an_alias_of_the_json_format(project, arguments):
    data = json.loads(run(*arguments).stdout)
    assert data["rollout"]["id"] == "abc123"
    assert data["rollout"]["status"] == "rolled_back"


def test_junit_and_html_go_to_stdout_without_a_file(project):
    assert JUnitXml.fromstring(run("--format", "junit").stdout.encode()).failures == 2
    assert run("--format", "html").stdout.startswith("<!doctype html>")


def test_output_writes_the_file_and_says_so_beside_the_results(project):
    result = run("--format", "html", "--output", "report.html")
    assert result.stdout == ""
    assert "report.html" in result.stderr
    assert (project / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_file_that_cannot_be_written_is_an_error_with_a_way_out(project):
    with pytest.raises(WavegateError) as caught:
        run("--output", "no/such/folder/report.txt")
    assert caught.value.code == "report-not-written"
    assert "No such file or directory" in caught.value.why


def test_an_unknown_format_is_refused(project):
    result = run("--format", "pdf")
    assert result.exit_code == 2
    assert "text" in result.stderr


def on_a_terminal(monkeypatch, **environment):
    """Return what the command would print with, were stdout a terminal."""
    from wavegate.commands import report

    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    return report._renderer("text", to_terminal=True)(rollouts.facts_of(rollouts.rolled_back()))


def test_a_terminal_gets_color_unless_somebody_asked_for_none(monkeypatch):
    assert "\x1b[" in on_a_terminal(monkeypatch, TERM="xterm")
    assert "\x1b[" not in on_a_terminal(monkeypatch, TERM="xterm", NO_COLOR="1")
    assert "\x1b[" not in on_a_terminal(monkeypatch, TERM="dumb")
