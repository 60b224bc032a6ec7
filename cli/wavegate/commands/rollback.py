"""`wavegate rollback`: put hosts of a rollout back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wavegate.commands._common import rollout_argument, steer

if TYPE_CHECKING:
    from wavegate.errors import ExitCode


@click.command(name="rollback")
@rollout_argument
@click.option("--wave", default="", help="The hosts of this wave.")
@click.option("--hosts", default="", metavar="PATTERN", help="These: an Ansible host pattern.")
@click.option("--all", "everything", is_flag=True, help="Every host that the rollout may have changed.")
def command(rollout: str | None, wave: str, hosts: str, everything: bool) -> ExitCode:
    """Put hosts of rollout ID back with its rollback playbook, last wave and last batch first.

    Possible while nobody walks the rollout, also after it completed. Only hosts that it may have changed are
    put back, and with a backup procedure only those that have one.

    \b
    Example:
      wavegate rollback 7f3a --wave site_north
      wavegate rollback 7f3a --hosts 'finance-2,site_*:!canary'
      wavegate rollback 7f3a --all
    \b
    Exit codes: 31 all of them were put back · 32 some were not, the report names them
    """
    from wavegate.bootstrap.steer import roll_back

    if sum(map(bool, (wave, hosts, everything))) != 1:
        raise click.UsageError("say what to put back: one of --wave, --hosts and --all")
    return steer(rollout, lambda opened, progress: roll_back(opened, progress, wave=wave, patterns=hosts))
