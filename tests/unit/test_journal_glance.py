"""What `status` reads is less than everything, and tells the same."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.journal_samples import ONE_OF_EACH, begin
from tests.world import Bench, KilledError, World, make_fleet, plan_of, wave
from wavegate.adapters.journal import glance as glances
from wavegate.adapters.journal import glance_at, look_into_journal, open_journal, read_glance, remembered
from wavegate.adapters.journal.chain import to_canonical_json
from wavegate.core import events as ev
from wavegate.core.codec import encode
from wavegate.core.folding import fold
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.reports.standing import standing_json, take_standing


def plan_with_gates() -> Plan:
    groups = {"pilot": 3, "site": 10}
    waves = [wave(name, batch=[2], in_flight=4, before="healthy", after="healthy") for name in groups]
    return plan_of(make_fleet(**groups), *waves)


READINGS = {
    "all good": lambda probe, host, now: Reading.GOOD,
    "one bad": lambda probe, host, now: Reading.BAD if host.endswith("1") else Reading.GOOD,
    "some errors": lambda probe, host, now: Reading.ERROR if int(now) % 3 else Reading.GOOD,
}


@pytest.mark.parametrize("name", READINGS)
def test_a_glance_tells_what_the_whole_journal_tells_at_every_moment(name: str) -> None:
    plan, world = plan_with_gates(), World(reading=READINGS[name])
    bench = Bench(plan, world)
    bench.run()
    whole, said = State(), []
    for record in bench.records:
        fold(whole, [record])
        said.append(standing_json(take_standing(plan, whole, record.at)))
    for number, record in enumerate(bench.records, start=1):
        with open_journal("sqlite://") as journal:
            journal.create("r1", plan, "x.yml", 1.0)
            journal.acquire("r1", 1.0)
            for seq, one in enumerate(bench.records[:number]):
                journal.append("r1", seq, [one.event], one.at)
            state = fold(State(), read_glance(journal, "r1"))
        assert standing_json(take_standing(plan, state, record.at)) == said[number - 1]


def test_a_glance_of_a_rollout_that_was_resumed_is_the_same() -> None:
    plan = plan_with_gates()
    bench = Bench(plan, World(fate=lambda host, _: Outcome.DONE), die_after=14)
    with pytest.raises(KilledError):
        bench.engine().start("test")
    bench.die_after = None
    bench.world.forget_the_future()
    whole = bench.engine().resume("test")
    state = fold(State(), read_glance(bench.journal, "r1"))
    assert take_standing(plan, state, state.at) == take_standing(plan, whole, state.at)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    st.lists(st.builds(ev.Measurement, value=st.none() | st.floats(allow_nan=False))),
    st.text() | st.sampled_from(['"reading":"good"', '],"number":7', "\\"]),
    st.sampled_from(['"reading":"good"', '{"reading":"bad"},', '],"number":7', "}", ""]),
)
def test_counting_a_sweep_in_its_text_finds_what_decoding_finds(
    measurements: list[ev.Measurement], name: str, detail: str
) -> None:
    more = (ev.Measurement(detail, Reading.ERROR, detail, None), *measurements)
    sweep = ev.SweepEnded(name, "after", name, 3, more)
    counted = glances._count(to_canonical_json(encode(sweep)))
    assert counted
    assert (counted.wave, counted.side, counted.probe, counted.number) == (name, "after", name, 3)
    for reading in Reading:
        expected = sum(1 for measurement in more if measurement.reading is reading)
        assert counted.counts.get(reading, 0) == expected
    started = ev.SweepStarted(name, "after", name, 3, (detail, name))
    stripped = json.loads(glances._without_targets(to_canonical_json(encode(started))))
    assert stripped == {**json.loads(to_canonical_json(encode(started))), "targets": []}


def test_looking_at_a_file_imports_no_database_library(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = tmp_path / ".wavegate" / "journal.db"
    with open_journal(str(path)) as journal:
        begin(journal)
        journal.append("r1", 0, ONE_OF_EACH[:2], 1)
    (tmp_path / "ansible.cfg").touch()
    script = (
        "import sys\nfrom wavegate.main import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'sqlalchemy', 'alembic', 'pydantic', 'yaml', 'psutil'}\n"
        "print('heavy:', *heavy.intersection(sys.modules))"
    )
    for verb in (["status"], ["history"], ["events"], ["lock", "show"], ["audit", "verify"]):
        command = [sys.executable, "-c", script, *verb]
        told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert told.splitlines()[-1].strip() == "heavy:", verb


def test_an_event_that_makes_no_sense_is_told_by_a_glance_too(tmp_path: Path) -> None:
    import sqlite3

    from wavegate.errors import WavegateError

    path = tmp_path / "journal.db"
    with open_journal(str(path)) as journal:
        begin(journal)
        journal.append("r1", 0, ONE_OF_EACH, 1)
    for seq, body in ((9, "{"), (9, '{"measurements":[],"number":'), (2, "[]"), (11, "{}")):
        with sqlite3.connect(path) as connection:
            (before,) = connection.execute("SELECT body FROM events WHERE seq = ?", (seq,)).fetchone()
            connection.execute("UPDATE events SET body = ? WHERE seq = ?", (body, seq))
        with look_into_journal(str(path)) as reader, pytest.raises(WavegateError) as caught:
            read_glance(reader, "r1")
        assert caught.value.code == "journal-damaged"
        with sqlite3.connect(path) as connection:
            connection.execute("UPDATE events SET body = ? WHERE seq = ?", (before, seq))


@pytest.mark.parametrize("name", READINGS)
def test_a_remembered_glance_tells_the_same_at_every_moment(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "WORTH", 1)
    plan, world = plan_with_gates(), World(reading=READINGS[name])
    bench = Bench(plan, world)
    bench.run()
    whole, recalled = State(), 0
    with open_journal(str(tmp_path / "journal.db")) as journal:
        journal.create("r/1", plan, "x.yml", 1.0)
        journal.acquire("r/1", 1.0)
        for record in bench.records:
            journal.append("r/1", record.seq - 1, [record.event], record.at)
            fold(whole, [record])
            recalled += remembered._recall(journal, "r/1", tmp_path / "glances/r%2F1.glance").seq > 0
            state = glance_at(journal, "r/1", tmp_path / "glances")
            told, said = (standing_json(take_standing(plan, each, record.at)) for each in (state, whole))
            assert told == said
    assert recalled > len(bench.records) / 2
    (path,) = (tmp_path / "glances").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_glance_is_not_recalled_for_other_events_or_another_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "WORTH", 1)
    plan = plan_with_gates()

    def look(by: str) -> str:
        with open_journal("sqlite://") as journal:
            journal.create("r1", plan, "x.yml", 1.0)
            journal.acquire("r1", 1.0)
            journal.append("r1", 0, [ev.RolloutStarted("r1", "x", by), ev.WaveStarted("pilot")], 1.0)
            return glance_at(journal, "r1", tmp_path).by

    assert look("first") == "first"
    assert look("other") == "other"  # the same number of events, another hash
    (path,) = tmp_path.iterdir()
    kept = path.read_bytes()
    about, _, body = kept.partition(b"\n")
    for damaged in (b"", b"{}\n", about, kept[:-4], about + b"\n" + pickle.dumps(Path("x")), b"\xff" + kept):
        path.write_bytes(damaged)
        assert look("other") == "other"
    assert body
    path.write_bytes(kept.replace(b'"code": ["', b'"code": ["older '))
    assert look("other") == "other"
    assert b"older" not in path.read_bytes()
