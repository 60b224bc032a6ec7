"""How long is it from `wavegate resume` to the first batch started, for a rollout over many hosts?

    python benchmarks/resume.py [--hosts 5000] [--repeat N]

Starts a rollout over local hosts with a templated http probe,
stops it, and resumes it again and again. It measures from the start of the process to the moment at which the
journal says that a batch started; once with the answer that the rollout keeps, and once without (as where a
vault or a lookup has a part in it).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _project import make_project, wavegate
from _timing import describe_machine

from wavegate.adapters.journal import look_into_journal
from wavegate.core import events as ev
from wavegate.errors import WavegateError

_LOOK_EVERY = 0.02
_LONGEST = 120.0


def main() -> int:
    """Build, stop, resume, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hosts", type=int, default=5_000)
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="wavegate-resume-") as name:
        project = make_project(Path(name), hosts=options.hosts)
        write_fleet(project)
        until_batch(project, "run", "fleet.yml")
        print(f"{options.hosts:,} hosts; {describe_machine()}")
        for kept in (True, False):
            walls = []
            for _ in range(options.repeat):
                if not kept:
                    for file in project.glob(".wavegate/rollouts/*/answer.json"):
                        file.unlink()
                walls.append(until_batch(project, "resume"))
            how = "answer kept" if kept else "Ansible asked"
            print(f"{how:14} {statistics.median(walls):.2f} s to the first batch (least {min(walls):.2f} s)")
    return 0


def write_fleet(project: Path) -> None:
    """Write a rollout file in batches of one, with a probe of which each host has its own."""
    probe = {
        "http": {"url": "http://{{ ansible_host | default('127.0.0.1') }}:8080/{{ inventory_hostname }}"}
    }
    rollout = {
        "name": "fleet",
        "playbook": "site.yml",
        "inventory": "hosts.yml",
        "probes": {"answers": probe},
        "gates": {"well": {"probes": ["answers"], "interval": "1s"}},
        "waves": [{"name": "all", "hosts": "all", "batch": 1, "after": "well"}],
    }
    (project / "fleet.yml").write_text(json.dumps(rollout))


def until_batch(project: Path, *words: str) -> float:
    """Start wavegate, return the seconds until it started a batch, and stop it as Ctrl-C does."""
    seen = count_events(project)
    started = time.time()
    process = subprocess.Popen(
        [*wavegate(), *words], cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        at = await_batch(project, seen, started)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=_LONGEST)
    return at - started


def await_batch(project: Path, seen: int, started: float) -> float:
    """Return when the journal's next batch started, in seconds since 1970."""
    while time.time() < started + _LONGEST:
        if count_events(project) > seen:
            with look_into_journal(str(project / ".wavegate" / "journal.db")) as journal:
                (row,) = journal.rollouts()
                records = journal.read(row.id, seen)
            if found := [record.at for record in records if isinstance(record.event, ev.BatchSubmitted)]:
                return found[0]
        time.sleep(_LOOK_EVERY)
    raise TimeoutError(f"no batch within {_LONGEST:g} s")


def count_events(project: Path) -> int:
    """Return how many events the project's only rollout has; 0 before there is one."""
    try:
        with look_into_journal(str(project / ".wavegate" / "journal.db")) as journal:
            rows = journal.rollouts()
            return journal.tail(rows[0].id)[0] if rows else 0
    except WavegateError:
        return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main())
