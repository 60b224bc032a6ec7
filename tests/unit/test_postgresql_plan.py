"""What a declared migration of the role postgresql means, and everything that is wrong with it at once."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.programs import ROOT


def load() -> ModuleType:
    """Return the program as the host gets it: what the role's programs share, then its own."""
    module = ModuleType("migrate")
    for name in ("server.py", "migrate.py"):
        exec(compile((ROOT / "roles/postgresql/files" / name).read_text(), name, "exec"), module.__dict__)
    return module


program = load()


def table(name: str, /, **columns: str) -> dict[str, Any]:
    listed = [
        {"name": column, "type": kind, "generated": kind == "computed"} for column, kind in columns.items()
    ]
    return {"schema": "public", "name": name, "columns": listed}


def key(name: str, source: str, column: str, goal: str, other: str) -> dict[str, Any]:
    return {"name": name, "valid": True, "from": source, "to": goal, "columns": [column], "others": [other]}


def sequence(name: str, owner: str | None, column: str | None) -> dict[str, Any]:
    return {"schema": "public", "name": name, "table": owner, "column": column}


OLD = {
    "tables": [
        table("customer", id="integer", name="text", fax="text"),
        table("orders", id="integer", buyer="integer"),
    ],
    "keys": [key("orders_buyer", "public.orders", "buyer", "public.customer", "id")],
    "sequences": [sequence("customer_id_seq", "public.customer", "id")],
}
NEW = {
    "tables": [
        table("client", id="bigint", name="text", shout="computed"),
        table("orders", id="bigint", client="bigint"),
    ],
    "keys": [key("orders_client", "public.orders", "client", "public.client", "id")],
    "sequences": [sequence("client_id_seq", "public.client", "id")],
}
DECLARED = {
    "tables": [
        {
            "from": "public.customer",
            "to": "public.client",
            "leave": ["fax"],
            "columns": {"name": "trim(name)"},
            "where": "name <> ''",
            "rejects": 2,
        },
        {"from": "public.orders", "columns": {"client": "buyer"}},
    ]
}


def plan(declared: dict[str, Any], old: dict[str, Any] = OLD, new: dict[str, Any] = NEW) -> Any:
    return program.Plan(declared, old, new)


def test_a_complete_declaration_has_no_problem_and_maps_everything() -> None:
    found = plan(DECLARED)
    assert found.problems == []
    assert [(one["from"], one["to"], one["where"], one["rejects"]) for one in found.tables] == [
        ("public.customer", "public.client", "name <> ''", 2),
        ("public.orders", "public.orders", "true", 0),
    ]
    assert found.tables[0]["rules"] == {"id": ('"id"', "bigint"), "name": ("trim(name)", "text")}
    assert found.keys == [{"source": "orders_buyer", "target": "orders_client"}]
    assert found.sequences == [{"from": "public.customer_id_seq", "to": "public.client_id_seq"}]


def without(*path: Any) -> dict[str, Any]:
    """Return the declaration without the value at the path."""
    tables = [{**one, "columns": dict(one["columns"])} for one in DECLARED["tables"]]
    holder: Any = tables
    for step in path[:-1]:
        holder = holder[step]
    del holder[path[-1]]
    return {"tables": tables}


def leaving(name: str) -> dict[str, Any]:
    return {**DECLARED, "leave": {"tables": [name]}}


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (without(0, "leave"), "public.customer.fax goes nowhere; map it, or leave it."),
        (without(1, "columns", "client"), "public.orders.buyer goes nowhere; map it, or leave it."),
        (without(0, "to"), "public.customer goes to public.customer, which the target does not have"),
        (without(0), "public.customer goes to public.customer, which the target does not have"),
        (
            {**DECLARED, "leave": {"tables": ["public.orders"]}},
            "public.orders is both mapped and left behind.",
        ),
        ({**DECLARED, "leave": {"tables": ["public.ghost"]}}, "The source has no table public.ghost."),
    ],
)
def test_what_would_be_lost_is_a_problem(declared: dict[str, Any], problem: str) -> None:
    assert any(told.startswith(problem) for told in plan(declared).problems)


def test_two_tables_may_not_become_one() -> None:
    merged = {"tables": [{**DECLARED["tables"][0]}, {"from": "public.orders", "to": "public.client"}]}
    assert "Two tables of the source go to public.client." in plan(merged).problems


def test_a_computed_column_is_not_written() -> None:
    tables = [{**DECLARED["tables"][0], "columns": {"shout": "upper(name)"}}, DECLARED["tables"][1]]
    assert "public.client has no column shout that can be written." in plan({"tables": tables}).problems


def test_a_foreign_key_without_partner_is_a_problem_unless_it_is_left() -> None:
    bare = {**NEW, "keys": []}
    assert any(told.startswith("The foreign key orders_buyer") for told in plan(DECLARED, new=bare).problems)
    assert plan({**DECLARED, "leave": {"foreign_keys": ["orders_buyer"]}}, new=bare).problems == []


def test_a_sequence_without_partner_is_a_problem_unless_it_is_left() -> None:
    bare = {**NEW, "sequences": []}
    assert any(
        told.startswith("The sequence public.customer_id_seq") for told in plan(DECLARED, new=bare).problems
    )
    assert plan({**DECLARED, "leave": {"sequences": ["public.customer_id_seq"]}}, new=bare).problems == []


def test_all_problems_are_told_at_once() -> None:
    assert len(plan({}).problems) >= 3


def test_names_are_quoted_whatever_they_hold() -> None:
    assert program.ident('it"s') == '"it""s"'
    assert program.literal("it's") == "'it''s'"
    assert program.quoted('public.a "b"') == '"public"."a ""b"""'
