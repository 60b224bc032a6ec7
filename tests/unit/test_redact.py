from __future__ import annotations

import json
import shlex

import pytest

from wavegate.adapters.redact import Redactor

SECRET = 'it\'s "a\\b"\tsecrét'


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        json.dumps(json.dumps({"x": SECRET})),
        repr(SECRET),
        shlex.quote(SECRET),
        f"password={SECRET};",
    ],
)
def test_a_secret_is_masked_however_it_is_spelled(spelled: str) -> None:
    masked = Redactor({SECRET})(f"before {spelled} after")
    assert "********" in masked
    assert "secr" not in masked
    assert masked.startswith("before ")
    assert masked.endswith(" after")


def test_the_longest_secret_wins() -> None:
    assert Redactor({"hunter", "hunter2-long"})("hunter2-long hunter") == "******** ********"


def test_each_line_of_a_secret_with_several_lines_is_masked() -> None:
    key = "-----BEGIN-----\nabcdefgh\n-----END-----\n"
    masked = Redactor({key})("found abcdefgh in " + key)
    assert "abcdefgh" not in masked


@pytest.mark.parametrize("secrets", [set(), {""}, {"ab"}, {"   "}, {"\n"}])
def test_what_is_too_short_to_be_a_secret_garbles_nothing(secrets: set[str]) -> None:
    assert Redactor(secrets)("about   a cab\n") == "about   a cab\n"


def test_a_secret_is_no_regular_expression() -> None:
    assert Redactor({"a.*b+"})("axxb a.*b+") == "axxb ********"
