"""Does a host cost the same in a small and in a large fleet? The whole walk of a rollout, without Ansible.

    python benchmarks/decide.py [--hosts 100,1000,5000] [--repeat N] [--json]

The real core, engine and journal (SQLite in memory, so that no disk is measured) walk a fleet in the fake
world of tests/world.py, whose clock jumps: what is left is wavegate's own work, in CPU seconds. Each row is
one way to roll out; "growth" is the time per host of the largest fleet over that of the smallest: 1 when
nothing is scanned.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.reports.standing import take_standing

Make = Callable[[int], tuple[Plan, World]]


def one_by_one(hosts: int) -> tuple[Plan, World]:
    """Batches of one host, ten in flight, no gate: the most events a host can cause."""
    return plan_of(make_fleet(all=hosts), wave("all", batch=[1], in_flight=10)), World()


def odd_window(hosts: int) -> tuple[Plan, World]:
    """Batches of five in a window of twelve: it is never quite full."""
    return plan_of(make_fleet(all=hosts), wave("all", batch=[5], in_flight=12)), World()


def kept_apart(hosts: int) -> tuple[Plan, World]:
    """Batches of one, ten in flight, clusters of four that must stay apart."""
    fleet = make_fleet(all=hosts)
    clusters = {host: f"c{number // 4}" for number, host in enumerate(fleet.hosts)}
    fleet = replace(fleet, values={"cluster": clusters})
    plan = plan_of(fleet, wave("all", batch=[1], in_flight=10, apart="cluster"))
    return plan, World()


def with_gate(hosts: int) -> tuple[Plan, World]:
    """A gate that measures every host eleven times during its soak."""
    return plan_of(make_fleet(all=hosts), wave("all", batch=[5], in_flight=20, after="healthy")), World()


def with_bad_hosts(hosts: int) -> tuple[Plan, World]:
    """Every tenth host fails or is found bad by the gate's probe; all of that is tolerated."""
    fate = lambda host, _: Outcome.FAILED if host.endswith("0") else Outcome.DONE  # noqa: E731
    reading = lambda _, host, __: Reading.BAD if host.endswith("5") else Reading.GOOD  # noqa: E731
    plan = plan_of(
        make_fleet(all=hosts), wave("all", batch=[1], in_flight=10, failure_budget="50%", after="healthy")
    )
    return plan, World(fate=fate, reading=reading)


def with_rollback(hosts: int) -> tuple[Plan, World]:
    """The gate fails at its first sweep and every host is put back."""
    plan = plan_of(
        make_fleet(all=hosts), wave("all", batch=[1], in_flight=10, after="healthy"), rollback=True
    )
    return plan, World(reading=lambda *_: Reading.BAD)


def many_waves(hosts: int) -> tuple[Plan, World]:
    """Waves of ten hosts each, with a gate after every one."""
    groups = {f"g{number:04d}": 10 for number in range(hosts // 10)}
    waves = [wave(name, batch=[5], in_flight=10, after="healthy") for name in groups]
    return plan_of(make_fleet(**groups), *waves), World()


CASES: tuple[Make, ...] = (
    one_by_one,
    odd_window,
    kept_apart,
    with_gate,
    with_bad_hosts,
    with_rollback,
    many_waves,
)


def measure(make: Make, hosts: int) -> tuple[float, float, float, State, Plan]:
    """Return the CPU seconds of planning, of the walk, and of one standing for the live table."""
    start = time.process_time()
    plan, world = make(hosts)
    planned = time.process_time()
    state = Bench(plan, world).run()
    walked = time.process_time()
    take_standing(plan, state, state.at)
    return planned - start, walked - planned, time.process_time() - walked, state, plan


def median_row(make: Make, sizes: list[int], repeat: int) -> Mapping[str, Any]:
    """Return the medians for one way to roll out, in microseconds per host."""
    per_host, planning, standing, ends = [], [], [], []
    for hosts in sizes:
        runs = [measure(make, hosts) for _ in range(repeat)]
        planning.append(statistics.median(run[0] for run in runs) / hosts * 1e6)
        per_host.append(statistics.median(run[1] for run in runs) / hosts * 1e6)
        standing.append(statistics.median(run[2] for run in runs) * 1e3)
        ends.append(runs[0][3].status.value)
    return {
        "case": make.__name__,
        "end": ends[-1],
        "walk_us_per_host": [round(value, 1) for value in per_host],
        "plan_us_per_host": [round(value, 1) for value in planning],
        "standing_ms": [round(value, 3) for value in standing],
        "growth": round(per_host[-1] / per_host[0], 2),
    }


def main() -> int:
    """Run every case and print its row as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", default="100,1000,5000", help="sizes of the fleet")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--case", action="append", help="only this one (may be repeated)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    sizes = [int(size) for size in options.hosts.split(",")]
    cases = [make for make in CASES if not options.case or make.__name__ in options.case]
    if not options.json:
        heads = "".join(f"{f'{size} hosts':>13}" for size in sizes)
        print(f"{'microseconds per host':24}{heads}{'growth':>9}   plan µs/host · table ms, largest fleet")
    for make in cases:
        row = median_row(make, sizes, options.repeat)
        if options.json:
            print(json.dumps(row), flush=True)
            continue
        cells = "".join(f"{value:13.1f}" for value in row["walk_us_per_host"])
        more = f"{row['plan_us_per_host'][-1]:.1f} · {row['standing_ms'][-1]:.2f}   ({row['end']})"
        print(f"{row['case']:24}{cells}{row['growth']:9.2f}   {more}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
