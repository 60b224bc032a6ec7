"""Writes docs/cli.md: the `--help` of every command, so that the page cannot differ from the program."""

from __future__ import annotations

from collections.abc import Iterator

import click

from wavegate.main import cli

_WIDTH = 100


def render() -> str:
    """Return the whole page."""
    parts = ["# Commands\n\nGenerated from the program by `make docs`; a test compares.\n"]
    for names, command in walk(cli, ("wavegate",)):
        context = click.Context(
            command, info_name=" ".join(names), terminal_width=_WIDTH, max_content_width=_WIDTH
        )
        context.help_option_names = ["-h", "--help"]
        parts.append(f"## {' '.join(names)}\n\n```\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


def walk(command: click.Command, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield every command below, in the order in which `--help` lists them."""
    yield names, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            if child:
                yield from walk(child, (*names, name))


if __name__ == "__main__":
    print(render(), end="")
