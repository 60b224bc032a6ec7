"""What an observation means: observation and expectation in, reading and one sentence out.

Bad is what was measured and is not as wanted; an error has measured nothing (design 4.4). The line is drawn
at the service: whatever it does or fails to do at its address is measured; what keeps the question from
reaching an address (no name, no network, a setting that makes no sense) is not. A sentence names what was
seen and what was wanted; it is whole: shortening and redacting are left to whoever shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from wavegate.core.events import Asked
from wavegate.core.outcomes import Reading


class Judgement(Struct, frozen=True):
    """What an observation means; `value` is its number: of a kind in TIMED, how many seconds it took.

    `asked` is there where the observation is of many requests.
    """

    reading: Reading
    detail: str
    value: float | None = None
    asked: Asked | None = None


TIMED = frozenset({"http", "tcp", "dns", "webhook"})
"""The kinds whose value is a latency; those of others count something else, which only the asker knows."""


class Trouble(StrEnum):
    """What came instead of an answer."""

    REFUSED = "refused"
    RESET = "reset"
    HOST_GONE = "host_gone"
    NOT_ACCEPTED = "not_accepted"
    NOT_ANSWERED = "not_answered"
    NOT_FINISHED = "not_finished"
    BROKEN_OFF = "broken_off"
    CERTIFICATE = "certificate"
    HANDSHAKE = "handshake"
    NOT_HTTP = "not_http"
    REDIRECTED_AWAY = "redirected_away"
    REDIRECTED_TOO_OFTEN = "redirected_too_often"
    UNRESOLVED = "unresolved"
    RESOLVING = "resolving"
    NO_NETWORK = "no_network"
    OWN_LIMIT = "own_limit"
    UNUSABLE = "unusable"
    UNEXPECTED = "unexpected"
    STOPPED = "stopped"
    NO_PROGRAM = "no_program"
    ENDLESS_PROGRAM = "endless_program"
    NOT_ANSWERED_HOST = "not_answered_host"
    ENDLESS_KIND = "endless_kind"


TROUBLES: Mapping[Trouble, tuple[Reading, str]] = {
    Trouble.REFUSED: (Reading.BAD, "{where} refuses the connection"),
    Trouble.RESET: (Reading.BAD, "{where} closed the connection without an answer"),
    # A host that vanished from its own network is told by the kernel after about 3 s; with a shorter timeout
    # the same host is NOT_ACCEPTED. The reading must not depend on which of the two comes first.
    Trouble.HOST_GONE: (Reading.BAD, "no host answers at {where}"),
    Trouble.NOT_ACCEPTED: (Reading.BAD, "{where} accepted no connection within {more}"),
    Trouble.NOT_ANSWERED: (Reading.BAD, "{where} accepted the connection and did not answer within {more}"),
    Trouble.NOT_FINISHED: (Reading.BAD, "{where} began to answer and did not finish within {more}"),
    Trouble.BROKEN_OFF: (Reading.BAD, "{where} broke off its answer: {more}"),
    # Whoever wanted the certificate verified wants to hear that it does not hold; that was measured.
    Trouble.CERTIFICATE: (Reading.BAD, "{where} presents a certificate that does not hold: {more}"),
    Trouble.HANDSHAKE: (Reading.BAD, "{where} makes no TLS handshake: {more}"),
    Trouble.NOT_HTTP: (Reading.BAD, "{where} answers with something that is not proper HTTP: {more}"),
    Trouble.REDIRECTED_AWAY: (Reading.BAD, "{where} redirects to {more}"),
    Trouble.REDIRECTED_TOO_OFTEN: (Reading.BAD, "{where} redirects more than {more} times"),
    Trouble.UNRESOLVED: (Reading.ERROR, "the name of {where} cannot be resolved: {more}"),
    Trouble.RESOLVING: (Reading.ERROR, "the name of {where} was not resolved within {more}"),
    Trouble.NO_NETWORK: (Reading.ERROR, "there is no way to {where} from here: {more}"),
    Trouble.OWN_LIMIT: (Reading.ERROR, "this machine could not ask {where}: {more}"),
    Trouble.UNUSABLE: (Reading.ERROR, "cannot be measured with these settings: {more}"),
    Trouble.UNEXPECTED: (Reading.ERROR, "the measurement itself failed: {more}"),
    Trouble.STOPPED: (Reading.ERROR, "the measurement was stopped before it had an answer"),
    Trouble.NO_PROGRAM: (Reading.ERROR, "{where} cannot be run: {more}"),
    Trouble.ENDLESS_PROGRAM: (Reading.ERROR, "{where} did not end within {more} and was killed"),
    Trouble.NOT_ANSWERED_HOST: (Reading.ERROR, "the host could not be asked: {more}"),
    Trouble.ENDLESS_KIND: (Reading.ERROR, "the probe kind {where} gave no answer within {more}"),
}
"""Every trouble with its reading and its sentence: the whole line between bad and error."""


def judge_trouble(trouble: Trouble, where: str = "", more: str = "") -> Judgement:
    """Return what the trouble means; `where` is who was asked, `more` the reason or the limit."""
    reading, sentence = TROUBLES[trouble]
    return Judgement(reading, sentence.format(where=where, more=more))


def judge_unexpected(error: Exception) -> Judgement:
    """Return what a surprise inside a measurement means."""
    return judge_trouble(Trouble.UNEXPECTED, more=f"{type(error).__name__}: {error}")


_SHORTEST = 0.001


def seconds_text(seconds: float) -> str:
    """Return the duration as people write it (`2 s`, `0.012 s`)."""
    if seconds < _SHORTEST:
        return f"less than {_SHORTEST} s"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + " s"


class ProgramEnd(Struct, frozen=True):
    """How a program ended: its exit code (negative: the signal that killed it) and its last words.

    `output` is everything that it wrote to standard output, None when that was more than is kept.
    """

    code: int
    last_output: str = ""
    last_error: str = ""
    output: bytes | None = b""


def judge_command(expected_code: int, end: ProgramEnd) -> Judgement:
    """Return good for the expected exit code, bad for another, error for a program that was killed."""
    words = end.last_output or end.last_error
    if end.code < 0:
        return _with_words(Reading.ERROR, f"was killed by signal {-end.code} before it could answer", words)
    if end.code == expected_code:
        return _with_words(Reading.GOOD, f"ended with exit code {end.code}", words)
    words = end.last_error or end.last_output
    return _with_words(Reading.BAD, f"ended with exit code {end.code}, wanted {expected_code}", words)


def _with_words(reading: Reading, sentence: str, words: str) -> Judgement:
    return Judgement(reading, f"{sentence}: {words}" if words else sentence)
