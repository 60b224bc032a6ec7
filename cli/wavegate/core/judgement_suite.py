"""What the tests of a suite mean for one host."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct

from wavegate.core.findings import count_text
from wavegate.core.judgement import Judgement
from wavegate.core.outcomes import Reading

_NAMED = 3


class Result(StrEnum):
    """How one test ended on one host. A test that broke instead of asserting has measured nothing."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"
    SKIPPED = "skipped"


class SuiteCase(Struct, frozen=True):
    """One test on one host ("" for a test that asks no host); `message` says why it did not pass."""

    host: str
    test: str
    result: Result
    message: str = ""


def judge_suite(host: str, results: Sequence[SuiteCase], trouble: str = "") -> Judgement:
    """Return what the suite's tests say about the host; `trouble` is what kept the suite from its end.

    One failed test is bad, whatever else there is. A broken test, trouble, or no test that passed on this
    very host is an error: a suite that tests nothing is never good.
    """
    own = [one for one in results if one.host in {host, ""}]
    passed = [one for one in own if one.result is Result.PASSED and one.host == host]
    if failed := [one for one in own if one.result is Result.FAILED]:
        return Judgement(
            Reading.BAD, f"{len(failed)} of {count_text(len(own), 'test')} failed: {_tell(failed)}"
        )
    if broken := [one for one in own if one.result is Result.BROKEN]:
        return Judgement(
            Reading.ERROR,
            f"{len(broken)} of {count_text(len(own), 'test')} could not be carried out: {_tell(broken)}",
        )
    if trouble:
        return Judgement(Reading.ERROR, f"the suite did not get through: {trouble}")
    if not passed:
        skipped = [one for one in own if one.result is Result.SKIPPED]
        why = (
            f"every test was skipped: {_tell(skipped)}" if skipped else "the suite has no test for this host"
        )
        return Judgement(Reading.ERROR, why)
    skipped = [one for one in own if one.result is Result.SKIPPED]
    more = f", {len(skipped)} skipped" if skipped else ""
    return Judgement(Reading.GOOD, f"{count_text(len(passed), 'test')} passed{more}: {_names(passed)}")


def _tell(results: Sequence[SuiteCase]) -> str:
    told = [f"{one.test}: {one.message}" if one.message else one.test for one in results[:_NAMED]]
    return "; ".join(told) + (f"; and {len(results) - _NAMED} more" if len(results) > _NAMED else "")


def _names(results: Sequence[SuiteCase]) -> str:
    return ", ".join(one.test for one in results)
