"""What does wavegate add to a bare ansible-playbook? The same playbook on the same local hosts.

    python benchmarks/overhead.py [--hosts N] [--repeat N] [--sizes 1,2,5]

Five small tasks on N hosts with local connections: `ansible-playbook` with N forks, `wavegate run` with one
wave of one batch, `wavegate plan`, and `wavegate run` in smaller batches with N hosts in flight. Wall
seconds, and CPU seconds of the program with all of its children. The hosts are this machine and the tasks do
next to nothing, so that the ratio of a real rollout is smaller.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _project import ansible_playbook, make_project, wavegate, write_rollout
from _timing import Timing, describe_machine, run_in_turns


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--sizes", default="1,2,5", help="sizes of smaller batches")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wavegate-overhead-") as name:
        project = make_project(Path(name), options.hosts)
        timings = [
            Timing("ansible-playbook", [*ansible_playbook(), "site.yml"]),
            Timing("wavegate run, 1 batch", [*wavegate(), "run", "one.yml"]),
            Timing("wavegate plan", [*wavegate(), "plan", "one.yml"]),
        ]
        for size in map(int, options.sizes.split(",")):
            rollout = f"batches_{size}"
            write_rollout(project, rollout, {"hosts": "all", "batch": size, "in_flight": options.hosts})
            timings.append(Timing(f"batches of {size}", [*wavegate(), "run", f"{rollout}.yml"]))
        run_in_turns(timings, options.repeat, project, dict(os.environ))
    print_table(timings, options.hosts, options.repeat)
    return 0


def print_table(timings: list[Timing], hosts: int, repeat: int) -> None:
    """Print each command beside the bare ansible-playbook, which is the first."""
    bare, run, plan = timings[:3]
    print(f"{hosts} hosts, 5 tasks, medians of {repeat}; {describe_machine()}")
    print(f"{'command':24}{'wall s':>9}{'ratio':>7}{'CPU s':>9}{'ratio':>7}{'wall, least to most':>20}")
    for timing in timings:
        wall, cpu = timing.median_wall, timing.median_cpu
        span = f"{min(timing.wall):.2f} to {max(timing.wall):.2f}"
        print(
            f"{timing.name:24}{wall:9.2f}{wall / bare.median_wall:7.2f}"
            f"{cpu:9.2f}{cpu / bare.median_cpu:7.2f}{span:>20}"
        )
    rest_wall = run.median_wall - bare.median_wall
    rest_cpu = run.median_cpu - bare.median_cpu
    print(f"run beyond ansible-playbook: {rest_wall:.2f} s wall, {rest_cpu:.2f} s CPU", end="")
    print(f"; of it the plan (starting, asking Ansible): {plan.median_wall:.2f} s, {plan.median_cpu:.2f} s")


if __name__ == "__main__":
    sys.exit(main())
