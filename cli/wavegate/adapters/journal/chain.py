"""The hash chain: each event carries the hash of the one before, the first that of the plan.

What this finds: a row changed, missing, added or moved. What no chain can find by itself: somebody who takes
rows off the end and rewrites the rollout's own row to match.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from wavegate.core.codec import encode, kind_of
from wavegate.core.events import Event


class Link(Struct, frozen=True):
    """One row of the events table."""

    rollout_id: str
    seq: int
    at: float
    kind: str
    body: str
    previous_hash: str
    hash: str = ""

    def compute_hash(self) -> str:
        """Return the sha256 over the canonical JSON of everything else the row says, its body as a text."""
        said = [self.rollout_id, self.seq, self.at, self.kind, self.body, self.previous_hash]
        return hashlib.sha256(to_canonical_json(said).encode()).hexdigest()


class Finding(Struct, frozen=True):
    """One thing that is not as wavegate wrote it; `seq` is 0 when it is about the rollout or its plan."""

    rollout_id: str
    seq: int
    message: str


def to_canonical_json(data: Any) -> str:
    """Return the one text that equal data has: sorted keys, no spaces, ASCII only."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def link_events(
    rollout_id: str, last_seq: int, last_hash: str, events: Sequence[Event], at: float
) -> list[Link]:
    """Return the rows for the events, the first at `last_seq` + 1 and chained to `last_hash`."""
    links = []
    for seq, event in enumerate(events, start=last_seq + 1):
        body = to_canonical_json(encode(event))
        link = Link(rollout_id, seq, at, kind_of(event), body, last_hash)
        links.append(replace(link, hash=link.compute_hash()))
        last_hash = links[-1].hash
    return links


def check_links(
    rollout_id: str, links: Iterable[Link], plan_hash: str, last_seq: int, last_hash: str
) -> Iterator[Finding]:
    """Yield what is wrong with a rollout's rows (ordered by seq), given what its own row says of them."""
    seq, tail = 0, plan_hash
    for link in links:
        yield from _tell_missing(rollout_id, seq + 1, min(link.seq - 1, last_seq))
        if link.seq > last_seq:
            yield Finding(rollout_id, link.seq, f"event {link.seq} was added behind the journal's last")
        elif fault := _find_fault(link, tail, follows=link.seq == seq + 1):
            yield Finding(rollout_id, link.seq, fault)
        seq, tail = link.seq, link.hash
    yield from _tell_missing(rollout_id, seq + 1, last_seq)
    if seq == last_seq and tail != last_hash:
        yield Finding(rollout_id, seq, f"event {seq} is not the one that was written last")


def _find_fault(link: Link, tail: str, *, follows: bool) -> str:
    if link.compute_hash() != link.hash:
        return f"event {link.seq} ({link.kind}) was changed after it was written"
    if follows and link.previous_hash != tail:
        before = f"event {link.seq - 1}" if link.seq > 1 else "the plan"
        return f"event {link.seq} ({link.kind}) does not follow {before}: one of them was replaced"
    return ""


def _tell_missing(rollout_id: str, first: int, last: int) -> Iterator[Finding]:
    if first == last:
        yield Finding(rollout_id, first, f"event {first} is missing")
    elif first < last:
        yield Finding(rollout_id, first, f"events {first} to {last} are missing")
