"""Make what the machines of a scenario are made of, with the lab's own tools, and print it as JSON.

Usage: material.py REPOSITORY SUITE...; the package repository is made where the first argument is not empty.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

from wavegate.lab.engine import Engine
from wavegate.lab.image import choose_suite, ensure_image
from wavegate.lab.material import read_material
from wavegate.lab.packages import build_repository
from wavegate.lab.requirements import ensure_engine


def say(line: str) -> None:
    """Tell a person what takes so long."""
    print(line, file=sys.stderr)


def run_once(engine: Engine, image: str, argv: tuple[str, ...], stdin: bytes) -> bytes:
    """Return what a program in a container of the image printed."""
    return engine.run_once(image, *argv, stdin=stdin)


def prepare(repository: str, suites: list[str]) -> dict[str, object]:
    """Return the engine's command and its options for machines, the images and the welcome script."""
    engine = ensure_engine(install=False, say=say)
    images = {}
    for suite in suites:
        engine, images[suite] = ensure_image(engine, choose_suite(suite), say)
    if repository:
        build_repository(Path(repository), partial(run_once, engine, images[suites[0]]))
    return {
        "engine": [engine.program, *engine.flags],
        "machine": list(engine.machine_flags()),
        "images": images,
        "welcome": read_material("welcome.sh"),
    }


if __name__ == "__main__":
    print(json.dumps(prepare(sys.argv[1], sys.argv[2:])))
