"""`wavegate schema`: the JSON Schema of the rollout file, for editors."""

from __future__ import annotations

import click


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of the rollout file.

    Editors complete and check rollout files with it. What depends on several keys, such as the name of a
    gate, is checked by `wavegate validate`.

    \b
    Example:
      wavegate schema > rollout.schema.json
      # first line of a rollout file, for the YAML language server:
      # yaml-language-server: $schema=../rollout.schema.json
    """
    from wavegate.commands._common import print_json
    from wavegate.config.json_schema import build_json_schema
    from wavegate.config.kinds import installed

    print_json(build_json_schema(installed()))
