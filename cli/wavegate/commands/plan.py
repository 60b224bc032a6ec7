"""`wavegate plan`: who, in which order, with which gates; changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from wavegate.commands._common import json_option, print_json, result_console


@click.command(name="plan")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@json_option
def command(file: Path, as_json: bool) -> None:
    """Print waves, batches, hosts, absolute budgets, gates and the plan's hash.

    Nothing is changed anywhere; the inventory is read and every name in FILE is resolved.

    \b
    Example:
      wavegate plan rollouts/patch-intranet.yml
      wavegate plan rollouts/patch-intranet.yml --json | jq -r .hash
    """
    from wavegate.bootstrap.prepare import prepare
    from wavegate.reports.plan_text import plan_json, print_plan

    plan = prepare(file).plan
    if as_json:
        print_json(plan_json(plan))
    else:
        print_plan(plan, result_console())
