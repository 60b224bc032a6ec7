"""Whatever stands in a file: loading gives a rollout or an InputError, never a crash."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.rollout_files import find_problems
from wavegate.config.json_schema import build_json_schema

SCHEMA = build_json_schema()
KEYS = sorted({key for model in (SCHEMA, *SCHEMA["$defs"].values()) for key in model["properties"]})
WORDS = [
    *KEYS,
    "all",
    "25%",
    "0%",
    "20s",
    "{{ x }}",
    "2GB",
    "halt",
    "rollback_wave",
    "http://x",
    "once",
    "a.b",
    "=",
    "<<",
]
FOLDER = tempfile.TemporaryDirectory(prefix="wavegate-config-")

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.dates(),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
keys = st.one_of(st.sampled_from(KEYS), scalars)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=20,
)


def shaped(name: str):
    """Rollout files of the right shape with wrong values in them reach further than mere noise."""
    model = SCHEMA if name == "top" else SCHEMA["$defs"][name]
    return st.fixed_dictionaries({}, optional=dict.fromkeys(model["properties"], values))


named = st.sampled_from(["p", "q", "http", "a.b"])
probes = st.dictionaries(
    named, st.one_of(shaped("Probe"), st.fixed_dictionaries({"http": shaped("Http")}), values)
)
gates = st.dictionaries(named, st.one_of(shaped("Gate"), values))
waves = st.lists(st.one_of(shaped("Wave"), values), max_size=3)
files = st.builds(
    lambda top, probes, gates, waves: {**top, "probes": probes, "gates": gates, "waves": waves},
    shaped("top"),
    probes,
    gates,
    waves,
)


def check(text: str | bytes) -> None:
    for problem in find_problems(Path(FOLDER.name), text):
        assert problem.message
        assert problem.file == str(Path(FOLDER.name) / "rollout.yml")
        str(problem).encode()


@settings(max_examples=60, deadline=None)
@given(files)
def test_any_data_in_the_shape_of_a_rollout_file_is_loaded_or_refused(data):
    check(yaml.safe_dump(data, allow_unicode=True, sort_keys=False))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, values, max_size=6))
def test_any_yaml_is_loaded_or_refused(data):
    check(yaml.safe_dump(data))


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("ab:{}[]-&*!|>'\"%@#<?,\n \t0.~="), max_size=60).map(
        lambda text: f"a: {text}"
    )
)
def test_any_text_is_loaded_or_refused(text):
    check(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_loaded_or_refused(content):
    check(content)
