"""`wavegate retry`: do bad hosts of a rollout again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import rollout_argument, steer

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="retry")
@rollout_argument
@click.option("--hosts", default="", metavar="PATTERN", help="Only these: an Ansible host pattern.")
def command(rollout: str | None, hosts: str) -> ExitCode:
    """Do the bad hosts of rollout ID again, with its frozen material, and go on if all is well.

    What stopped the rollout, an overspent budget or a failed gate, is judged anew. Also possible after a
    rollout that completed with bad hosts within its budget.

    \b
    Example:
      wavegate retry
      wavegate retry 7f3a --hosts 'finance-2,site_*:!canary'
    """
    from wavegate.bootstrap.steer import retry

    return steer(rollout, lambda opened, progress: retry(opened, progress, hosts))
