"""A batch that reads the snapshot must see exactly the inventory that the plan was made from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from wavegate.adapters.ansible import ask
from wavegate.ports import Answer, Question
from wavegate.resources import plugins_dir

YAML = """
all:
  vars: {shared: [1, "{{ inventory_hostname }}", {deep: !unsafe "{{ never }}"}]}
  children:
    first:
      vars: {colour: red, ansible_group_priority: 10}
      hosts:
        "web[01:03]": {number: 1.5, nothing: null, when: 2024-05-01, yes: on}
        "fe80::1": {}
        "name with space": {}
        "größe": {2: two, "key: colon": "a: b"}
      children:
        inner: {hosts: {web01: {}, "*star": {}}}
    second:
      vars: {colour: blue}
      hosts: {web02: {}, localhost: {ansible_connection: local}}
    nobody: {}
    "dash-ed group": {hosts: {web03: {}}}
"""
INI = """
lonely ansible_port=2222 text="a b" numbers="[1, 2]" tuple="(1, 2)"
[racks]
r[1:2]n[a:b] rack="{{ inventory_hostname[1] }}"
[racks:vars]
flag=True
[site:children]
racks
empty
[empty]
[country:children]
site
"""
SCRIPT = """#!/bin/sh
echo called >> "$(dirname "$0")/../calls"
echo '{"clouds": {"hosts": ["c2", "c1"], "vars": {"zone": "z{{ 1 + 1 }}"}, "children": ["sub"]},
  "sub": {"hosts": ["c3"]},
  "_meta": {"hostvars": {"c1": {"raw": {"__ansible_unsafe": "{{ x }}"}, "price": 7}}}}'
"""
CONSTRUCTED = """
plugin: ansible.builtin.constructed
compose: {doubled: price * 2}
groups: {cheap: "price is defined"}
keyed_groups: [{key: zone, prefix: zone}]
"""


def make_yaml(root: Path) -> tuple[str, ...]:
    (root / "hosts.yml").write_text(YAML)
    (root / "host_vars").mkdir()
    (root / "host_vars/web01.yml").write_text("beside: 'file {{ number }}'\n")
    return ("hosts.yml",)


def make_ini(root: Path) -> tuple[str, ...]:
    (root / "hosts").write_text(INI)
    return ("hosts",)


def make_folder(root: Path) -> tuple[str, ...]:
    folder = root / "inv"
    (folder / "group_vars").mkdir(parents=True)
    (folder / "group_vars/clouds.yml").write_text("zone_text: 'zone {{ zone }}'\n")
    (folder / "10-script").write_text(SCRIPT)
    (folder / "10-script").chmod(0o755)
    (folder / "20-more.yml").write_text(f"extra:\n  hosts:\n    c1: {encrypt(root, 'door-key')}\n    e1:\n")
    (folder / "30-constructed.yml").write_text(CONSTRUCTED)
    return ("inv",)


def make_lists(root: Path) -> tuple[str, ...]:
    (root / "hosts").write_text("[pair]\na\nz\n")
    return ("b,a,", "hosts")


def encrypt(root: Path, text: str) -> str:
    (root / "password").write_text("open sesame")
    command = [tool("ansible-vault"), "encrypt_string", "--vault-password-file", str(root / "password"), text]
    output = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root).stdout
    return "\n      secret: " + output.replace("\n", "\n      ")


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def list_inventory(root: Path, sources: tuple[str, ...], environment: dict[str, str]) -> Any:
    command = [tool("ansible-inventory"), "--list", *(f"-i{source}" for source in sources)]
    if (root / "password").exists():
        command += ["--vault-password-file", "password"]
    environ = {**os.environ, **environment}
    result = subprocess.run(command, cwd=root, env=environ, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


QUESTION = Question(
    patterns=("all",),
    templates={
        "place": "{{ inventory_dir }} {{ inventory_file }}",
        "groups": "{{ groups }}",
        "mine": "{{ group_names }}",
        "shared": "{{ shared | default(0) }}",
        "colour": "{{ colour | default(0) }} {{ beside | default(0) }} {{ rack | default(0) }}",
        "cloud": "{{ zone_text | default(0) }} {{ doubled | default(0) }} {{ secret | default(0) }}",
        "tuple": "{{ tuple | default(0) }} {{ numbers | default(0) }} {{ ansible_port | default(0) }}",
    },
)


def inspect(root: Path, sources: tuple[str, ...]) -> Answer:
    files = ("password",) if (root / "password").exists() else ()
    question = Question(
        inventory=sources,
        patterns=QUESTION.patterns,
        templates=QUESTION.templates,
        vault_password_files=files,
    )
    answer = ask(question, root)
    assert not answer.problems, "\n".join(str(problem) for problem in answer.problems)
    return answer


@pytest.mark.parametrize("make", [make_yaml, make_ini, make_folder, make_lists])
def test_snapshot_equals_the_inventory_it_was_taken_from(
    make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = make(tmp_path)
    original = inspect(tmp_path, sources)
    listed = list_inventory(tmp_path, sources, {})
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_text(json.dumps(original.snapshot))
    environment = {
        "ANSIBLE_INVENTORY_ENABLED": "wavegate_snapshot",
        "ANSIBLE_INVENTORY_PLUGINS": str(plugins_dir() / "inventory"),
        "WAVEGATE_INVENTORY_SNAPSHOT": str(snapshot),
    }
    (tmp_path / "calls").unlink(missing_ok=True)

    assert list_inventory(tmp_path, sources, environment) == listed
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    again = inspect(tmp_path, sources)
    assert again.fleet == original.fleet
    assert again.rendered == original.rendered
    assert again.snapshot == original.snapshot
    assert not (tmp_path / "calls").exists(), "the script was executed again"


def test_snapshot_points_into_the_frozen_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, frozen = tmp_path / "project", tmp_path / "frozen"
    for root in (project, frozen):
        root.mkdir()
        make_ini(root)
    snapshot = tmp_path / "snapshot.json"
    snapshot.write_text(json.dumps(inspect(project, ("hosts",)).snapshot))
    monkeypatch.setenv("ANSIBLE_INVENTORY_ENABLED", "wavegate_snapshot")
    monkeypatch.setenv("ANSIBLE_INVENTORY_PLUGINS", str(plugins_dir() / "inventory"))
    monkeypatch.setenv("WAVEGATE_INVENTORY_SNAPSHOT", str(snapshot))
    monkeypatch.setenv("WAVEGATE_INVENTORY_PROJECT", str(frozen))
    places = inspect(frozen, ("hosts",)).rendered["place"]
    assert places["lonely"] == f"{frozen} {frozen}/hosts"


def test_snapshot_keeps_ciphertext_and_not_the_secret(tmp_path: Path) -> None:
    answer = inspect(tmp_path, make_folder(tmp_path))
    text = json.dumps(answer.snapshot)
    assert "$ANSIBLE_VAULT" in text
    assert "door-key" not in text
    assert "door-key" in answer.secrets
