"""Where a rollout stands, without reading what only a decision needs: most of a journal is measurements.

A sweep of which nothing is shown but how many measurements were good is counted in its text, not decoded. The
text is canonical JSON (`chain.to_canonical_json`), in which a quote within a string is always escaped: what
is looked for here can only be structure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from wavegate.adapters.journal.reader import JournalReader, Row
from wavegate.core.codec import kind_of
from wavegate.core.events import GateDecided, Record, SweepCounted, SweepEnded, SweepStarted
from wavegate.core.outcomes import Reading

_STARTED, _ENDED, _DECIDED = kind_of(SweepStarted), kind_of(SweepEnded), kind_of(GateDecided)
_TARGETS, _REST = '"targets":[', '],"wave":'
_MEASUREMENTS, _NUMBER = '{"measurements":[', '],"number":'
_READINGS = {reading: f'"reading":"{reading.value}"' for reading in Reading}
_ANY_READING = '"reading":"'

_Series = tuple[str, str, str]


def read_glance(journal: JournalReader, rollout_id: str, after: int = 0) -> Sequence[Record]:
    """Return the rollout's records with seq > `after`, in order.

    Sweeps are counted wherever no verdict needs more of them, and their targets are left out. Of a gate that
    was not decided, the last sweep of each probe is whole, and so are all of a background gate, whose few
    measurements tell what users felt. Raise WavegateError as `JournalReader.read`.
    """
    rows = list(journal.rows(rollout_id, after))
    counted: dict[int, Record] = {}
    last: dict[_Series, int] = {}
    for place, row in enumerate(rows):
        if row[2] == _ENDED and (sweep := _count(row[3])):
            counted[place] = Record(row[0], row[1], sweep, row[4])
            last[sweep.wave, sweep.side, sweep.probe] = place
        elif row[2] == _STARTED:
            rows[place] = (row[0], row[1], row[2], _without_targets(row[3]), row[4])
        elif row[2] == _DECIDED:
            gate = journal.decode(row).event
            assert isinstance(gate, GateDecided)  # noqa: S101 - what its kind says
            last = {series: at for series, at in last.items() if series[:2] != (gate.wave, gate.side)}
    for place in last.values():
        del counted[place]
    return list(_merge(journal, rows, counted))


def _merge(journal: JournalReader, rows: Sequence[Row], counted: dict[int, Record]) -> Iterator[Record]:
    whole = iter(journal.decode_all([row for place, row in enumerate(rows) if place not in counted]))
    for place, _ in enumerate(rows):
        yield counted.get(place) or next(whole)


def _count(body: str) -> SweepCounted | None:
    """Return the sweep in numbers; None when it has to be read, or is not as this wavegate writes it."""
    end = body.rfind(_NUMBER)
    if end < 0 or not body.startswith(_MEASUREMENTS):
        return None
    try:
        rest = json.loads("{" + body[end + 2 :])
        names = (rest["wave"], rest["side"], rest["probe"], rest["number"])
    except (ValueError, KeyError):
        return None
    if names[1] == "during":
        return None
    body = body[:end]  # what it is compared with comes after that
    # One measurement after the other says its reading; where all are good, nothing else is looked for.
    counts = {Reading.GOOD: body.count(_READINGS[Reading.GOOD])}
    if counts[Reading.GOOD] < body.count(_ANY_READING):
        counts = {reading: body.count(text) for reading, text in _READINGS.items()}
    return SweepCounted(*names, (), counts=counts)


def _without_targets(body: str) -> str:
    start, end = body.find(_TARGETS), body.rfind(_REST)
    return body[: start + len(_TARGETS)] + body[end:] if 0 <= start < end else body
