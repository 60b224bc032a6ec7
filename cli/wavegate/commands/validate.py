"""`wavegate validate`: every problem of rollout files at once, with lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.errors import Problem


@click.command(name="validate")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, readable=False)
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON with stable keys.")
@click.pass_context
def command(context: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Check rollout files and print every problem of all of them, each with its line.

    Looks at the files alone: `wavegate plan` asks Ansible about the inventory and the playbooks too.
    Exit code 40 when there is a problem.

    \b
    Example:
      wavegate validate rollouts/*.yml
      wavegate validate rollouts/patch-intranet.yml --json | jq '.files[].problems[]'
    """
    found = {file: _find_problems(file) for file in dict.fromkeys(files)}
    if as_json:
        _print_json(found)
    else:
        for file, problems in found.items():
            _print_text(file, problems)
    if any(found.values()):
        context.exit(ExitCode.INPUT)


def _find_problems(file: Path) -> tuple[Problem, ...]:
    from wavegate.config.load import load_rollout
    from wavegate.errors import InputError

    try:
        load_rollout(file)
    except InputError as error:
        return error.problems
    return ()


def _print_text(file: Path, problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        subject = f"{problem.path}: " if problem.path else ""
        click.echo(f"{problem.where()}: {subject}{problem.message}")
        if problem.hint:
            click.echo(f"    {problem.hint}")
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}" if problems else "ok"
    click.echo(f"{file}: {count}")


def _print_json(found: dict[Path, tuple[Problem, ...]]) -> None:
    from wavegate.commands._common import print_json

    files = [
        {"file": str(file), "valid": not problems, "problems": [asdict(problem) for problem in problems]}
        for file, problems in found.items()
    ]
    print_json({"format": 1, "files": files})
