"""What the intranet role reads from a repository: which versions all packages have, and what is in them."""

from __future__ import annotations

from types import ModuleType

import pytest

from tests.programs import load_program


@pytest.fixture
def look() -> ModuleType:
    return load_program("roles/intranet/files/look.py")


def offered(**versions: dict[str, str]) -> dict[str, dict[str, str]]:
    return versions


def test_versions_come_oldest_first_as_dpkg_orders_them_and_only_those_of_all_packages(
    look: ModuleType,
) -> None:
    digests = look.digests_of(
        offered(
            intranet={"1.10": "a", "1.2": "b", "1.9~rc1": "c", "2.0": "d"},
            libintranet={"1.2": "e", "1.9~rc1": "f", "1.10": "g"},
        )
    )
    assert list(digests) == ["1.2", "1.9~rc1", "1.10"]
    assert len(set(digests.values())) == 3


def test_the_digest_changes_when_any_package_was_built_again(look: ModuleType) -> None:
    before = look.digests_of(offered(intranet={"1.1": "a"}, libintranet={"1.1": "b"}))
    again = look.digests_of(offered(libintranet={"1.1": "b"}, intranet={"1.1": "a"}))
    after = look.digests_of(offered(intranet={"1.1": "a"}, libintranet={"1.1": "B"}))
    assert before == again
    assert before != after


@pytest.mark.parametrize("nothing", [{}, {"error": "no answer"}])
def test_a_repository_that_was_not_asked_or_does_not_answer_offers_nothing(
    look: ModuleType, nothing: dict[str, str]
) -> None:
    assert look.digests_of(nothing) == {}
