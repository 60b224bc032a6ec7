"""Where a rollout stood at some event, remembered for the next look: only what came after it is read then.

What is remembered goes by the hash of that event. A hash covers everything before it, so that a state
found by it is the fold of exactly these events, or the journal was changed, which `audit verify` tells.
It is an advantage and no truth: without the file, or with another wavegate's, everything is read.
"""

from __future__ import annotations

import json
import os
import pickle
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wavegate import __version__
from wavegate.adapters.journal.glance import read_glance
from wavegate.adapters.journal.reader import JournalReader
from wavegate.core import state as states
from wavegate.core.events import GateDecided, GateOpened, Record, WaveCompleted
from wavegate.core.folding import fold
from wavegate.core.state import State

WORTH = 500
"""How many events must have come since the last time."""
_CORE = "wavegate.core."


def glance_at(journal: JournalReader, rollout_id: str, folder: Path) -> State:
    """Return where the rollout stands, as folding `read_glance` tells; remember it in the folder.

    Raise WavegateError as `JournalReader.read`.
    """
    path = folder / f"{quote(rollout_id, safe='')}.glance"
    state = _recall(journal, rollout_id, path)
    records = read_glance(journal, rollout_id, state.seq)
    settled = _count_settled(records)
    fold(state, records[:settled])
    if settled >= WORTH:
        _keep(path, state, records[settled - 1].hash)
    return fold(state, records[settled:])


def _count_settled(records: Sequence[Record]) -> int:
    """Return how many records there are until no gate is open: of open ones more will have to be read."""
    settled, gates = 0, set()
    for number, record in enumerate(records, start=1):
        event = record.event
        if isinstance(event, GateOpened):
            gates.add((event.wave, event.side))
        elif isinstance(event, GateDecided):
            if event.side != "during":
                gates.discard((event.wave, event.side))
        elif isinstance(event, WaveCompleted):
            gates.discard((event.wave, "during"))
        if not gates:
            settled = number
    return settled


def _recall(journal: JournalReader, rollout_id: str, path: Path) -> State:
    try:
        with path.open("rb") as file:
            about = json.loads(file.readline())
            known = about["code"] == _code() and journal.hash_at(rollout_id, about["seq"]) == about["hash"]
            state = _Data(file).load() if known else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError):
        return State()
    return state if isinstance(state, State) and state.seq == about["seq"] else State()


class _Data(pickle.Unpickler):
    """Reads nothing but the core's own data and the counters in it."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "Counter"):
            return Counter
        found = super().find_class(module, name) if module.startswith(_CORE) else None
        if not isinstance(found, type) or not found.__module__.startswith(_CORE):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a state")
        return found


class _Writer(pickle.Pickler):
    """Writes an enum by its value: Python 3.11.0 to 3.11.3 write a call of `getattr`, which is never read."""

    def reducer_override(self, obj: Any) -> Any:
        return (type(obj), (obj.value,)) if isinstance(obj, Enum) else NotImplemented


def _keep(path: Path, state: State, hash_: str) -> None:
    """Write the state down for its owner alone; where that is not possible, it is not remembered."""
    about = json.dumps({"code": _code(), "seq": state.seq, "hash": hash_})
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        import tempfile  # not needed where nothing is new

        descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{about}\n".encode())
            _Writer(file, protocol=pickle.HIGHEST_PROTOCOL).dump(state)
        Path(draft).replace(path)


def _code() -> list[Any]:
    """Return what is another one when states may look otherwise, or mean something else."""
    found = [path.stat() for path in sorted(Path(states.__file__).parent.glob("*.py"))]
    return [__version__, *([status.st_mtime_ns, status.st_size] for status in found)]
