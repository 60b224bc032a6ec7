"""What a role says about itself is said three times: defaults, argument specs, README. They must be one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.programs import load_program

ROOT = Path(__file__).parents[2]
# `common` is what the roles share; it has no procedures.
ROLES = sorted(path.parent for path in (ROOT / "roles").glob("*/tasks") if path.parent.name != "common")
VERBS = ("precheck", "install", "configure", "patch", "backup", "restore", "rollback", "verify")
HARMLESS = {"ansible.builtin.assert", "ansible.builtin.import_tasks", "wavegate_look"}
role_tables = load_program("scripts/role_tables.py")


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def specs_of(role: Path) -> dict[str, Any]:
    return dict(read_yaml(role / "meta" / "argument_specs.yml")["argument_specs"])


def options_of(role: Path) -> dict[str, dict[str, Any]]:
    return {name: option for entry in specs_of(role).values() for name, option in entry["options"].items()}


def shared_part(task: dict[str, Any]) -> str:
    included = task.get("ansible.builtin.include_role", {})
    return str(included.get("tasks_from")) if included.get("name") == "common" else ""


def by_name(role: Path) -> str:
    return role.name


def test_there_are_roles_to_compare() -> None:
    assert ROLES


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_every_default_is_specified_with_the_same_value(role: Path) -> None:
    specified = {name: option.get("default") for name, option in options_of(role).items()}
    assert read_yaml(role / "defaults" / "main.yml") == specified


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_the_tables_of_the_readme_are_what_the_specs_say(role: Path) -> None:
    text = (role / "README.md").read_text()
    specs = specs_of(role)
    assert text == role_tables.fill_tables(text, specs), "make docs writes them anew"
    assert all(f"\n| `{name}` |" in text for name in [*options_of(role), *(specs.keys() - {"main"})])


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_every_procedure_is_an_entry_point_and_a_file(role: Path) -> None:
    files = {path.stem for path in (role / "tasks").glob("*.yml")}
    assert set(specs_of(role)) == files
    assert files >= {"main", *VERBS}


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_public_names_start_with_the_role_and_private_ones_with_two_underscores(role: Path) -> None:
    assert all(name.startswith(f"{role.name}_") for name in read_yaml(role / "defaults" / "main.yml"))
    assert all(name.startswith(f"__{role.name}_") for name in read_yaml(role / "vars" / "main.yml"))


@pytest.mark.parametrize("role", ROLES, ids=by_name)
def test_precheck_and_verify_change_nothing(role: Path) -> None:
    for verb in ("precheck", "verify"):
        for task in read_yaml(role / "tasks" / f"{verb}.yml"):
            assert HARMLESS & set(task) or shared_part(task) == "refuse", task["name"]


def test_the_page_about_roles_names_every_one() -> None:
    text = (ROOT / "docs" / "roles.md").read_text()
    named = {role.name for role in ROLES if f"| [`{role.name}`](../roles/{role.name}/README.md) |" in text}
    assert named == {role.name for role in ROLES}


@pytest.mark.parametrize("verb", VERBS)
def test_a_playbook_calls_each_procedure_of_every_role_of_a_host(verb: str) -> None:
    (play,) = read_yaml(ROOT / "playbooks" / f"{verb}.yml")
    (task,) = play["tasks"]
    assert task["ansible.builtin.include_role"]["tasks_from"] == verb
    assert "wavegate_roles | mandatory" in task["loop"]
    assert ("reverse" in task["loop"]) == (verb == "rollback")
