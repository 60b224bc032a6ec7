"""The main job on the built-in lab: install, patch, then a bad patch that is stopped and taken back."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
WAVEGATE = Path(sys.executable).with_name("wavegate")
console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)


@dataclass(frozen=True)
class Act:
    """One rollout of the demo and the exit code that it must end with."""

    title: str
    file: str
    expected: int


REPORTS = ROOT / ".wavegate" / "reports"
HINTS = (
    "read them in a browser, or here: .venv/bin/wavegate report",
    "look around:    .venv/bin/wavegate history · .venv/bin/wavegate events --host pilot-1",
    "break a host:   .venv/bin/wavegate lab break service sales-1",
    "and measure it: .venv/bin/wavegate probe rollouts/patch-intranet.yml",
    "start your own: .venv/bin/wavegate init /tmp/mine",
    "take it down:   make demo-down",
)
ACTS = (
    Act("Act 1: install intranet 1.0 everywhere", "rollouts/install-intranet.yml", 0),
    Act("Act 2: patch 1.0 to 1.1, pilot, departments, sites", "rollouts/patch-intranet.yml", 0),
    Act("Act 3: a bad patch, 1.2, stopped at the pilot", "rollouts/patch-intranet-bad.yml", 31),
)


def main() -> int:
    """Play the three acts and show what came of them; return the exit code."""
    if "--down" in sys.argv:
        return wavegate("lab", "down", "--images")
    started = time.monotonic()
    if code := wavegate("lab", "up", "--install-engine"):
        return code
    ready = time.monotonic()
    REPORTS.mkdir(mode=0o700, parents=True, exist_ok=True)
    reports = []
    for act in ACTS:
        console.rule(Text(act.title, "bold"))
        code = wavegate("run", act.file)
        if code != act.expected:
            console.print(Text(f"{act.file} ended with exit code {code}, expected {act.expected}", "red"))
            return code or 50
        reports.append(json_of("report", "--json", latest()))
    show(reports, ready - started, time.monotonic() - ready)
    return 0


def wavegate(*arguments: str) -> int:
    """Run a wavegate command in front of the person; return its exit code."""
    console.print(Text("$ wavegate " + " ".join(arguments), "bold cyan"))
    return subprocess.run([WAVEGATE, *arguments], cwd=ROOT, check=False).returncode


def json_of(*arguments: str) -> Any:
    """Return what a read verb prints as JSON."""
    result = subprocess.run([WAVEGATE, *arguments], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    return json.loads(result.stdout)


def latest() -> str:
    """Return the id of the rollout that was started last."""
    return str(json_of("history", "--json")["rollouts"][0]["id"])


def show(reports: list[Any], setup_seconds: float, acts_seconds: float) -> None:
    """Print the closing tables: what ran, what the gates saw, which version each host answers with now."""
    console.rule(Text("What happened", "bold"))
    for report in reports:
        rollout = report["rollout"]
        console.print(Text(f"{rollout['name']}: {rollout['status'].replace('_', ' ')}", "bold"))
        console.print(Text(report["headline"]))
        console.print(_waves(report))
    versions = Counter(version_of(host["address"]) for host in json_of("lab", "status", "--json")["hosts"])
    now = ", ".join(f"{count} hosts answer {version}" for version, count in sorted(versions.items()))
    console.print(Text(f"now: {now}", "bold"))
    console.print(f"lab up in {setup_seconds:.0f} s, three acts in {acts_seconds:.0f} s")
    console.rule(Text("Where to look, what to try", "bold"))
    for report in reports:
        page = REPORTS / f"{report['rollout']['name']}.html"
        wavegate(
            "report", report["rollout"]["id"], "--format", "html", "--output", str(page.relative_to(ROOT))
        )
    for hint in HINTS:
        console.print(Text(hint))


def _waves(report: Any) -> Table:
    gates = {(gate["wave"], gate["side"]): gate for gate in report["gates"]}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for column in ("wave", "hosts", "time", "state", "what the gate saw"):
        table.add_column(column, header_style="bold")
    for wave in report["waves"]:
        if wave["seconds"] is None:
            continue
        gate = gates.get((wave["name"], "after"), {"verdict": "", "reason": "-"})
        saw = f"{gate['verdict']}: {gate['reason']}" if gate["verdict"] else gate["reason"]
        seconds = f"{wave['seconds']:.0f} s"
        table.add_row(
            wave["name"], str(wave["hosts"]), seconds, wave["standing"].replace("_", " "), Text(saw)
        )
    return table


def version_of(address: str) -> str:
    """Return the version that the intranet on a host answers with, or "nothing"."""
    try:
        with urlopen(f"http://{address}:8080/healthz", timeout=5) as answer:
            return str(json.load(answer)["version"])
    except OSError:
        return "nothing"


if __name__ == "__main__":
    sys.exit(main())
