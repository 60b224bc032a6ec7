"""`wavegate doctor`: every finding is true of the machine it is called on."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from tests.unit.scratch import Scratch
from wavegate.adapters import doctor


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\n")
    return scratch


def findings_of(project: Scratch, code: int = 0, **env: str) -> dict[str, dict]:
    done = project.wavegate("doctor", "--json", code=code, **env)
    answer = json.loads(done.stdout)
    assert answer["format"] == 1
    return {finding["name"]: finding for finding in answer["findings"]}


def folder_of_programs(folder: Path, *names: str) -> str:
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name) or "/bin/true")
    return str(folder)


def test_on_this_machine_rollouts_can_be_walked(project):
    findings = findings_of(project)
    assert findings["python"]["found"] == ".".join(map(str, sys.version_info[:3]))
    assert findings["ansible.cfg"]["found"] == str(project.folder / "ansible.cfg")
    assert all(finding["ok"] for finding in findings.values() if finding["needed_for"] == "rollouts")
    assert "ansible-core" in project.wavegate("doctor").stdout


def test_without_programs_on_path_it_says_what_is_missing_and_how_to_get_it(project, tmp_path):
    findings = findings_of(project, code=40, PATH=folder_of_programs(tmp_path / "bin", "sh"))
    assert not findings["ssh"]["ok"]
    assert "openssh-client" in findings["ssh"]["hint"]
    assert not findings["container engine"]["ok"]
    assert findings["container engine"]["needed_for"] == "the lab and molecule"
    assert findings["ansible-playbook"]["ok"], "it lies beside the Python that runs wavegate"


def test_what_only_the_lab_needs_is_no_failure(project, tmp_path):
    findings = findings_of(project, PATH=folder_of_programs(tmp_path / "bin", "ssh"))
    assert not findings["container engine"]["ok"]


def test_without_ansible_playbook_anywhere_rollouts_cannot_be_walked(project, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python3"))
    monkeypatch.setenv("PATH", str(tmp_path))
    found = {finding.name: finding for finding in doctor.examine(project.folder)}
    assert not found["ansible-playbook"].ok
    assert found["ansible-playbook"].required
    assert found["ansible-playbook"].hint == "pip install ansible-core"


@pytest.mark.parametrize(
    ("version", "ok"),
    [("2.18.9", False), ("2.19.0", True), ("2.20.0rc1", True), ("3.0", True), ("2.21", True)],
)
def test_an_ansible_that_is_too_old_is_not_ok(monkeypatch, project, version, ok):
    monkeypatch.setattr(doctor, "version", lambda name: version)
    found = {finding.name: finding for finding in doctor.examine(project.folder)}
    assert found["ansible-core"].ok is ok
    assert found["ansible-core"].found == version


def test_a_package_that_is_not_installed_is_missing(monkeypatch, project):
    def version(name: str) -> str:
        raise doctor.PackageNotFoundError(name)

    monkeypatch.setattr(doctor, "version", version)
    found = {finding.name: finding for finding in doctor.examine(project.folder)}
    assert (found["ansible-core"].ok, found["ansible-core"].found) == (False, "not installed")
    assert not found["ansible-runner"].ok
    assert not found["molecule"].required


def test_a_full_disk_and_a_missing_ansible_cfg_are_told(monkeypatch, tmp_path):
    full = type("Usage", (), {"free": 7 * 1024 * 1024})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: full)
    found = {finding.name: finding for finding in doctor.examine(tmp_path)}
    assert (found["disk"].ok, found["disk"].found) == (False, "7 MiB free")
    assert (found["ansible.cfg"].ok, found["ansible.cfg"].required) == (False, False)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_project_that_cannot_be_written_is_told(tmp_path):
    tmp_path.chmod(0o555)
    found = {finding.name: finding for finding in doctor.examine(tmp_path)}
    assert not found["project folder"].ok


def test_it_changes_nothing(project):
    before = sorted(project.folder.rglob("*"))
    project.wavegate("doctor")
    assert sorted(project.folder.rglob("*")) == before
