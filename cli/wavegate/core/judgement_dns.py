"""What a name server's answer means, measured against what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from wavegate.core.judgement import Judgement, seconds_text
from wavegate.core.outcomes import Reading


class DnsAnswer(Struct, frozen=True, kw_only=True):
    """The records that came, each as text, and after how many seconds; `asked` is name and type."""

    asked: str
    records: Sequence[str]
    seconds: float


def judge_dns(answer: DnsAnswer, wanted: Sequence[str], max_latency: float | None) -> Judgement:
    """Return good when the records are those that are wanted (any, where none are named) and came in time."""
    complaints = [*_judge_records(answer, wanted), *_judge_latency(answer, max_latency)]
    if complaints:
        return Judgement(Reading.BAD, "; ".join(complaints), answer.seconds)
    sentence = f"{answer.asked} is {_list(answer.records)}, in {seconds_text(answer.seconds)}"
    return Judgement(Reading.GOOD, sentence, answer.seconds)


def _judge_records(answer: DnsAnswer, wanted: Sequence[str]) -> Iterator[str]:
    if wanted and set(answer.records) != set(wanted):
        yield f"{answer.asked} is {_list(answer.records)}, wanted {_list(wanted)}"


def _judge_latency(answer: DnsAnswer, max_latency: float | None) -> Iterator[str]:
    if max_latency is not None and answer.seconds > max_latency:
        yield f"took {seconds_text(answer.seconds)}, wanted at most {seconds_text(max_latency)}"


def _list(records: Sequence[str]) -> str:
    return ", ".join(sorted(set(records)))
