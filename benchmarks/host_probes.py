"""What do five host probes of a gate cost on many hosts, beside a bare ansible-playbook that asks the same?

    python benchmarks/host_probes.py [--hosts N] [--apart] [--json]

The hosts are this machine, over local connections, so that what a host itself pays for a module is in the
numbers as well. Compared are: one sweep of five `host` probes, which are due at the same instant and share a
round trip; with `--apart` the same five, one after the other; and `ansible-playbook` with one task that
runs the module `host_state` with the same arguments, with as many forks. Prints wall and CPU seconds (of all
processes) in all, and milliseconds a host.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.probes.ansible_host import AnsibleHostRunner, build_playbook
from wavegate.adapters.probes.ansible_task import FORKS
from wavegate.adapters.probes.host_wishes import module_args, read_expectation
from wavegate.adapters.probes.prober import LocalProber
from wavegate.core.events import SweepEnded, SweepStarted
from wavegate.core.outcomes import Reading
from wavegate.core.spec import ProbeSpec, Scope
from wavegate.resources import plugins_dir

PROBES: dict[str, dict[str, Any]] = {
    "disk": {"disk_free": {"/": {"percent": 1}}, "inodes_free": {"/": 1}},
    "memory": {"memory_free": 1, "swap_used": 100},
    "load": {"load_per_core": 1000},
    "processes": {"processes": {"python3": 0 + 1}},
    "files": {"fresh": {"/etc/hostname": 10**9}},
}
TIMEOUT = 3600.0


def main() -> int:
    """Measure and print; return 1 when a measurement was none."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--apart", action="store_true", help="also each probe with a round trip of its own")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        hosts = write_project(project, options.hosts)
        rows = {
            "ansible-playbook": timed(lambda: run_bare(project)),
            "five probes, one round trip": timed(lambda: run_probes(project, hosts, apart=False)),
        }
        if options.apart:
            rows["five probes, five round trips"] = timed(lambda: run_probes(project, hosts, apart=True))
    if options.json:
        print(json.dumps({"hosts": len(hosts), "cores": os.cpu_count(), "rows": rows}))
        return 0
    print(f"{len(hosts)} hosts, {os.cpu_count()} cores, {FORKS} at once")
    for name, (wall, cpu) in rows.items():
        each = f"{1000 * wall / len(hosts):7.0f} ms wall {1000 * cpu / len(hosts):6.0f} ms CPU a host"
        print(f"{name:30} {wall:8.1f} s wall {cpu:8.1f} s CPU {each}")
    return 0


def write_project(project: Path, number: int) -> tuple[str, ...]:
    """Write an inventory of hosts that all are this machine."""
    hosts = tuple(f"web{count:05d}" for count in range(number))
    local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    inventory = {"all": {"vars": local, "hosts": dict.fromkeys(hosts, None)}}
    (project / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (project / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\n")
    (project / "look.yml").write_text(build_playbook(arguments()))
    return hosts


def arguments() -> dict[str, Any]:
    """Return what the module is asked for by all five together."""
    return module_args([read_expectation(settings) for settings in PROBES.values()], None)


def run_bare(project: Path) -> None:
    """Ask all hosts with ansible-playbook alone."""
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "look.yml", "--forks", str(FORKS)],
        cwd=project,
        env={
            **os.environ,
            "ANSIBLE_LIBRARY": str(plugins_dir() / "modules"),
            "ANSIBLE_HOME": f"{project}/.a",
        },
        check=True,
        stdout=subprocess.DEVNULL,
    )


def run_probes(project: Path, hosts: tuple[str, ...], *, apart: bool) -> None:
    """Measure all five probes once, at the same instant or one after the other."""
    runtime = Path(tempfile.mkdtemp(dir=project))
    launch = Launch(
        rollout_id="bench",
        work=project / "work",
        material=project,
        project=project,
        playbooks={},
        inventory=(str(project / "hosts.yml"),),
    )
    rendered = {name: dict.fromkeys(hosts, settings) for name, settings in PROBES.items()}
    prober = LocalProber(rendered, str, AnsibleHostRunner(launch, runtime), project)
    ended: queue.Queue[SweepEnded] = queue.Queue()
    try:
        for name in PROBES:
            spec = ProbeSpec(name=name, kind="host", scope=Scope.HOST, settings={}, timeout=TIMEOUT)
            prober.measure(SweepStarted("pilot", "after", name, 1, hosts), spec, ended.put)
            if apart:
                check(ended.get(timeout=TIMEOUT))
        for _ in PROBES if not apart else ():
            check(ended.get(timeout=TIMEOUT))
    finally:
        prober.close()


def check(sweep: SweepEnded) -> None:
    """Stop when a host was not measured."""
    for one in sweep.measurements:
        if one.reading is Reading.ERROR:
            raise SystemExit(f"{sweep.probe} on {one.target}: {one.detail}")


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return wall and CPU seconds, those of all processes that the work started included."""
    begun, before = time.monotonic(), cpu_seconds()
    work()
    return time.monotonic() - begun, cpu_seconds() - before


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of all of its processes that ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    sys.exit(main())
