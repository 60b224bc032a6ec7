"""The kinds `ansible`, `playbook` and `testinfra` with real Ansible and pytest on local connections."""

from __future__ import annotations

import os
import queue
import stat
import sys
import threading
import time
import xml.etree.ElementTree as ET

import psutil
import pytest
import yaml

from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.probes import settling, suite_runs
from wavegate.adapters.probes.ansible import build_playbook, judge_answer, read_result
from wavegate.adapters.probes.ansible_task import AnsibleTaskRunner, TaskQuestion
from wavegate.adapters.probes.inside.suite_plugin import needs_ansible
from wavegate.adapters.probes.playbook_runs import AnsiblePlaybookRunner, PlaybookQuestion
from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.adapters.probes.suite_runs import PytestSuiteRunner, SuiteQuestion
from wavegate.core.evidence import Ending
from wavegate.core.judgement_playbook import judge_finished
from wavegate.core.judgement_suite import judge_suite
from wavegate.core.outcomes import Outcome, Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR
HANGING = ["sleep", "977"]
SECRET = 'top<&>"secret'
HOSTS = {
    "web1": {"service": "up"},
    "web2": {"service": "down"},
    "odd-na*e": {"service": "up"},
    "crashes": {},
    "huge": {},
    "gone": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
}
MODULE = """
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"how": {"type": "str"}, "text": {"type": "raw"}}, supports_check_mode=True)
if module.params["how"] == "crash":
    raise RuntimeError("it fell over")
if module.params["how"] == "fail":
    module.fail_json(msg="it says no", lag=7)
if module.params["how"] == "huge":
    module.exit_json(text="x" * 100000)
module.exit_json(changed=False, text=module.params["text"], lag=1, check=module.check_mode)
"""
PLAYBOOK = """
- hosts: web*:gone
  gather_facts: false
  tasks:
    - name: Reach it
      ansible.builtin.ping:
    - name: Look at the service
      ansible.builtin.assert: {that: "service == wanted", fail_msg: 'it is {{ service }}, my password is @'}
- hosts: web1
  gather_facts: false
  tasks:
    - name: Take it out
      wavegate_obligation: {key: drained, undo: playbooks/smoke.yml}
      ignore_errors: true
      register: refused
    - name: See that a probe may not
      ansible.builtin.assert: {that: "'takes nothing out' in refused.msg"}
""".replace("@", SECRET)
HANGS = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Hang
      ansible.builtin.command: {argv: [sleep, "{{ 0.1 if service == 'up' else 977 }}"]}
      changed_when: false
"""
SUITE = f"""
import pytest

def test_service(host):
    assert host.backend.host != "web2", {SECRET!r}

@pytest.mark.parametrize("number", [1, 2])
def test_number(host, number):
    assert host.run("echo %s", str(number)).stdout == f"{{number}}\\n"

def test_not_now(host):
    if host.backend.host == "web2":
        pytest.skip("later")
"""
ONLY_ONE = """
testinfra_hosts = ["ansible://web1"]

def test_only_here(host):
    assert host.file("/").is_directory
"""
SLOW = """
def test_slow(host):
    if host.backend.host == "web2":
        host.run("sleep 977")
    assert True
"""


@pytest.fixture(scope="module")
def launch(tmp_path_factory):
    project = tmp_path_factory.mktemp("our project")
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"hosts": HOSTS, "vars": local}}
    texts = {
        "hosts.yml": yaml.safe_dump(inventory),
        "ansible.cfg": "[defaults]\ninventory = hosts.yml\nlibrary = library\n",
        "library/answers.py": MODULE,
        "playbooks/smoke.yml": PLAYBOOK,
        "playbooks/hangs.yml": HANGS,
        "checks/test_it.py": SUITE,
        "one/test_one.py": ONLY_ONE,
        "slow/test_slow.py": SLOW,
        "broken/test_broken.py": "import no_such_module_at_all\n",
    }
    for name, text in texts.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Launch(
        rollout_id="r7",
        work=tmp_path_factory.mktemp("work"),
        material=project,
        project=project,
        playbooks={},
        inventory=(str(project / "hosts.yml"),),
        settings={"DEFAULT_MODULE_PATH": {"value": [str(project / "library")]}},
        secrets=frozenset({SECRET}),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("run")
    made.chmod(0o700)
    return made


@pytest.fixture(scope="module")
def suites(launch, folder):
    """One runner for all tests: it asks for the inventory once."""
    return PytestSuiteRunner(launch, folder)


@pytest.fixture
def runtime(folder):
    """A folder that must be empty after each test, with nothing alive that belongs to it."""
    yield folder
    assert [path.name for path in folder.iterdir() if not path.name.startswith("inventory-")] == []
    until = time.monotonic() + 10
    while left := alive():
        assert time.monotonic() < until, left
        time.sleep(0.05)


def alive():
    """Return the processes of probes, and what hangs, wherever it came from."""
    others = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    return [process for process in others if is_probes(process) or is_hanging(process)]


def is_probes(process):
    try:
        return process.environ().get("WAVEGATE_BATCH", "").startswith("r7/probe-")
    except psutil.Error:
        return False


def is_hanging(process):
    try:
        return process.cmdline() == HANGING
    except psutil.Error:
        return False


def test_a_module_is_asked_with_each_hosts_own_arguments_and_its_answer_is_judged(launch, runtime):
    texts = {"web1": ["1.10", "yes", "{{ service }}"], "odd-na*e": {"a": "#jinja2: x", "b": 1}}
    arguments = {
        "web1": {"text": texts["web1"]},
        "odd-na*e": {"text": texts["odd-na*e"]},
        "web2": {"how": "fail"},
        "gone": {},
        "crashes": {"how": "crash"},
        "huge": {"how": "huge"},
    }
    playbook = build_playbook("answers", arguments, in_check_mode=True)
    question = TaskQuestion(playbook=playbook, read=read_result, timeout=60)
    answers = AnsibleTaskRunner(launch, runtime).ask(list(arguments), question)
    assert answers["web1"] == {
        "failed": False,
        "changed": False,
        "text": texts["web1"],
        "lag": 1,
        "check": True,
    }
    assert answers["odd-na*e"]["text"] == texts["odd-na*e"]
    judged = {
        host: judge_answer({"good_when": "result.lag < 5"}, answers.get(host)) for host in [*arguments, "x"]
    }
    assert {host: one.reading for host, one in judged.items()} == {
        "web1": GOOD,
        "odd-na*e": GOOD,
        "web2": BAD,
        "gone": ERROR,
        "crashes": ERROR,
        "huge": ERROR,
        "x": ERROR,
    }
    assert "the module failed: it says no" in judged["web2"].detail
    assert "unreachable: " in judged["gone"].detail
    assert "its module broke: Module failed: it fell over" in judged["crashes"].detail
    assert "larger than" in judged["huge"].detail
    only_bad = judge_answer({"bad_when": "result.lag > 100"}, answers["web2"])
    assert only_bad.reading is ERROR


def beside(work):
    """Start the work in a thread; return what fetches its result, when what hangs is at work."""
    results = queue.Queue()
    threading.Thread(target=lambda: results.put(work()), daemon=True).start()
    until = time.monotonic() + 120
    while not any(map(is_hanging, psutil.process_iter())):
        assert time.monotonic() < until
        assert results.empty(), results.get()
        time.sleep(0.05)
    return lambda: results.get(timeout=60)


def test_what_of_a_slow_module_could_not_be_ended_on_its_host_is_told(launch, runtime, monkeypatch):
    asked = []

    def end_tasks(tasks, launch, call, hosts):
        asked.append((call.startswith("probe-"), hosts))
        return {"web2": "a task of it is still at work there"}

    monkeypatch.setattr(settling, "end_tasks", end_tasks)
    playbook = build_playbook("answers", {"web1": {}, "web2": {}}, in_check_mode=False)
    question = TaskQuestion(playbook=playbook, read=read_result, timeout=0.2, ends_tasks=True)
    assert AnsibleTaskRunner(launch, runtime).ask(["web1", "web2"], question) == {
        "web1": "it gave no answer in time",
        "web2": "it gave no answer in time; a task of it is still at work there",
    }
    assert asked == [(True, ["web1", "web2"])]


@pytest.mark.parametrize(
    ("kind", "data", "answer"),
    [
        ("runner_on_skipped", {}, "check_mode: false"),
        ("runner_on_ok", {"res": {"skipped": True, "msg": "not in check mode"}}, "(not in check mode)"),
        ("runner_on_ok", {"res": {"censored": "no_log"}}, "hidden by no_log"),
        ("runner_on_ok", {"res": "text"}, None),
        ("playbook_on_stats", {"res": {}}, None),
    ],
)
def test_what_is_no_answer_of_a_module(kind, data, answer):
    found = read_result(kind, data)
    assert found is None if answer is None else answer in found


def test_a_playbook_is_read_host_by_host_and_takes_nothing_out(launch, runtime):
    question = PlaybookQuestion(
        playbook="playbooks/smoke.yml",
        probe="smoke",
        occasion="pilot after 1",
        timeout=60,
        variables={"wanted": "up"},
    )
    answer = AnsiblePlaybookRunner(launch, runtime).run(["web1", "web2", "odd-na*e", "gone"], question)
    assert {host: one.outcome for host, one in answer.finished.items()} == {
        "web1": Outcome.DONE,
        "web2": Outcome.FAILED,
        "odd-na*e": Outcome.SKIPPED,
        "gone": Outcome.UNREACHABLE,
    }
    assert "it is down, my password is ********" in answer.finished["web2"].reason
    kept = launch.work / "probes" / "smoke" / "pilot after 1.txt"
    assert "TASK [Look at the service]" in kept.read_text()
    assert SECRET not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_a_playbook_whose_time_is_over_is_ended_here_and_on_the_hosts(launch, runtime):
    question = PlaybookQuestion(playbook="playbooks/hangs.yml", probe="hangs", occasion="1", timeout=600)
    runner = AnsiblePlaybookRunner(launch, runtime)
    fetch = beside(lambda: runner.run(["web2"], question))
    next(iter(runner._running))._stop(Ending.TIMED_OUT)
    answer = fetch()
    assert answer.finished["web2"].outcome is Outcome.TIMED_OUT
    assert answer.still_at_work == {}
    assert not alive()


def test_no_time_at_all_is_an_error_of_every_kind_and_leaves_nothing(launch, runtime, suites):
    question = PlaybookQuestion(playbook="playbooks/hangs.yml", probe="hangs", occasion="1", timeout=0.5)
    answer = AnsiblePlaybookRunner(launch, runtime).run(["web2"], question)
    assert judge_finished(answer.finished["web2"], 0.5).reading is ERROR
    judged = ask(suites, "slow", ["web2"], timeout=0.5)["web2"]
    assert judged.reading is ERROR
    assert "did not end within 0.5 s" in judged.detail or "no answer in time" in judged.detail
    assert not alive()


def ask(suites, path, hosts, timeout=60):
    question = SuiteQuestion(suite=path, probe="suite", occasion=f"{path} 1", timeout=timeout)
    answer = suites.run(hosts, question)
    return {host: judge_suite(host, answer.results, answer.troubles.get(host, "")) for host in hosts}


def test_a_suite_says_something_about_each_host_and_its_report_is_kept(launch, runtime, suites):
    judged = ask(suites, "checks", ["web1", "web2", "gone"])
    assert {host: one.reading for host, one in judged.items()} == {
        "web1": GOOD,
        "web2": BAD,
        "gone": ERROR,
    }
    assert (
        judged["web1"].detail == "4 tests passed: test_service, test_number[1], test_number[2], test_not_now"
    )
    assert judged["web2"].detail.startswith("1 of 4 tests failed: test_service: ********")
    assert "could not be carried out: test_number[1]: RuntimeError" in judged["gone"].detail
    report = launch.work / "probes" / "suite" / "checks 1.xml"
    cases = list(ET.parse(report).getroot().iter("testcase"))
    assert len(cases) == 12
    assert len({case.get("name") for case in cases if case.find("failure") is not None}) >= 1
    assert "secret" not in report.read_text()
    assert stat.S_IMODE(report.stat().st_mode) == 0o600


def test_a_host_without_a_test_and_a_suite_that_cannot_be_read_are_errors(launch, runtime, suites):
    one = ask(suites, "one/test_one.py", ["web1", "web2"])
    assert one["web1"].reading is GOOD
    assert (one["web2"].reading, one["web2"].detail) == (ERROR, "the suite has no test for this host")
    broken = ask(suites, "broken", ["web1"])["web1"]
    assert broken.reading is ERROR
    assert "no_such_module_at_all" in broken.detail


def test_a_test_that_hangs_is_ended_and_spoils_no_host_that_was_through(launch, runtime):
    runner = PytestSuiteRunner(launch, runtime)
    fetch = beside(lambda: ask(runner, "slow", ["web1", "web2"], timeout=600))
    (share,) = [share for share in runner._shares if share.hosts == ("web1",)]
    until = time.monotonic() + 120
    while not share.results():
        assert time.monotonic() < until
        time.sleep(0.05)
    runner.close()
    judged = fetch()
    assert judged["web1"].reading is GOOD
    assert judged["web2"].reading is ERROR
    assert "pytest ended with 2" in judged["web2"].detail
    assert not alive()


def test_where_testinfra_is_missing_the_error_names_the_extra(suites, monkeypatch):
    monkeypatch.setattr(suite_runs, "is_testinfra_installed", lambda: False)
    with pytest.raises(UnusableSettingsError, match=r"wavegate\[testinfra\]"):
        ask(suites, "checks", ["web1"])


def test_a_runner_that_was_closed_starts_nothing(launch, runtime):
    runner = PytestSuiteRunner(launch, runtime)
    runner.close()
    question = SuiteQuestion(suite="checks", probe="suite", occasion="1", timeout=60)
    assert runner.run(["web1"], question).results == []
    playbooks = AnsiblePlaybookRunner(launch, runtime)
    playbooks.close()
    question = PlaybookQuestion(playbook="playbooks/smoke.yml", probe="smoke", occasion="2", timeout=60)
    assert playbooks.run(["web1"], question).finished == {}


@pytest.mark.parametrize(
    ("variables", "forced"),
    [
        ({}, False),
        ({"ansible_host": "10.0.0.1", "ansible_user": "deploy"}, False),
        ({"ansible_connection": "local"}, False),
        ({"ansible_ssh_pass": "x"}, True),
        ({"ansible_become_password": "x"}, True),
        ({"ansible_connection": "winrm"}, True),
        ({"ansible_host": "{{ address }}"}, True),
        ({"ansible_become_method": "su"}, True),
        ({"motd": "{{ x }}", "password": "x"}, False),
    ],
)
def test_what_testinfra_cannot_reach_by_itself_goes_through_ansible(variables, forced):
    assert needs_ansible(variables) is forced
