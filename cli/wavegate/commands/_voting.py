"""What `approve` and `reject` share: their options, the look before the vote, the vote."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from wavegate.commands._common import rollout_argument, talk_console
from wavegate.errors import ExitCode

RESULTS = ("passed", "failed")


def vote_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of a vote to a command."""
    for option in reversed(
        (
            rollout_argument,
            click.option("--gate", help="Which gate; not needed while only one asks."),
            click.option(
                "--case", "cases", multiple=True, metavar="NAME=passed|failed", help="Result of a test case."
            ),
            click.option(
                "--evidence",
                multiple=True,
                metavar="NAME=FILE",
                help="Evidence of a test case; kept by checksum.",
            ),
            click.option("--sign", "key", type=click.Path(path_type=Path), help="Sign with this SSH key."),
            click.option(
                "--signature",
                type=click.Path(path_type=Path),
                help="A signature made elsewhere (see --message).",
            ),
            click.option("--as", "voter", help="Whose key it is, as the allowed signers say."),
            click.option("--expires", help="When a signed vote expires, such as 2026-12-01T12:00+01:00."),
            click.option("--message", is_flag=True, help="Print the text to be signed, and do not vote."),
            click.option("--yes", is_flag=True, help="Do not ask for confirmation in a terminal."),
        )
    ):
        command = option(command)
    return command


def vote(  # noqa: PLR0913 - the options of a vote
    choice: str,
    rollout: str | None,
    *,
    gate: str | None,
    comment: str,
    cases: Iterable[str],
    evidence: Iterable[str],
    key: Path | None,
    signature: Path | None,
    voter: str | None,
    expires: str | None,
    message: bool,
    yes: bool,
) -> ExitCode:
    """Show what is voted on, then cast the vote."""
    from wavegate.bootstrap.people import Ballot, cast, choose_gate, make_vote
    from wavegate.bootstrap.reading import open_rollout
    from wavegate.core.votes import message_of

    if voter and not (key or signature or message):
        raise click.UsageError("--as names whose key signs; add --sign KEY or --signature FILE")
    ballot = Ballot(
        choice=choice,
        comment=comment,
        results=tuple(_split(one, "--case", RESULTS) for one in cases),
        evidence=tuple((name, Path(file)) for name, file in (_split(one, "--evidence") for one in evidence)),
        voter=voter or "",
        expires=_read_instant(expires),
        sign_with=key,
        signature=signature,
    )
    opened = open_rollout(rollout)
    asking = choose_gate(opened, gate)
    if message:
        click.echo(message_of(opened.row.id, make_vote(opened, asking, ballot)), nl=False)
        return ExitCode.DONE
    talk = talk_console()
    if sys.stdin.isatty() and sys.stderr.isatty() and not yes:
        from wavegate.commands.votes import look_at
        from wavegate.reports.voting import render_asked

        talk.print(render_asked(look_at(opened, asking)))
        click.confirm(f"{choice} at gate {asking.gate}?", abort=True, err=True)
    counted, state = cast(opened, asking, ballot)
    said = f"{choice} of {counted.by} at gate {counted.gate}"
    if state is None:
        talk.print(f"{said}: handed to the process that walks rollout {opened.row.id}", markup=False)
    else:
        talk.print(f"{said} counts; go on: wavegate resume {opened.row.id}", markup=False)
    return ExitCode.DONE


def _split(text: str, option: str, allowed: tuple[str, ...] = ()) -> tuple[str, str]:
    """Return name and value; the last `=` divides them where values are words, the first one elsewhere."""
    name, sign, value = text.rpartition("=") if allowed else text.partition("=")
    if not sign or not name or not value or (allowed and value not in allowed):
        form = f"NAME={'|'.join(allowed)}" if allowed else "NAME=FILE"
        raise click.UsageError(f"{option} {text!r}: wanted {form}")
    return name, value


def _read_instant(text: str | None) -> float:
    if text is None:
        return 0.0
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--expires {text!r}: wanted a time such as 2026-12-01T12:00+01:00") from None
    if instant.tzinfo is None:
        raise click.UsageError(f"--expires {text!r} has no timezone: add Z or an offset such as +01:00")
    return instant.timestamp()
