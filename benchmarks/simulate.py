"""How long does `wavegate simulate` take for a large fleet, and how much memory?

    python benchmarks/simulate.py [--hosts 10000] [--runs 200] [--growth] [--json]

The real command with the rollout files and the inventory of a made-up project of 80 hosts, scaled to 10,000
hosts, 200 rollouts, and to 100,000 hosts, 1 rollout (of a good change, and as many of a bad one). Ansible's
reading of the 80 hosts is in it. Peak memory is that of the command and all processes that it starts,
added up, looked at every 50 ms.

With --growth, one process walks once each of 1,000, 10,000 and 100,000 hosts, without Ansible: microseconds
of CPU a host, for the quick walk that the command uses and for the engine with a journal in memory. "growth"
is that of the largest fleet over that of the smallest.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from msgspec.structs import replace

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "cli"))

from benchmarks._project import wavegate
from benchmarks._timing import describe_machine

from tests.unit.test_simulate_quick import walk_with_the_engine
from tests.world import make_fleet, plan_of, wave
from wavegate.core.plan import Plan
from wavegate.simulation.change import parse_change
from wavegate.simulation.study import Trial

CHANGE = "breaks 30% after 20m"
ROLLOUT = """\
name: patch
playbook: play.yml
backup: play.yml
rollback: play.yml
on_breach: rollback_wave
{window}
probes:
  up: {{http: {{url: "http://{{{{ ansible_host }}}}:8080/"}}}}
  well: {{command: {{argv: ["true"]}}, interval: 30s}}
gates:
  healthy: {{probes: [up, well], interval: 10s, soak: {soak}}}
waves:
  - {{name: pilot, hosts: pilot, after: healthy}}
  - name: department
    each: department_*
    batch: [1, 50%]
    failure_budget: 10%
    apart: cluster
    after: healthy
  - {{name: site, each: "site_*", batch: {batch}, failure_budget: 5%, after: healthy}}
"""
CASES = {
    "percentages": {"window": "", "soak": "15m", "batch": "25%"},
    "percentages, soak 1h": {"window": "", "soak": "1h", "batch": "25%"},
    "batches of 10, 50 in flight": {"window": "in_flight: 50", "soak": "15m", "batch": "10"},
    "one by one, 50 in flight": {"window": "in_flight: 50", "soak": "15m", "batch": "1"},
}


def make_project(folder: Path) -> None:
    """Write an inventory of 80 hosts and a rollout file for each case."""
    groups = {"pilot": ["p1", "p2"]}
    groups |= {f"department_{n}": [f"d{n}-{host}" for host in range(6)] for n in (1, 2, 3)}
    groups |= {f"site_{n}": [f"s{n}-{host}" for host in range(20)] for n in (1, 2, 3)}
    hosts = {
        host: {"ansible_host": "127.0.0.1", "cluster": f"{group}-{number // 2}"}
        for group, members in groups.items()
        for number, host in enumerate(members)
    }
    children = {group: {"hosts": dict.fromkeys(members)} for group, members in groups.items()}
    (folder / "hosts.yml").write_text(json.dumps({"all": {"hosts": hosts, "children": children}}))
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\n")
    (folder / "play.yml").write_text("- hosts: all\n  gather_facts: false\n  tasks: []\n")
    for name, words in CASES.items():
        (folder / f"{name}.yml").write_text(ROLLOUT.format(**words))


def measure(folder: Path, case: str, hosts: int, runs: int) -> dict[str, Any]:
    """Run the command once; return wall and CPU seconds, the peak of memory, and what it said."""
    words = ["simulate", f"{case}.yml", "--bad-change", CHANGE, "--seed", "1", "--json"]
    words += ["--hosts", str(hosts), "--runs", str(runs)]
    start, peak = time.perf_counter(), 0
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile("w+") as out:
        command = subprocess.Popen([*wavegate(), *words], cwd=folder, stdout=out, stderr=subprocess.DEVNULL)
        process = psutil.Process(command.pid)
        while command.poll() is None:
            peak = max(peak, memory_of(process))
            time.sleep(0.05)
        out.seek(0)
        said = json.load(out)
    row = {"case": case, "hosts": hosts, "runs": runs, "seconds": time.perf_counter() - start}
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**row, "cpu_seconds": cpu, "peak_mib": peak / 2**20, "says": said["sentence"]}


def memory_of(process: psutil.Process) -> int:
    """Return the memory (resident, bytes) of the process and of all below it that live now."""
    try:
        everybody = (process, *process.children(recursive=True))
        return sum(one.memory_info().rss for one in everybody)
    except psutil.NoSuchProcess:
        return 0  # one has ended between two questions; the next look is in a moment


def grow(sizes: list[int]) -> None:
    """Print what one host costs in small and large fleets."""
    gc.disable()
    heads = "".join(f"{f'{size:,} hosts':>16}" for size in sizes)
    print(f"{'CPU µs per host':34}{heads}{'growth':>9}")
    cases: dict[str, dict[str, Any]] = {
        "percentages": {},
        "one by one, 50 in flight": {"batch": [1], "in_flight": 50},
    }
    for name, changes in cases.items():
        for how in ("quick", "engine"):
            cost = [cost_of(make_plan(size, **changes), how) for size in sizes]
            cells = "".join(f"{value:16.1f}" for value in cost)
            print(f"{f'{name}, {how}':34}{cells}{cost[-1] / cost[0]:9.2f}", flush=True)


def make_plan(hosts: int, **changes: Any) -> Plan:
    """Return a plan of three waves with a gate after each."""
    sizes = {"pilot": hosts // 100, "office": hosts // 10, "site": hosts - hosts // 100 - hosts // 10}
    waves = [wave("pilot", after="healthy"), wave("office", batch=[1, "50%"], after="healthy")]
    waves.append(wave("site", **{"batch": ["25%"], "after": "healthy", **changes}))
    plan = plan_of(make_fleet(**sizes), *waves)
    return replace(plan, gates={"healthy": replace(plan.gates["healthy"], soak=300.0)})


def cost_of(plan: Plan, how: str) -> float:
    """Return the CPU microseconds per host of a walk with a good change."""
    trial = Trial(plan, parse_change(CHANGE), 1, 60.0)
    start = time.process_time()
    walk = trial.walk("good", 0) if how == "quick" else walk_with_the_engine(trial, "good", 0)
    return (time.process_time() - start) / walk.total * 1e6


def main() -> int:
    """Print a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, help="only this size of fleet")
    parser.add_argument("--runs", type=int, default=1, help="with --hosts: so many rollouts")
    parser.add_argument("--growth", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.growth:
        grow([1000, 10_000, 100_000])
        return 0
    sizes = [(options.hosts, options.runs)] if options.hosts else [(10_000, 200), (100_000, 1)]
    if not options.json:
        print(describe_machine())
        print(f"{'case':30}{'hosts':>9}{'runs':>6}{'wall s':>9}{'CPU s':>9}{'peak MiB':>10}")
    with tempfile.TemporaryDirectory() as folder:
        make_project(Path(folder))
        for hosts, runs in sizes:
            for case in CASES:
                row = measure(Path(folder), case, hosts, runs)
                if options.json:
                    print(json.dumps(row), flush=True)
                    continue
                numbers = f"{row['seconds']:9.1f}{row['cpu_seconds']:9.1f}{row['peak_mib']:10.0f}"
                print(f"{case:30}{hosts:>9,}{runs:>6}{numbers}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
