"""`wavegate init`: scaffold a project, or sit beside an existing Ansible project."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

import click

from wavegate.commands._common import talk_console

_MANY = 10


@click.command(name="init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option("--demo", is_flag=True, help="Write the built-in demo: a service, and rollouts for a lab.")
def command(folder: Path, *, demo: bool) -> None:
    """Write a working project into FOLDER (default: here), or a rollout file beside an Ansible project.

    Files that exist are never touched. In an empty folder: ansible.cfg, inventory, playbook and a rollout
    file that can be run at once. Beside a playbook: a rollout file for it. With --demo: a role, playbooks
    and rollout files that install, patch and roll back a small service on the hosts of `wavegate lab up`.

    \b
    Example:
      wavegate init first && cd first && wavegate run rollouts/hello.yml
      wavegate init --demo demo && cd demo && wavegate lab up && wavegate run rollouts/install-intranet.yml
    """
    from wavegate.adapters.scaffold import scaffold

    result = scaffold(folder, demo=demo)
    console = talk_console()
    for name in _shorten(result.written):
        console.print(f"wrote  {folder / name}", markup=False)
    for name in result.kept:
        console.print(f"kept   {folder / name} (it was there before)", markup=False)
    for sentence in result.advice:
        console.print(f"first: {sentence}", markup=False)
    inside = "" if folder == Path() else f"cd {shlex.quote(str(folder))} && "
    console.print(f"next:  {inside}wavegate plan {shlex.quote(result.rollout)}", markup=False)


def _shorten(names: tuple[str, ...]) -> list[str]:
    """Return the names, or the folders that hold so many of them."""
    if len(names) <= _MANY:
        return list(names)
    tops = Counter(name.partition("/")[0] + ("/" if "/" in name else "") for name in names)
    return [f"{top} ({count} files)" if count > 1 else top for top, count in tops.items()]
