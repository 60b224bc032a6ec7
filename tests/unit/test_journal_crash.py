"""A writer killed at any instant leaves a journal that reads, verifies and goes on."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.journal_samples import make_plan
from wavegate.adapters.journal import open_journal, owner_alive
from wavegate.core import events as ev

WRITER = """
import sys
from wavegate.adapters.journal import open_journal
from wavegate.core import events as ev
journal = open_journal(sys.argv[1])
journal.acquire("r1", 1)
seq = len(journal.read("r1"))
while True:
    count = 1 + seq % 7
    journal.append("r1", seq, [ev.WaveStarted(f"{seq}-{n}") for n in range(count)], seq)
    seq += count
    print(seq, flush=True)
"""


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_writer_loses_nothing_that_it_was_told_is_written(tmp_path: Path, seed: int) -> None:
    path, chance = str(tmp_path / "journal.db"), random.Random(seed)
    with open_journal(path) as journal:
        journal.create("r1", make_plan(), "f.yml", 1)
    for _ in range(2):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        for _ in range(chance.randrange(1, 60)):
            told = int(writer.stdout.readline())
        for _ in range(chance.randrange(20_000)):
            pass  # so that the kill falls anywhere in a transaction, not always behind a print
        writer.send_signal(signal.SIGKILL)
        told = max([told, *map(int, writer.communicate()[0].split())])
        with open_journal(path) as journal:
            records = journal.read("r1")
            assert len(records) >= told
            assert journal.verify("r1") == []
            assert not owner_alive(journal.find("r1"))
    with open_journal(path) as journal:
        journal.acquire("r1", 2)
        journal.append("r1", len(records), [ev.WaveCompleted("pilot")], 3)
