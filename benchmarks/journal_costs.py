"""What does it cost to look into a large journal, and to write durably into one?

    python benchmarks/journal_costs.py [--events 1000000] [--hosts 5000] [--repeat N] [--keep FOLDER]

Builds a project whose journal (SQLite) holds one open rollout over many hosts and as many closed ones as it
takes to reach the number of events; all as the engine wrote them in the fake world of tests/world.py.
Then it measures whole processes, beside the cheapest program that imports click; what `resume` does before
its first decision (read, decode, fold); and durable commits, one event each, beside bare fsyncs.
With `--keep`, the project is left in that folder, and used again when it is there.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from _project import make_project, wavegate, write_rollout
from _timing import Timing, describe_machine, run_in_turns

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.adapters.journal import SqlJournal, look_into_journal, open_journal
from wavegate.commands.run import command as run
from wavegate.core import events as ev
from wavegate.core.folding import fold
from wavegate.core.plan import Plan
from wavegate.core.state import State

OPEN, CLOSED = "5a0e0000", "c105ed{:02x}"
_AT_ONCE = 2000


def main() -> int:
    """Build the journal, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--hosts", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--sleeping", type=int, default=20, help="hosts of a real wave that sleeps")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wavegate-journal-") as name:
        project = options.keep or Path(name)
        location = project / ".wavegate" / "journal.db"
        if not location.exists():
            project.mkdir(exist_ok=True)
            build(make_project(project, hosts=2), location, options.events, options.hosts)
        describe(location)
        look(project, options.repeat)
        resume(location, options.repeat)
        commit(project)
    with tempfile.TemporaryDirectory(prefix="wavegate-share-") as name:
        share(Path(name), options.sleeping)
    return 0


def build(project: Path, location: Path, events: int, hosts: int) -> None:
    """Write the journal of the project."""
    started = time.monotonic()
    with open_journal(str(location)) as journal:
        groups = {f"site{number:02d}": hosts // 20 for number in range(20)}
        waves = [wave(name, batch=[10], in_flight=50, after="healthy") for name in groups]
        plan = plan_of(make_fleet(**groups), *waves)
        walked = walk(plan)
        # It is looked at in the middle of its last soak: nothing of that gate is decided yet.
        write(journal, OPEN, plan, walked[:-8])
        written = len(walked) - 8
        filler = plan_of(make_fleet(all=hosts), wave("all", batch=[1], in_flight=10))
        copy = walk(filler)
        number = 0
        while written < events:
            part = copy[: events - written] if events - written < len(copy) else copy
            ended = part if part is copy else [*part[:-1], copy[-1]]
            write(journal, CLOSED.format(number), filler, ended)
            written, number = written + len(ended), number + 1
    print(f"built in {time.monotonic() - started:.0f} s: {location} in {project}")


def walk(plan: Plan) -> list[ev.Event]:
    """Return the events of the whole walk of the plan."""
    bench = Bench(plan, World())
    bench.run()
    return [record.event for record in bench.records]


def write(journal: SqlJournal, rollout_id: str, plan: Plan, events: Sequence[ev.Event]) -> None:
    """Write a rollout with these events, one second apart from page to page."""
    journal.create(rollout_id, plan, "rollouts/x.yml", 1.0)
    journal.acquire(rollout_id, 1.0)
    for seq in range(0, len(events), _AT_ONCE):
        journal.append(rollout_id, seq, events[seq : seq + _AT_ONCE], float(seq))
    journal.release(rollout_id)


def describe(location: Path) -> None:
    """Say how large the journal is."""
    with look_into_journal(str(location)) as journal:
        rollouts = journal.rollouts()
        counts = {row.id: sum(1 for _ in journal.rows(row.id)) for row in rollouts}
        hosts = len(journal.plan(OPEN).hosts)
    size = location.stat().st_size / 1e6
    print(f"{sum(counts.values()):,} events in {len(rollouts)} rollouts, {size:.0f} MB; {describe_machine()}")
    print(f"the open one: {hosts:,} hosts, {counts[OPEN]:,} events\n")


def look(project: Path, repeat: int) -> None:
    """Measure the verbs that look, as whole processes."""
    python, status = sys.executable, f"exec {wavegate()[0]} status"
    timings = [
        Timing("python -c pass", [python, "-c", "pass"]),
        Timing("import click", [python, "-c", "import click"]),
        Timing("wavegate --help", [*wavegate(), "--help"]),
        Timing("wavegate status, first", ["sh", "-c", f"rm -rf .wavegate/cache/glances; {status}"]),
        Timing("wavegate status", [*wavegate(), "status"]),
        Timing("wavegate status --json", [*wavegate(), "status", "--json"]),
        Timing("wavegate history", [*wavegate(), "history"]),
        Timing("wavegate lock show", [*wavegate(), "lock", "show"]),
    ]
    run_in_turns(timings, repeat, project, dict(os.environ))
    base = timings[1].median_wall
    print(f"{'whole process':24}{'wall s':>9}{'CPU s':>9}{'beyond click':>14}{'least':>9}")
    for timing in timings:
        wall, cpu = timing.median_wall, timing.median_cpu
        print(f"{timing.name:24}{wall:9.3f}{cpu:9.3f}{wall - base:+14.3f}{min(timing.wall):9.3f}")


def resume(location: Path, repeat: int) -> None:
    """Measure what stands between `resume` and its first decision."""
    reading, folding = [], []
    for _ in range(repeat):
        with look_into_journal(str(location)) as journal:
            start = time.perf_counter()
            records = journal.read(OPEN)
            read = time.perf_counter()
        fold(State(), records)
        reading.append(read - start)
        folding.append(time.perf_counter() - read)
    measured = sum(len(r.event.measurements) for r in records if isinstance(r.event, ev.SweepEnded))
    print(f"\nresume: read and decode {min(reading):.3f} s, fold {min(folding):.3f} s (least of {repeat};")
    print(f"  {len(records):,} events with {measured:,} measurements)")


def commit(project: Path, count: int = 3000) -> None:
    """Measure durable commits of one event each, beside bare appends with fsync."""
    plan = plan_of(make_fleet(all=2), wave("all"))
    with open_journal(str(project / "commits.db")) as journal:
        journal.create("r1", plan, "x.yml", 1.0)
        journal.acquire("r1", 1.0)
        start, cpu = time.perf_counter(), time.process_time()
        for seq in range(count):
            journal.append("r1", seq, [ev.WaveStarted("all")], 1.0)
        wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    bare = project / "bare"
    with bare.open("ab", buffering=0) as file:
        start = time.perf_counter()
        for _ in range(count):
            file.write(b"x" * 4096)
            os.fdatasync(file.fileno())
        synced = time.perf_counter() - start
    bare.unlink()
    for path in project.glob("commits.db*"):
        path.unlink()
    print(f"\ncommits: {count / wall:,.0f} a second, {cpu / count * 1e6:.0f} µs of CPU each;")
    print(f"  bare fdatasync of 4 KiB: {count / synced:,.0f} a second; ratio {wall / synced:.2f}")


def share(project: Path, hosts: int) -> None:
    """Measure how much of a real wave goes into durable writes: hosts sleep for two seconds, in pairs."""
    make_project(project, hosts=hosts)
    sleep = {"ansible.builtin.command": {"argv": ["sleep", "2"]}, "changed_when": False}
    play = {"hosts": "all", "gather_facts": False, "tasks": [sleep]}
    (project / "site.yml").write_text(json.dumps([play]))
    write_rollout(project, "pairs", {"hosts": "all", "batch": 2, "in_flight": 4})
    spent, writes = [0.0], [0]
    append = SqlJournal.append

    def timed(self: SqlJournal, *what: Any) -> Any:
        start = time.perf_counter()
        try:
            return append(self, *what)
        finally:
            spent[0] += time.perf_counter() - start
            writes[0] += 1

    SqlJournal.append = timed  # type: ignore[method-assign]
    before, start = Path.cwd(), time.perf_counter()
    os.chdir(project)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            run.main(["pairs.yml"], standalone_mode=False, obj={})
    finally:
        os.chdir(before)
        SqlJournal.append = append  # type: ignore[method-assign]
    wall = time.perf_counter() - start
    print(f"\na wave of {hosts} hosts that sleep: {wall:.1f} s, of which {writes[0]} durable writes took")
    print(f"  {spent[0]:.3f} s: {spent[0] / wall:.2%}")


if __name__ == "__main__":
    sys.exit(main())
