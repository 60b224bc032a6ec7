"""A bad change, as a person describes it: `breaks 30% after 20m, fails 5%`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from msgspec import Struct

from wavegate.core.quantity import format_duration, parse_duration
from wavegate.errors import InputError, Problem

EXAMPLES = "'breaks 30% after 20m', 'breaks 100% at once', 'fails 5%'; several are separated by commas"

_CLAUSE = re.compile(r"(?P<verb>[a-z]+)\s+(?P<share>\d+(?:\.\d+)?)\s*%\s*(?P<when>.*)", re.IGNORECASE)
_SENTENCES = {
    "breaks": "breaks {share} of hosts",
    "fails": "fails on {share} of hosts",
    "hangs": "hangs on {share} of hosts",
    "unreachable": "makes {share} of hosts unreachable",
    "flaky": "has good hosts measured bad {share} of the time",
    "errors": "has probes unable to measure {share} of the time",
}
VERBS = tuple(_SENTENCES)
_WHOLE = 100.0


class Clause(Struct, frozen=True):
    """One thing that a change does, to a share (0 to 1) of hosts or measurements; `after` in seconds."""

    verb: str
    share: float
    after: float = 0.0


def parse_change(text: str) -> tuple[Clause, ...]:
    """Return what the text says; raise InputError `bad-change-unclear` with all that makes no sense."""
    clauses, problems = [], []
    for part in text.split(","):
        try:
            clauses.append(_parse_clause(part.strip()))
        except ValueError as error:
            problems.append(Problem(str(error), path="--bad-change"))
    if problems:
        what = f"nobody can tell what the change {text!r} does"
        raise InputError("bad-change-unclear", what, problems, hint=f"write for example {EXAMPLES}")
    return tuple(clauses)


def tell_change(clauses: Sequence[Clause]) -> str:
    """Return the clauses as part of a sentence: `breaks 30 % of hosts after 20 min`."""
    return " and ".join(_tell(clause) for clause in clauses)


def _parse_clause(text: str) -> Clause:
    match = _CLAUSE.fullmatch(text)
    if not match:
        what = f"{text!r} is no verb with a percentage" if text else "there is nothing between commas"
        raise ValueError(what)
    verb, when = match["verb"].lower(), match["when"].strip().lower()
    if verb not in _SENTENCES:
        near = get_close_matches(verb, VERBS, n=1)
        known = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(VERBS)}"
        raise ValueError(f"there is no verb {verb!r}; {known}")
    share = float(match["share"])
    if share > _WHOLE:
        raise ValueError(f"{match['share']}% is more than 100%")
    return Clause(verb, share / _WHOLE, _parse_when(verb, when))


def _parse_when(verb: str, when: str) -> float:
    if when in {"", "at once"}:
        return 0.0
    if verb != "breaks":
        raise ValueError(f"only 'breaks' can say when: {verb!r} is followed by {when!r}")
    if not when.startswith("after "):
        raise ValueError(f"{when!r} is neither 'at once' nor 'after' with a duration")
    return parse_duration(when.removeprefix("after "))


def _tell(clause: Clause) -> str:
    sentence = _SENTENCES[clause.verb].format(share=f"{clause.share * _WHOLE:g} %")
    if clause.verb != "breaks":
        return sentence
    return f"{sentence} after {format_duration(clause.after)}" if clause.after else f"{sentence} at once"
