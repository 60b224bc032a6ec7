"""`wavegate events`: what happened in a rollout, event by event."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from wavegate.commands._common import json_option, print_json, result_console, rollout_argument
from wavegate.errors import WavegateError

if TYPE_CHECKING:
    from wavegate.bootstrap.reading import OpenedRollout
    from wavegate.core.events import Record


@click.command(name="events")
@rollout_argument
@click.option("--host", help="Only what concerns this host, and where Ansible's output for it lies.")
@json_option
def command(rollout: str | None, host: str | None, as_json: bool) -> None:
    """List what happened in rollout ID (default: the only open one, else the latest).

    With --host, shows the host's events and the file that keeps what Ansible printed for its batch.

    \b
    Example:
      wavegate events
      wavegate events 7f3a --host finance-2
      wavegate events --json | jq '.events[] | select(.kind=="gate_decided")'
    """
    from wavegate.bootstrap.reading import open_rollout

    opened = open_rollout(rollout)
    if host is not None and host not in opened.plan.hosts:
        raise _unknown_host(host, opened.plan.hosts)
    records = [record for record in opened.records if host is None or _concerns(record, host)]
    if as_json:
        events = [_record_json(record) for record in records]
        print_json({"format": 1, "rollout": opened.row.id, "events": events})
        return
    _print_lines(opened, records)
    if host:
        _print_output(opened, host)


def _concerns(record: Record, host: str) -> bool:
    event = record.event
    measured = (measurement.target for measurement in getattr(event, "measurements", ()))
    listed = (*getattr(event, "hosts", ()), *getattr(event, "targets", ()), *measured)
    return host == getattr(event, "host", None) or host in listed


def _unknown_host(host: str, hosts: Sequence[str]) -> WavegateError:
    near = get_close_matches(host, hosts, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "its hosts: wavegate report"
    return WavegateError("host-unknown", f"the rollout has no host {host!r}", hint=hint)


def _record_json(record: Record) -> dict[str, Any]:
    from wavegate.core.codec import encode, kind_of

    return {"seq": record.seq, "at": record.at, "kind": kind_of(record.event), **encode(record.event)}


def _print_lines(opened: OpenedRollout, records: list[Record]) -> None:
    from rich.text import Text

    from wavegate.reports.sentences import describe

    console = result_console()
    for record in records:
        line = describe(record.event, opened.plan)
        if line:
            stamp = datetime.fromtimestamp(record.at, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")
            text = Text.assemble((f"{record.seq:>5}  {stamp}", "dim"), "  ", (line.text, line.style))
            console.print(text, soft_wrap=True)


def _print_output(opened: OpenedRollout, host: str) -> None:
    for name, batch in opened.state.batches.items():
        if host in batch.hosts and batch.output:
            click.echo(f"what Ansible printed for batch {name}: {opened.work / batch.output}")
