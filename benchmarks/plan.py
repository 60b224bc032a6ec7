"""What does `wavegate plan` cost for a large static inventory, beside one `ansible-inventory --list`?

    python benchmarks/plan.py [--hosts 10000 50000] [--repeat N]

Makes a project in a temporary folder: a YAML inventory of 20 sites with four variables a host, group_vars
and a few host_vars, a rollout file with one wave a site, a gate and `apart:`. Then it runs, in turns,
`ansible-inventory --list`, `wavegate plan` with nothing remembered, and with an answer remembered. Memory
is the highest sum of what all processes of the command had at one time (what they share, divided among
them), sampled.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _fleet import name_of, write_fleet
from _project import wavegate
from _timing import describe_machine

from wavegate.adapters.ansible import ask
from wavegate.bootstrap.prepare import make_question
from wavegate.config.load import load_rollout
from wavegate.resources import plugins_dir

_LOOK = """\
- name: Look
  hosts: all
  gather_facts: false
  tasks:
    - name: Look
      ansible.builtin.debug: {msg: "{{ groups.all | length }}"}
"""
_BIN = Path(sys.executable).parent
_SAMPLE = 0.02


@dataclass
class Cost:
    """What the runs of one command took: wall and CPU seconds, peak memory in bytes."""

    name: str
    command: Sequence[str | Path]
    cold: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[int] = field(default_factory=list)


def main() -> int:
    """Run the benchmark and print one table for each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, nargs="+", default=[10_000, 50_000])
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="leave the projects in this folder")
    options = parser.parse_args()
    for hosts in options.hosts:
        with tempfile.TemporaryDirectory(prefix="wavegate-plan-") as name:
            project = (options.keep or Path(name)) / str(hosts)
            write_fleet(project, hosts)
            measure(project, hosts, options.repeat)
            measure_batch(project, hosts, options.repeat)
    return 0


def measure(project: Path, hosts: int, repeat: int) -> None:
    """Run the three commands in turns and print what they took."""
    costs = [
        Cost("ansible-inventory --list", [_BIN / "ansible-inventory", "-i", "hosts.yml", "--list"]),
        Cost("wavegate plan, cold", [*wavegate(), "plan", "fleet.yml"], cold=True),
        Cost("wavegate plan, remembered", [*wavegate(), "plan", "fleet.yml"]),
    ]
    take_turns(costs, project, repeat)
    size = (project / "hosts.yml").stat().st_size / 1e6
    print(f"{hosts:,} hosts, {size:.1f} MB of YAML; medians of {repeat}; {describe_machine()}")
    show(costs)


def measure_batch(project: Path, hosts: int, repeat: int) -> None:
    """Print what a batch of one host pays for the inventory, as ansible-playbook alone."""
    snapshot = take_snapshot(project)
    few = write_fleet(project / "few", 10)
    play = [_BIN / "ansible-playbook", "--limit", name_of(0), "-e", "ansible_connection=local", "look.yml"]
    for folder in (project, few):
        (folder / "look.yml").write_text(_LOOK)
    environment = {
        "ANSIBLE_INVENTORY_ENABLED": "wavegate_snapshot",
        "WAVEGATE_INVENTORY_SNAPSHOT": str(snapshot),
        "ANSIBLE_INVENTORY_PLUGINS": str(plugins_dir() / "inventory"),
    }
    costs = [
        Cost("YAML", [*play, "-i", project / "hosts.yml"]),
        Cost("frozen inventory", [*play, "-i", project / "hosts.yml"], environment=environment),
        Cost("10 hosts, YAML", [*play, "-i", few / "hosts.yml"]),
    ]
    take_turns(costs, project, repeat)
    print(f"one host of {hosts:,} by ansible-playbook, which reads the inventory as")
    show(costs)


def take_snapshot(project: Path) -> Path:
    """Return the file with the frozen inventory that a rollout's batches are given."""
    question = make_question(load_rollout(project / "fleet.yml").spec)
    path = project / "snapshot.json"
    path.write_text(json.dumps(ask(question, project).snapshot))
    return path


def take_turns(costs: Sequence[Cost], project: Path, repeat: int) -> None:
    """Run each command `repeat` times, in turns, after one run each that is not counted."""
    for turn in range(repeat + 1):
        for cost in costs:
            if not turn and cost is costs[0]:
                continue  # the longest one; what it compiles is compiled by the others, too
            if cost.cold:
                shutil.rmtree(project / ".wavegate", ignore_errors=True)
            wall, cpu, peak = run(cost, project)
            if turn:
                cost.wall.append(wall)
                cost.cpu.append(cpu)
                cost.peak.append(peak)


def show(costs: Sequence[Cost]) -> None:
    """Print medians, and their ratios to the first one's."""
    print(f"{'':26}{'wall s':>9}{'ratio':>8}{'CPU s':>9}{'ratio':>8}{'peak MB':>9}{'ratio':>8}")
    first = [statistics.median(values) for values in (costs[0].wall, costs[0].cpu, costs[0].peak)]
    for cost in costs:
        medians = [statistics.median(values) for values in (cost.wall, cost.cpu, cost.peak)]
        wall, cpu, peak = (value / base for value, base in zip(medians, first, strict=True))
        print(
            f"{cost.name:26}{medians[0]:9.2f}{wall:8.3f}{medians[1]:9.2f}{cpu:8.3f}"
            f"{medians[2] / 1e6:9.0f}{peak:8.3f}",
            flush=True,
        )
    print()


def run(cost: Cost, folder: Path) -> tuple[float, float, int]:
    """Return wall seconds, CPU seconds and the peak memory of one run; raise RuntimeError when it fails."""
    with tempfile.TemporaryFile() as output:
        before, start = os.times(), time.perf_counter()
        process = subprocess.Popen(
            cost.command,
            cwd=folder,
            env={**os.environ, **cost.environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        peak = watch(process)
        wall, after = time.perf_counter() - start, os.times()
        if process.returncode:
            raise RuntimeError(f"{cost.name} ended with {process.returncode}:\n{_text(output)}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu, peak


def watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process; return the highest sum of bytes it and its descendants had at one time."""
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_proportional(pid) for pid in _family(process.pid)))
        time.sleep(_SAMPLE)
    return peak


def _family(pid: int) -> list[int]:
    """Return the process and its descendants."""
    found, todo = [], [pid]
    while todo:
        current = todo.pop()
        found.append(current)
        try:
            for task in Path(f"/proc/{current}/task").iterdir():
                todo += [int(child) for child in (task / "children").read_text().split()]
        except OSError:
            continue
    return found


def _proportional(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _text(output: IO[bytes]) -> str:
    output.seek(0)
    return output.read().decode(errors="replace")[-2000:]


if __name__ == "__main__":
    sys.exit(main())
