"""The content as an Ansible collection: built, installed into a scratch path, and used by its full names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

import wavegate

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
NAME = "wavegate.operations"
PLAYBOOK = f"""
- name: Use a role, and its modules, of the collection
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Record
      ansible.builtin.include_role:
        name: {NAME}.intranet
        tasks_from: backup
    - name: Look at the record
      {NAME}.wavegate_record:
        state: compared
        path: "{{{{ intranet_backup_root }}}}/r1/intranet"
      register: compared
    - name: Show it
      ansible.builtin.debug:
        var: compared.record.packages
"""


def run(*command: str, cwd: Path, **environment: str) -> str:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=cwd,
        env={**variables, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    run("ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.glob("*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("collections")
    run("ansible-galaxy", "collection", "install", "--offline", "-p", str(folder), str(archive), cwd=folder)
    return folder


def play(folder: Path, installed: Path, *arguments: str, **variables: Any) -> str:
    """Run ansible-playbook with nothing but the collection; return what it printed."""
    given = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", **variables}
    return run(
        "ansible-playbook",
        "-i",
        "localhost,",
        "-e",
        json.dumps(given),
        *arguments,
        cwd=folder,
        ANSIBLE_COLLECTIONS_PATH=str(installed),
        HOME=str(folder),
    )


def test_its_version_is_that_of_the_program() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == wavegate.__version__


def test_it_holds_the_content_and_nothing_else(archive: Path) -> None:
    with tarfile.open(archive) as opened:
        names = opened.getnames()
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "FILES.json", "MANIFEST.json", "LICENSE", "README.md", "CHANGELOG.md", "meta", "playbooks", "plugins",
        "roles",
    }  # fmt: skip
    assert "roles/common/tasks/put_back.yml" in names
    assert not [name for name in names if "__pycache__" in name]


def test_a_playbook_uses_a_role_by_its_full_name(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    root = str(tmp_path / "backups with blanks")
    said = play(tmp_path, installed, "site.yml", intranet_backup_root=root, wavegate_rollout_id="r1")
    assert "libintranet" in said
    assert (Path(root) / "r1" / "intranet" / "manifest.json").is_file()


def test_its_playbooks_call_its_own_roles(installed: Path, tmp_path: Path) -> None:
    root = str(tmp_path / "backups")
    play(
        tmp_path,
        installed,
        f"{NAME}.backup",
        intranet_backup_root=root,
        wavegate_rollout_id="r2",
        wavegate_roles=["intranet"],
        ansible_become=False,
    )
    assert (Path(root) / "r2" / "intranet" / "manifest.json").is_file()


def test_modules_are_documented_under_their_full_names(installed: Path, tmp_path: Path) -> None:
    names = [f"{NAME}.{path.stem}" for path in (ROOT / "plugins" / "modules").glob("*.py")]
    text = run(
        "ansible-doc", "-j", "-t", "module", *names, cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=str(installed)
    )
    said = json.loads(text)
    assert said.keys() == set(names)
    assert all(entry["doc"]["short_description"] and entry["examples"] for entry in said.values())
