"""The quick ways of reading inventories, variables and templates give exactly what Ansible gives."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString, VaultLib, VaultSecret
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wavegate.adapters.ansible import ask, quick_yaml
from wavegate.adapters.ansible.quick_templates import NotPlainError, fill
from wavegate.adapters.ansible.quick_variables import QuickVariables
from wavegate.adapters.ansible.quick_yaml import QuickLoader
from wavegate.adapters.ansible.reading import Inventory
from wavegate.adapters.ansible.snapshot import encode, take_snapshot
from wavegate.adapters.ansible.templates import plain, trust
from wavegate.ports import Question

SECRETS = [("default", VaultSecret(b"open sesame"))]
HOSTS = ("web[01:04]", "db-1", "a.example.com", "10.0.0.7", "web02", "localhost", "lone:2222", "[::1]", "x y")
NAMES = ("rack", "port", "text", "nested", "ansible_host", "not-a-name", "web01", "ansible_group_priority2")
GROUPS = (("leaf", "site_1", "db"), ("site_1", "dash-ed", "ungrouped"), ("web", "db", "all", "site_1"))
TEXTS = (
    "plain", "", " x ", "{{ rack }}", "a {{ port }} b", "{% if 1 %}y{% endif %}", "007", "yes", "1.5", "null",
    "2024-05-01", "größe", "#x", "two\nlines", "{", "a: b", "{{ undefined_one }}", "{{ nested.a }}",
)  # fmt: skip


FILLED = ("http://{{ a }}:{{ b }}/", "{{a}}", "{{ b }}", "{{ c }}-{{  d  }}", "{{ a }}\n", "{{-a}}")
INNER = ("{{ a }}", "{{ b }}.{{ c }}", "{{ d }}", "{{ b", "{{ omit }}")


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    init_plugin_loader([])
    context.CLIARGS = ImmutableDict(extra_vars=(), tags=(), skip_tags=(), inventory=(), verbosity=0)
    monkeypatch.setattr(quick_yaml, "LARGE", 0)


class Unsafe(str):
    """Written with the tag that forbids templates."""


class Vaulted(str):
    """Written as an encrypted value."""


class Dumper(yaml.SafeDumper):
    """Writes Ansible's tags."""


Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))
Dumper.add_representer(
    Vaulted,
    lambda dumper, text: dumper.represent_scalar(
        "!vault", VaultLib(SECRETS).encrypt(str(text)).decode(), style="|"
    ),
)

SCALARS = st.one_of(
    st.sampled_from(TEXTS),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=6),
    st.integers(-5, 10**6),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False, width=16),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(("a", "b", 3, "k y")), inner, max_size=3),
    ),
    max_leaves=4,
)
PLACES = st.one_of(*[VALUES] * 12, st.just(Vaulted("door key")))
ODD = st.sampled_from((Unsafe("{{ never }}"), datetime.date(2024, 5, 1)))
VARIABLES = st.dictionaries(st.sampled_from(NAMES), PLACES, max_size=4)
MEMBERS = st.dictionaries(st.sampled_from(HOSTS), st.one_of(st.none(), VARIABLES), max_size=5)


def groups(depth: int) -> st.SearchStrategy[Any]:
    parts: dict[str, st.SearchStrategy[Any]] = {"hosts": MEMBERS, "vars": VARIABLES}
    if depth:
        parts["children"] = st.dictionaries(st.sampled_from(GROUPS[depth - 1]), groups(depth - 1), max_size=3)
    return st.one_of(st.none(), st.fixed_dictionaries({}, optional=parts))


INVENTORIES = st.dictionaries(st.sampled_from(GROUPS[2]), groups(2), min_size=1, max_size=3).map(
    lambda inventory: inventory | {"base": {"hosts": {"base1": None}}}
)
PLACES_OF_FILES = (
    *("group_vars/all.yml", "group_vars/web", "group_vars/db.yaml", "group_vars/site_1/x.yml"),
    *("host_vars/web01.yml", "host_vars/web02.json", "host_vars/a.example.com/y.yml", "host_vars/db-1"),
)
FILES = st.dictionaries(st.sampled_from(PLACES_OF_FILES), VARIABLES, max_size=4)
RANDOM = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def write(folder: Path, inventory: Any, files: dict[str, Any]) -> Path:
    source = folder / "hosts.yml"
    source.write_text(dump(inventory))
    for name, variables in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = dump(variables)
        path.write_bytes(VaultLib(SECRETS).encrypt(text) if name.endswith("x.yml") else text.encode())
    return source


def dump(data: Any) -> str:
    return yaml.dump(data, Dumper=Dumper, allow_unicode=True, sort_keys=False)


def read(loader: DataLoader, source: Path) -> Inventory:
    loader.set_vault_secrets(SECRETS)
    loader.set_basedir(str(source.parent))
    inventory = Inventory(loader, [str(source)], lambda *_: None)
    inventory.read()
    return inventory


def outcome(loader: DataLoader, source: Path) -> Any:
    """Return everything that the inventory came to; of problems only that there were some, and the places."""
    inventory = read(loader, source)
    if inventory.problems:
        return [problem.subject for problem in inventory.problems]
    members = {name: [host.name for host in inventory.get_hosts(name)] for name in inventory.groups}
    depths = {name: (group.depth, group.priority) for name, group in inventory.groups.items()}
    # In which order a host has its groups is a matter of addresses in memory, with Ansible, too.
    belong = {host.name: sorted(group.name for group in host.groups) for host in inventory.hosts.values()}
    addresses = {host.name: (host.address, host.implicit) for host in inventory.hosts.values()}
    return [take_snapshot(inventory), members, depths, belong, addresses, inventory.localhost]


@RANDOM
@given(INVENTORIES, st.one_of(st.none(), st.none(), st.none(), ODD))
def test_an_inventory_comes_out_as_ansibles_own(inventory: Any, odd: Any) -> None:
    if odd is not None:
        inventory["base"]["vars"] = {"odd": odd}
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder), inventory, {})
        own, loader = outcome(DataLoader(), source), QuickLoader()
        quick = outcome(loader, source)
    assert loader.used or odd is not None
    assert repr(quick) == repr(own)  # 1, True and 1.0 are not the same


@RANDOM
@given(INVENTORIES, FILES)
def test_variables_are_ansibles_own(inventory: Any, files: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder), inventory, files)
        expected = list(all_variables(QuickLoader(), source, VariableManager))
        assert list(all_variables(QuickLoader(), source, QuickVariables)) == expected


def all_variables(loader: DataLoader, source: Path, kind: type[VariableManager]) -> Iterator[str]:
    inventory = read(loader, source)
    variables = kind(loader=loader, inventory=inventory, version_info={})
    HostVars(inventory, variables, loader)
    for host in list(inventory.hosts.values()) if not inventory.problems else []:
        try:
            found = variables.get_vars(host=host)
        except Exception as error:  # noqa: BLE001 - a variables file that is no mapping, and the like
            yield f"{host.name} {type(error).__name__}"
            continue
        assert isinstance(found.pop("hostvars"), HostVars)
        yield f"{host.name} {sorted((str(name), repr(encode(value))) for name, value in found.items())}"


@RANDOM
@given(
    st.recursive(
        st.one_of(
            st.sampled_from(TEXTS),
            st.sampled_from(FILLED),
            st.integers(),
            st.none(),
            st.booleans(),
        ),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("xyz"), inner)),
        max_leaves=5,
    ),
    st.fixed_dictionaries(
        {
            name: st.one_of(VALUES, st.sampled_from(INNER))
            for name in "abcd"
        }
    ),
    st.booleans(),
)  # fmt: skip
def test_what_is_filled_in_without_the_engine_is_what_the_engine_gives(
    template: Any, variables: dict[str, Any], trusted: bool
) -> None:
    known = {name: trust(value) if trusted else value for name, value in variables.items()}
    try:
        quick = fill(trust(template), known)
    except NotPlainError:
        return
    templar = Templar(loader=DataLoader(), variables=known)
    assert repr(quick) == repr(plain(templar.template(trust(template))))


def test_simple_templates_need_no_engine() -> None:
    template = trust({"url": "http://{{ ansible_host }}:{{ port }}/{{ name }}", "port": "{{ port }}", "n": 3})
    known = {
        "ansible_host": "10.0.0.1",
        "port": 8080,
        "name": trust_as_template("{{ short }}.lan"),
        "short": "a",
    }
    assert fill(template, known) == {"url": "http://10.0.0.1:8080/a.lan", "port": 8080, "n": 3}


@pytest.mark.parametrize(
    "text",
    [
        "all: {hosts: {a: &x {b: 1}, c: *x}}",
        "all: {hosts: {a: {v: &x [1, 2], w: *x}}}",
        "x: &x {b: 1}\nall: {hosts: {a: {<<: *x}}}",
        "all: {hosts: {a: {b: 1, b: 2}}}",
        "all: {hosts: {a: {b: !!binary aGk=}}}",
        "all: {hosts: {a: {b: 0x10, c: 010, d: 1_000, e: .inf, f: 12:30, g: ~, h: on}}}",
        "all: {hosts: {1: {a: 2}}}",
        "all:\n  hosts:\n    a: {b: }\n    ? c\n",
        "all: &a {children: {b: *a}}",
        "all: {hosts: [a]}",
        "all: {hosts: a}",
        "[1, 2]",
        "plugin: ansible.builtin.constructed",
        "all: {hosts: {a: {b: !no-such-tag x}}}",
        "{}",
        "",
        "a: 1\n---\nb: 2\n",
        "all: {hosts: {a: {b: [unclosed}}}",
        "---\nall: {hosts: {a: {b: 'it''s', c: \"x\\ty\\u00e9\", d: >-\n folded\n text\n }}}\n",
    ],
)
def test_unusual_texts_come_out_as_ansibles_own(text: str, tmp_path: Path) -> None:
    source = tmp_path / "hosts.yml"
    source.write_text(text)
    assert repr(outcome(QuickLoader(), source)) == repr(outcome(DataLoader(), source))


def test_the_quick_way_is_gone_where_it_can_be_and_values_keep_their_kinds(tmp_path: Path) -> None:
    inventory = {
        "all": {"hosts": {"a": {"v": Vaulted("door key"), "n": 1, "t": "{{ n }}", "b": True, "f": 0.5}}}
    }
    source = write(tmp_path, inventory, {})
    loader = QuickLoader()
    found = read(loader, source).hosts["a"].vars
    assert loader.used
    assert isinstance(found["v"], EncryptedString)
    assert (found["n"], found["b"], found["f"]) == (1, True, 0.5)
    assert json.loads(json.dumps(encode(found["t"]))) == "{{ n }}"  # trusted: it may be filled in
    other = QuickLoader()
    read(other, write(tmp_path, {"all": {"hosts": {"a": {"u": Unsafe("{{ x }}")}}}}, {}))
    assert not other.used


def test_problems_of_a_large_file_name_their_places(tmp_path: Path) -> None:
    """What was read without positions is read again with them."""
    text = "all:\n  hosts:\n    bad: {address: '{{ nowhere }}.lan', filler: " + "x" * 300_000 + "}\n"
    (tmp_path / "hosts.yml").write_text(text)
    (tmp_path / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\n")
    question = Question(patterns=("all",), templates={"probe": {"host": "{{ address }}"}})
    (problem,) = ask(question, tmp_path).problems
    assert f"{tmp_path}/hosts.yml:3:20: " in problem.message
    assert "'nowhere' is undefined" in problem.message
