"""`wavegate audit`: is the journal as it was written, and evidence of it for others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from wavegate.commands._common import json_option, print_json, rollout_argument
from wavegate.errors import ExitCode

if TYPE_CHECKING:
    from wavegate.bootstrap.evidence import Audit


@click.group(name="audit")
def command() -> None:
    """Verify that a journal is as it was written, and export evidence that others can verify.

    Each event carries the hash of the one before, the first one that of the plan.

    \b
    Example:
      wavegate audit verify
      wavegate audit export 7f3a --output evidence.zip
      wavegate audit verify evidence.zip
    """


@command.command()
@click.argument("subject", required=False, metavar="[ID | FILE]")
@json_option
def verify(subject: str | None, as_json: bool) -> int:
    """Find every changed, missing, inserted or reordered event of rollout ID, or of all rollouts.

    A name with a dot or a slash is a FILE that `audit export` wrote: it is held against itself, without a
    journal or a project. What no chain can find is a history made anew as a whole: compare the last hash
    (or a bundle's sha256) with one that was written down elsewhere.

    \b
    Example:
      wavegate audit verify
      wavegate audit verify 7f3a --json | jq -r '.rollouts[0].last_hash'
      wavegate audit verify ./evidence.zip
    \b
    Exit codes:
      0 all is as it was written · 30 something is not · 40 it cannot be read
    """
    from wavegate.bootstrap.evidence import audit_bundle, audit_journal, is_file_name

    if subject is not None and is_file_name(subject):
        audits: tuple[Audit, ...] = (audit_bundle(Path(subject)),)
    else:
        audits = audit_journal(subject)
    sound = not any(audit.findings for audit in audits)
    if as_json:
        print_json({"format": 1, "sound": sound, "rollouts": [_to_json(audit) for audit in audits]})
    else:
        _print(audits)
    return ExitCode.DONE if sound else ExitCode.HALTED


@command.command()
@rollout_argument
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write. Default: evidence-ID.zip in the current folder.",
)
@json_option
def export(rollout: str | None, output: Path | None, as_json: bool) -> None:
    """Write all evidence of rollout ID (default: the only open one, else the latest) to one file.

    The zip holds the events with their hashes, the plan, the report as HTML, JSON and text, and checksums.
    Only its owner can read it. The same journal makes the same file.

    \b
    Example:
      wavegate audit export 7f3a --output evidence.zip
    """
    from wavegate.bootstrap.evidence import export_bundle

    done = export_bundle(rollout, output)
    if as_json:
        print_json({"format": 1, **asdict(done), "file": str(done.file)})
        return
    click.echo(f"wrote {done.file}: rollout {done.id}, {done.events} events", err=True)
    click.echo(f"{done.sha256}  {done.file}")


def _to_json(audit: Audit) -> dict[str, object]:
    found = [{"seq": finding.seq, "message": finding.message} for finding in audit.findings]
    return {**asdict(audit), "findings": found}


def _print(audits: tuple[Audit, ...]) -> None:
    for audit in audits:
        title = f"rollout {audit.id} ({audit.name}, {audit.status.replace('_', ' ')})"
        if audit.findings:
            click.echo(f"{title}: NOT as it was written")
            for finding in audit.findings:
                click.echo(f"  {finding.message}")
        else:
            click.echo(f"{title}: {audit.events} events as they were written, last hash {audit.last_hash}")
