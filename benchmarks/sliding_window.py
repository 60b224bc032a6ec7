"""What does the sliding window save beside `serial:`, and what does it cost where all hosts are equal?

    python benchmarks/sliding_window.py [--hosts N] [--in-flight N] [--seconds S] [--sizes 1,2,5] [--repeat N]

One playbook with sleeping payloads on local hosts, at equal concurrency, in one run, in turns:

1. One host in ten takes ten times as long: `ansible-playbook` with `serial: IN_FLIGHT`, beside `wavegate run`
   with `in_flight: IN_FLIGHT` and batches of 1, 2 and 5. The column "at best" is the same wave without any
   cost of its own: a batch is as slow as its slowest host, whoever starts it.
2. All hosts equal: `ansible-playbook` over all hosts with as many forks, beside `wavegate run` in one batch
   and in small ones.
"""

from __future__ import annotations

import argparse
import heapq
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _project import ansible_playbook, make_sleeping_project, wavegate, write_rollout
from _timing import Timing, describe_machine, run_in_turns


def main() -> int:
    """Run both comparisons and print their tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=60)
    parser.add_argument("--in-flight", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3.0, help="what an ordinary host takes")
    parser.add_argument("--sizes", default="1,2,5", help="sizes of batches")
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    slow_tenth = [options.seconds * (10 if number % 10 == 9 else 1) for number in range(options.hosts)]
    compare(options, "one host in ten takes ten times as long", slow_tenth, "serial.yml", sizes)
    equal = [options.seconds] * options.hosts
    compare(options, "all hosts equal", equal, "site.yml", [*sizes, options.in_flight])
    return 0


def compare(
    options: argparse.Namespace, title: str, seconds: Sequence[float], playbook: str, sizes: Sequence[int]
) -> None:
    """Run `playbook` bare, and the same work as waves in batches of each size."""
    with tempfile.TemporaryDirectory(prefix="wavegate-window-") as name:
        project = make_sleeping_project(Path(name), seconds, options.in_flight)
        timings = [Timing(f"ansible-playbook {playbook}", [*ansible_playbook(), playbook])]
        for size in sizes:
            wave = {"hosts": "all", "batch": size, "in_flight": options.in_flight}
            write_rollout(project, f"batches_{size}", wave)
            timings.append(Timing(f"batches of {size}", [*wavegate(), "run", f"batches_{size}.yml"]))
        run_in_turns(timings, options.repeat, project, dict(os.environ), warm_up=False)
    bare_batches, lanes = (options.in_flight, 1) if playbook == "serial.yml" else (1, options.in_flight)
    best = [at_best(seconds, bare_batches, lanes)]
    best += [at_best(seconds, size, options.in_flight // size) for size in sizes]
    print_table(title, options, timings, best)


def at_best(seconds: Sequence[float], size: int, lanes: int) -> float:
    """Return the seconds of a wave in batches of `size`, `lanes` at a time, when nothing else costs time."""
    free = [0.0] * lanes
    for start in range(0, len(seconds), size):
        heapq.heappush(free, heapq.heappop(free) + max(seconds[start : start + size]))
    return max(free)


def print_table(
    title: str, options: argparse.Namespace, timings: Sequence[Timing], best: Sequence[float]
) -> None:
    """Print every command beside the bare one, which is the first."""
    bare = timings[0]
    print(f"{title}: {options.hosts} hosts, {options.in_flight} in flight, {options.seconds:g} s a host")
    print(describe_machine())
    print(f"{'command':32}{'wall s':>9}{'at best':>9}{'ratio':>7}{'faster':>8}{'CPU s':>9}{'ratio':>7}")
    for timing, ideal in zip(timings, best, strict=True):
        wall, cpu = timing.median_wall, timing.median_cpu
        print(
            f"{timing.name:32}{wall:9.2f}{ideal:9.2f}{wall / bare.median_wall:7.2f}"
            f"{bare.median_wall / wall:7.2f}x{cpu:9.2f}{cpu / bare.median_cpu:7.2f}"
        )
    print()


if __name__ == "__main__":
    sys.exit(main())
