"""`wavegate plan`: who, in which order, with which gates; changes nothing."""

from __future__ import annotations

from pathlib import Path

import click

from wavegate.commands._common import json_option, print_json, result_console


@click.command(name="plan")
@click.argument("file", type=click.Path(path_type=Path, readable=False))
@click.option("--fresh", is_flag=True, help="Ask Ansible even if no file has changed since the last plan.")
@json_option
def command(file: Path, fresh: bool, as_json: bool) -> None:
    """Print waves, batches, hosts, absolute budgets, gates and the plan's hash.

    Nothing is changed anywhere; the inventory is read and every name in FILE is resolved. What was read from
    files alone is remembered below .wavegate/cache until one of them changes.

    \b
    Example:
      wavegate plan rollouts/patch-intranet.yml
      wavegate plan rollouts/patch-intranet.yml --json | jq -r .hash
    """
    from wavegate.bootstrap.prepare import prepare_plan
    from wavegate.reports.plan_text import plan_json, print_plan

    plan = prepare_plan(file, fresh=fresh)
    if as_json:
        print_json(plan_json(plan))
    else:
        print_plan(plan, result_console())
