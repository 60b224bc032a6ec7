from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.unit.rollout_files import SMALLEST, find_problems, load_text
from tests.unit.test_config_load import PROBES as GOOD_PROBES
from tests.unit.test_config_load import TOP_LEVEL as GOOD_TOP_LEVEL
from tests.unit.test_config_load import WAVES as GOOD_WAVES
from wavegate.config.json_schema import build_json_schema
from wavegate.config.reference import write_reference

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/rollout-file.md"
SCHEMA = build_json_schema()
FILES = [
    *sorted((PROJECT / "rollouts").glob("*.yml")),
    PROJECT / "tests/fixtures/rollouts/design-example.yml",
]


def is_accepted(text: str) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(yaml.safe_load(text))


def list_keys():
    for name, model in (("top level", SCHEMA), *SCHEMA["$defs"].items()):
        for key, schema in model["properties"].items():
            yield pytest.param(schema, id=f"{name}.{key}")


def test_the_schema_is_valid_draft_2020_12():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("schema", list(list_keys()))
def test_every_key_has_a_description_and_values_that_its_own_schema_accepts(schema):
    validator = jsonschema.Draft202012Validator({**schema, "$defs": SCHEMA["$defs"]})
    assert schema["description"].endswith(".")
    for value in (*schema.get("examples", ()), *([schema["default"]] if "default" in schema else ())):
        validator.validate(value)
    assert schema.get("examples") or "$ref" in schema


def test_nothing_can_be_null_but_an_expected_json_value():
    text = yaml.safe_dump(SCHEMA["properties"]) + yaml.safe_dump(
        {name: model for name, model in SCHEMA["$defs"].items() if name != "Http"}
    )
    assert "null" not in text


def test_the_reference_page_is_the_one_that_the_schema_writes():
    assert PAGE.read_text(encoding="utf-8") == write_reference(SCHEMA), (
        "run: python -m wavegate.config.reference docs/rollout-file.md"
    )


def test_the_pages_example_is_a_valid_rollout_file(tmp_path):
    examples = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert examples
    for example in examples:
        assert load_text(tmp_path, example).spec.name == "patch-intranet"
        assert is_accepted(example)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_schema_accepts_the_rollout_files_of_this_project(file):
    assert is_accepted(file.read_text(encoding="utf-8"))


GOOD = [
    *(f"{row[0]}\n{SMALLEST}" for row in GOOD_TOP_LEVEL if "!vault" not in row[0] and "\ufeff" not in row[0]),
    *(SMALLEST.replace("hosts: all", f"hosts: all, {row[0]}") for row in GOOD_WAVES),
    *(f"{SMALLEST}probes: {{p: {{{row[0]}}}}}\n" for row in GOOD_PROBES if "on:" not in row[0]),
]


@pytest.mark.parametrize("text", GOOD)
def test_the_schema_accepts_what_the_checks_accept(text):
    assert is_accepted(text)


BAD = [
    "versoin: 1",
    "version: 2",
    "hosts: ''",
    "inventory: []",
    "in_flight: 0",
    "in_flight: true",
    "batch_timeout: 20",
    "failure_budget: 101%",
    "failure_budget: -1",
    "on_breach: rollback_wave",
    "vars: {a-b: 1}",
    "vault: {}",
    "become: sudo",
    "become: {users: x}",
    "probes: {p: {}}",
    "probes: {p: {tcp: {port: 1}, command: {argv: [x]}}}",
    "probes: {p: {tcp: {port: 65536}}}",
    "probes: {p: {http: }}",
    "probes: {a/b: {tcp: {port: 1}}}",
    "probes: {p: {command: {argv: curl x}}}",
    "probes: {p: {host: {disk_free: {var: 10%}}}}",
    "gates: {g: {probes: []}}",
]


@pytest.mark.parametrize("text", BAD)
def test_an_editor_and_the_checks_refuse_the_same(tmp_path, text):
    assert find_problems(tmp_path, f"{SMALLEST}{text}\n")
    assert not is_accepted(f"{SMALLEST}{text}\n")


@pytest.mark.parametrize(
    "wave", ["hosts: a, each: b", "batch: 0, hosts: a", "at_most: 1, hosts: a", "order: x, hosts: a"]
)
def test_an_editor_and_the_checks_refuse_the_same_waves(tmp_path, wave):
    text = f"name: x\nplaybook: y\nwaves: [{{name: a, {wave}}}]\n"
    assert find_problems(tmp_path, text)
    assert not is_accepted(text)
