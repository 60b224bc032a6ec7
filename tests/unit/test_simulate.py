"""`wavegate simulate`: numbers that can be worked out by hand, equal for equal seeds, and its manners."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from contextlib import chdir
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from tests.unit.scratch import clean_environment
from tests.world import make_fleet, plan_of, wave
from wavegate.bootstrap import walkers
from wavegate.commands import simulate as command
from wavegate.core.outcomes import Status
from wavegate.core.plan import Plan
from wavegate.core.spec import Sampling
from wavegate.errors import ExitCode
from wavegate.main import cli, main
from wavegate.simulation.change import parse_change
from wavegate.simulation.study import Study, Trial, runs_of, study
from wavegate.simulation.telling import quantile, summarise, tell

PROJECT = {
    "ansible.cfg": "[defaults]\ninventory = hosts.ini\n",
    "hosts.ini": "[pilot]\np[1:2]\n[rest]\nr[1:8]\n",
    "play.yml": "- hosts: all\n  gather_facts: false\n  tasks: []\n",
    "x.yml": """\
name: x
playbook: play.yml
probes:
  up: {command: {argv: ["true"]}}
gates:
  healthy: {probes: [up], interval: 30s, soak: 15m}
waves:
  - {name: pilot, hosts: pilot, after: healthy}
  - {name: rest, hosts: rest, batch: 50%, after: healthy}
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (root / name).write_text(text)
    return root


def call(project: Path, *words: str) -> Result:
    with chdir(project):
        return CliRunner().invoke(cli, ["simulate", "x.yml", *words], catch_exceptions=False)


def ask(project: Path, *words: str) -> Any:
    return json.loads(call(project, *words, "--json").stdout)


def fleet_of(soak: float, *, interval: float = 30.0, batch: list[Any] | None = None) -> Plan:
    """Return a plan of 2, 20 and 40 hosts, with a gate after each wave."""
    waves = (
        wave("pilot", batch=batch or ["100%"], after="healthy"),
        wave("office", batch=["50%"], after="healthy"),
        wave("site", batch=["25%"], after="healthy"),
    )
    plan = plan_of(make_fleet(pilot=2, office=20, site=40), *waves)
    gate = plan.gates["healthy"]
    use = replace(gate.probes[0], sampling=Sampling(interval=interval))
    return replace(plan, gates={"healthy": replace(gate, probes=(use,), soak=soak)})


def try_out(plan: Plan, change: str, runs: int = 5) -> Study:
    return study(Trial(plan, parse_change(change), 1, 60.0), runs)


def reached(found: Study) -> set[int]:
    return {walk.total for walk in found.bad}


def test_a_soak_longer_than_the_latency_stops_a_bad_change_after_exactly_the_pilot() -> None:
    found = try_out(fleet_of(soak=900), "breaks 100% after 10m")
    assert reached(found) == {2}
    assert {(walk.stopped_in, walk.stopped_by, walk.status) for walk in found.bad} == {
        ("pilot", "gate", Status.HALTED)
    }
    for walk in found.bad:  # hosts take about a minute; the first sweep that can see it comes within 30 s
        assert 600 < walk.seconds < 600 + 150 + 31
    assert "is stopped after pilot: 2 of 62 hosts have it (95th percentile 2)" in tell(found)


def test_a_soak_shorter_than_the_latency_lets_it_through_to_everybody() -> None:
    found = try_out(fleet_of(soak=300), "breaks 100% after 30m")
    assert reached(found) == {62}
    assert {walk.status for walk in found.bad} == {Status.COMPLETED}
    assert "is not stopped: 62 of 62 hosts have it" in tell(found)


def test_a_change_that_fails_everywhere_reaches_as_many_hosts_as_the_first_batch_has() -> None:
    found = try_out(fleet_of(soak=300, batch=[1]), "fails 100%")
    assert reached(found) == {1}
    assert {walk.stopped_by for walk in found.bad} == {"failure budget"}
    assert {walk.harmed for walk in found.bad} == {1}


def test_a_change_that_hangs_ends_when_the_batch_times_out() -> None:
    plan = replace(fleet_of(soak=300), batch_timeout=1800.0)
    assert {walk.seconds for walk in try_out(plan, "hangs 100%").bad} == {1800.0}


def test_a_change_that_breaks_nothing_is_as_good_as_a_good_one() -> None:
    found = try_out(fleet_of(soak=60), "breaks 0%")
    for walk in (*found.good, *found.bad):
        assert (walk.status, walk.total, walk.harmed) == (Status.COMPLETED, 62, 0)


def test_how_long_a_good_change_takes_is_batches_and_soaks_one_after_the_other() -> None:
    found = try_out(fleet_of(soak=600), "breaks 0%", runs=20)
    for walk in found.good:
        # 1 + 2 + 4 batches, each as long as its slowest host: 1 to 3 minutes; 3 soaks
        assert 7 * 60 < walk.seconds - 3 * 600 < 7 * 180
        assert 0 == walk.began["pilot"] < walk.began["office"] < walk.began["site"] < walk.seconds


def test_hosts_that_were_put_back_were_harmed_all_the_same() -> None:
    waves = (wave("pilot", after="healthy"), wave("rest", after="healthy"))
    plan = plan_of(make_fleet(pilot=4, rest=9), *waves, rollback=True)
    found = try_out(plan, "breaks 100% at once")
    assert {(walk.status, walk.total, walk.harmed) for walk in found.bad} == {(Status.ROLLED_BACK, 4, 4)}


def test_the_share_of_rollouts_that_break_no_host_of_the_pilot_is_what_chance_says() -> None:
    plan = fleet_of(soak=300)
    found = study(Trial(plan, parse_change("breaks 30% at once"), 7, 60.0), 400)
    passed = sum(walk.stopped_in != "pilot" for walk in found.bad) / 400
    assert passed == pytest.approx(0.7**2, abs=0.1)  # four standard deviations
    assert "stopped" in tell(found)


def test_the_same_seed_is_the_same_answer_in_any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial(fleet_of(soak=300), parse_change("breaks 30% at once, fails 1%"), 1, 60.0)
    here = study(trial, 6)
    monkeypatch.setattr(walkers, "WORTH_PROCESSES", 0)
    assert study(trial, 6, walker=walkers.walk_on_all_cores) == here
    assert study(replace(trial, seed=2), 6) != replace(here, seed=2)


def test_the_more_hosts_the_fewer_rollouts_unless_a_number_was_asked_for() -> None:
    plans = [plan_of(make_fleet(all=hosts), wave("all")) for hosts in (10, 20_000)]
    assert [runs_of(plan) for plan in plans] == [200, 50]
    assert len(try_out(plans[0], "fails 5%", runs=3).bad) == 3


@pytest.mark.parametrize(
    ("values", "median", "high"),
    [([], 0, 0), ([7], 7, 7), ([1, 2, 3, 4], 2, 4), (list(range(1, 101)), 50, 95)],
)
def test_quantiles_are_values_that_were_seen(values: list[int], median: int, high: int) -> None:
    assert (quantile(values, 0.5), quantile(values, 0.95)) == (median, high)


def test_a_summary_adds_up() -> None:
    found = try_out(fleet_of(soak=300), "breaks 30% at once", runs=50)
    told = summarise(found, 62)
    ends = Counter(str(walk.status) for walk in found.bad)
    assert told["bad"]["ends"] == ends
    assert sum(wave["stopped"] for wave in told["waves"]) == pytest.approx(told["bad"]["stopped"])
    assert [wave["hosts"] for wave in told["waves"]] == [2, 20, 40]
    assert told["bad"]["reached"]["max"] == max(reached(found))


def test_the_command_tells_the_same_for_the_same_seed(project: Path) -> None:
    words = ("--hosts", "300", "--bad-change", "breaks 30% after 20m", "--seed", "5", "--runs", "7")
    first, second, other = ask(project, *words), ask(project, *words), ask(project, *words, "--seed", "6")
    assert first == second != other
    assert (first["hosts"], first["real_hosts"], first["seed"]) == (300, 10, 5)
    assert [wave["hosts"] for wave in first["waves"]] == [60, 240]
    assert first["bad"]["walks"] == first["good"]["walks"] == 7


def test_the_command_prints_plain_lines_where_there_is_no_terminal(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SECONDS_BETWEEN_LINES", 0.0)
    monkeypatch.setenv("COLUMNS", "200")
    said = call(project, "--runs", "2", "--bad-change", "breaks 100% after 10m")
    assert said.stderr.splitlines() == [
        f"a {kind} change: {done} of 2 rollouts simulated"
        for kind, done in (("good", 0), ("good", 1), ("good", 2), ("bad", 1), ("bad", 2))
    ]
    lines = said.stdout.splitlines()
    assert lines[0] == "x: 10 hosts, seed 1"
    assert lines[1].startswith("a good change takes ")
    assert "after 10 min 00 s is stopped after pilot: 2 of 10 hosts have it" in lines[2]
    assert lines[4].split()[:2] == ["pilot", "2"]
    assert "\x1b" not in said.output


def test_no_color_means_no_color_on_a_terminal_too(project: Path) -> None:
    words = [sys.executable, "-m", "wavegate", "simulate", "x.yml", "--runs", "1"]
    environment = clean_environment(NO_COLOR="1", FORCE_COLOR="1", TERM="xterm")
    done = subprocess.run(words, cwd=project, env=environment, capture_output=True, text=True, check=True)
    assert not any(f"\x1b[{number}" in done.stdout for number in (3, 4, 9))


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--bad-change", "breks 5%"], 40, "error[bad-change-unclear]: nobody can tell"),
        (["--bad-change", "breks 5%"], 40, "did you mean 'breaks'?"),
        (["--hosts", "1"], 40, "error[too-few-hosts]: 1 hosts are too few for 2 waves"),
        (["--runs", "0"], 2, "0 is not in the range"),
        (["--host-seconds", "x"], 2, "'x' is not a valid float"),
        (["--seed", "x"], 2, "'x' is not a valid integer"),
    ],
)
def test_bad_input_is_one_clear_error(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    says: str,
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "argv", ["wavegate", "simulate", "x.yml", *words])
    with pytest.raises(SystemExit) as left:
        main()
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (code, "")
    assert says in said.err


def test_a_change_that_is_unclear_is_told_before_ansible_is_asked(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["simulate", str(tmp_path / "nowhere.yml"), "--bad-change", "x"])
    assert getattr(done.exception, "code", "") == "bad-change-unclear"


def test_ctrl_c_ends_the_processes_that_walk(project: Path) -> None:
    words = ["simulate", "x.yml", "--hosts", "5000", "--runs", "100000"]
    walking = subprocess.Popen(
        [sys.executable, "-m", "wavegate", *words],
        cwd=project,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with walking:
        assert walking.stderr
        line = next(line for line in walking.stderr if ": 0 of " not in line)  # walks have arrived
        inside = psutil.Process(walking.pid).children(recursive=True)
        psutil.Process(walking.pid).send_signal(signal.SIGINT)
        out, err = walking.communicate(timeout=60)
    assert "of 100000 rollouts simulated" in line
    assert len(inside) >= min(2, psutil.cpu_count() or 1)
    assert (walking.returncode, out) == (ExitCode.INTERRUPTED, "")
    assert err.splitlines()[-1] == "wavegate: interrupted"
    assert "Traceback" not in err
    assert psutil.wait_procs(inside, timeout=30)[1] == []
