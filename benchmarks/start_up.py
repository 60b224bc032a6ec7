"""How soon do cheap commands answer, beside the cheapest program that imports click?

    python benchmarks/start_up.py [--repeat N]

Makes a project in a temporary folder (two local hosts, one finished rollout), then runs the commands in
turns. The target is `--help` and `status` within 0.4 s of `python -c "import click"`; `plan` asks Ansible,
and is shown beside `import ansible.cli`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from _project import make_project, wavegate
from _timing import Timing, describe_machine, run_in_turns, run_once


def main() -> int:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    python = sys.executable
    with tempfile.TemporaryDirectory(prefix="wavegate-start-up-") as name:
        project = make_project(Path(name), hosts=2)
        env = dict(os.environ)
        run_once([*wavegate(), "run", "one.yml"], project, env)
        timings = [
            Timing("python -c pass", [python, "-c", "pass"]),
            Timing("import click", [python, "-c", "import click"]),
            Timing("wavegate --help", [*wavegate(), "--help"]),
            Timing("wavegate run --help", [*wavegate(), "run", "--help"]),
            Timing("wavegate status", [*wavegate(), "status"]),
            Timing("wavegate validate", [*wavegate(), "validate", "one.yml"]),
            Timing("import ansible.cli", [python, "-c", "import ansible.cli"]),
            Timing("wavegate plan", [*wavegate(), "plan", "one.yml"]),
        ]
        run_in_turns(timings, options.repeat, project, env)
    base = timings[1].median_wall
    print(f"medians of {options.repeat}; {describe_machine()}")
    print(f"{'command':24}{'wall s':>9}{'CPU s':>9}{'beyond click':>14}{'ratio':>8}")
    for timing in timings:
        beyond = timing.median_wall - base
        ratio = timing.median_wall / base
        print(f"{timing.name:24}{timing.median_wall:9.3f}{timing.median_cpu:9.3f}{beyond:+14.3f}{ratio:8.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
