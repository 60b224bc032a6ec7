"""The host runner with real Ansible on local connections; the module is a stand-in that can misbehave."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import yaml

from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.probes import ansible_host
from wavegate.adapters.probes.ansible_host import AnsibleHostRunner, build_playbook

MODULE = """
import os, time
from ansible.module_utils.basic import AnsibleModule

module = AnsibleModule({"services": {"type": "list", "elements": "str"},
                        "paths": {"type": "list", "elements": "str"}})
if "crash" in module.params["services"]:
    raise RuntimeError("the module fell over")
if "fail" in module.params["services"]:
    module.fail_json(msg="it says no")
host = os.environ["LAB_HOST"]
if host == "hangs":
    time.sleep(1000)
module.exit_json(changed=False, services={name: "active" for name in module.params["services"]},
                 host=host, asked=module.params)
"""


@pytest.fixture
def make_runner(tmp_path, monkeypatch):
    modules = tmp_path / "plugins" / "modules"
    modules.mkdir(parents=True)
    (modules / "host_state.py").write_text(MODULE)
    monkeypatch.setattr(ansible_host, "plugins_dir", lambda: tmp_path / "plugins")
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))
    project = tmp_path / "our project: of 12:30"
    project.mkdir()
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)

    def interpreter(name):
        """Make a Python that tells the module for which host it runs."""
        path = tmp_path / f"python-{name}"
        path.write_text(f'#!/bin/sh\nLAB_HOST="{name}" exec "{sys.executable}" "$@"\n')
        path.chmod(0o755)
        return {"ansible_python_interpreter": str(path)}

    def make(*hosts, **more):
        known = {name: {"marker": name, **interpreter(name), **more.get(name, {})} for name in hosts}
        inventory = {"all": {"hosts": known, "vars": {"ansible_connection": "local"}}}
        (project / "hosts.yml").write_text(yaml.safe_dump(inventory))
        launch = Launch(
            rollout_id="r1",
            work=tmp_path / "work",
            material=project,
            project=project,
            playbooks={},
            inventory=(str(project / "hosts.yml"),),
        )
        runner = AnsibleHostRunner(launch, runtime)
        runner.project = project
        return runner

    yield make
    assert list(runtime.iterdir()) == []
    until = time.monotonic() + 10
    while ours_alive():
        assert time.monotonic() < until, ours_alive()


ASKED = {"services": ["intranet"], "paths": ["/"]}


def ours_alive():
    mine = [p for p in psutil.process_iter() if p.pid != os.getpid()]
    return [p for p in mine if _marker(p).startswith("r1/probe-")]


def _marker(process):
    try:
        alive = process.status() != psutil.STATUS_ZOMBIE
        return process.environ().get("WAVEGATE_BATCH", "") if alive else ""
    except psutil.Error:
        return ""


def test_every_host_is_asked_and_nobody_else(make_runner):
    runner = make_runner("web1", "web2", "web3", "odd-na*e", "!not")
    answers = runner(["web1", "odd-na*e", "!not"], ASKED, 60)
    assert {host: answer["host"] for host, answer in answers.items()} == {
        "web1": "web1",
        "odd-na*e": "odd-na*e",
        "!not": "!not",
    }
    assert answers["web1"]["services"] == {"intranet": "active"}


def test_arguments_are_not_rendered_again(make_runner):
    asked = {"services": ["{{ marker }}", 'say "hi" \\ €'], "paths": ["/{% raw %}"]}
    answers = make_runner("web1")(["web1"], asked, 60)
    assert answers["web1"]["asked"] == asked


@pytest.mark.parametrize(
    ("service", "reason"), [("fail", "its module failed: it says no"), ("crash", "its module failed: ")]
)
def test_a_module_that_fails_is_a_reason(make_runner, service, reason):
    answers = make_runner("web1")(["web1"], {"services": [service], "paths": []}, 60)
    assert answers["web1"].startswith(reason)


def test_callbacks_that_notify_people_stay_silent(make_runner, tmp_path, monkeypatch):
    runner = make_runner("web1")
    (runner.project / "ansible.cfg").write_text("[defaults]\ncallbacks_enabled = junit\n")
    monkeypatch.setenv("JUNIT_OUTPUT_DIR", str(tmp_path / "junit"))
    assert runner(["web1"], ASKED, 60)["web1"]["host"] == "web1"
    assert not (tmp_path / "junit").exists()


def test_the_users_fact_cache_is_read(make_runner, tmp_path):
    runner = make_runner("web1", web1={"ansible_python_interpreter": "{{ python_of_host }}"})
    lines = ["[defaults]", "fact_caching = jsonfile", f"fact_caching_connection = {tmp_path}/cache"]
    (runner.project / "ansible.cfg").write_text("\n".join(lines))
    fact = {"python_of_host": f"{tmp_path}/python-web1", "cacheable": True}
    learn = [{"hosts": "web1", "gather_facts": False, "tasks": [{"ansible.builtin.set_fact": fact}]}]
    (runner.project / "learn.yml").write_text(yaml.safe_dump(learn))
    playbook = Path(sys.executable).with_name("ansible-playbook")
    subprocess.run([playbook, "-i", "hosts.yml", "learn.yml"], cwd=runner.project, check=True)
    assert runner(["web1"], ASKED, 60)["web1"]["host"] == "web1"


def test_an_unreachable_host_is_a_reason_and_the_others_answer(make_runner):
    gone = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    runner = make_runner("web1", "gone", gone=gone)
    answers = runner(["web1", "gone"], ASKED, 60)
    assert answers["web1"]["host"] == "web1"
    assert answers["gone"].startswith("unreachable: ")


def test_a_host_that_ansible_does_not_know_is_a_reason_for_all(make_runner):
    answers = make_runner("web1")(["web1", "web9"], ASKED, 60)
    assert set(answers) == {"web1", "web9"}
    assert all(answer.startswith("Ansible: ") and len(answer) > 20 for answer in answers.values())


def test_a_host_that_hangs_loses_nobody_elses_answer_and_leaves_nothing_alive(make_runner):
    runner = make_runner("web1", "hangs", "web2")
    start = time.monotonic()
    answers = runner(["web1", "hangs", "web2"], ASKED, 6)
    assert time.monotonic() - start < 12
    assert set(answers) == {"web1", "web2"}
    assert ours_alive() == []


def test_close_ends_what_is_under_way(make_runner):
    runner = make_runner("hangs")
    answers = []
    asking = threading.Thread(target=lambda: answers.append(runner(["hangs"], ASKED, 600)))
    asking.start()
    while not ours_alive():
        time.sleep(0.05)
    runner.close()
    asking.join(20)
    assert answers == [{}]
    assert ours_alive() == []
    assert runner(["hangs"], ASKED, 600) == {}


def test_texts_are_written_as_ansible_takes_them_literally():
    assert '!unsafe "{{ x }}"' in build_playbook({"services": ["{{ x }}"], "paths": []})
