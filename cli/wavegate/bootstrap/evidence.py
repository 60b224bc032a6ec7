"""Audits: the chain of a journal, and bundles that prove themselves without one."""

from __future__ import annotations

import os
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from wavegate.bootstrap.reading import choose, current_project, look_into_project_journal
from wavegate.errors import ExitCode, WavegateError

if TYPE_CHECKING:
    from wavegate.adapters.journal import Finding, JournalReader
    from wavegate.ports import RolloutRow


class Audit(Struct, frozen=True):
    """What was held against itself: one rollout, its last hash, and everything that is wrong with it."""

    id: str
    name: str
    status: str
    events: int
    last_hash: str
    findings: tuple[Finding, ...]


def is_file_name(subject: str) -> bool:
    """Return whether an audit's subject is a bundle: an id has neither a dot nor a slash in it."""
    return "." in subject or os.sep in subject


def audit_journal(rollout_id: str | None) -> tuple[Audit, ...]:
    """Return what the project's journal says of one rollout, or of all of them, newest first."""
    with look_into_project_journal(current_project()) as journal:
        rows = [journal.find(rollout_id)] if rollout_id else journal.rollouts()
        if not rows:
            raise WavegateError("no-rollouts", "there is no rollout yet", hint="start one: wavegate run FILE")
        return tuple(_audit(journal, row) for row in rows)


def _audit(journal: JournalReader, row: RolloutRow) -> Audit:
    findings = tuple(journal.verify(row.id))
    events, last_hash = journal.tail(row.id)
    return Audit(row.id, row.name, row.status, events, last_hash, findings)


def audit_bundle(path: Path) -> Audit:
    """Return what a bundle says; needs no project and no journal."""
    from wavegate.adapters.journal.bundle_check import check_bundle

    checked = check_bundle(path)
    return Audit(
        checked.rollout_id,
        checked.name,
        checked.status,
        checked.events,
        checked.last_hash,
        checked.findings,
    )


class Exported(Struct, frozen=True):
    """A bundle that was written, and what it is known by."""

    id: str
    file: Path
    sha256: str
    events: int
    last_hash: str


def export_bundle(rollout_id: str | None, output: Path | None) -> Exported:
    """Write the rollout's evidence bundle; without `output` to `evidence-ID.zip` in the current folder.

    Raise WavegateError `audit-failed`, and write nothing, when the journal is not as it was written.
    """
    from wavegate.adapters.journal.bundle import write_bundle

    with look_into_project_journal(current_project()) as journal, journal.one_instant():
        row = journal.find(rollout_id) if rollout_id else choose(journal.rollouts())
        if findings := journal.verify(row.id):
            raise WavegateError(
                "audit-failed",
                f"the journal of rollout {row.id} is not as it was written; no evidence was made of it",
                why="; ".join(finding.message for finding in findings[:3]),
                hint=f"see everything that was found: wavegate audit verify {row.id}",
                exit_code=ExitCode.HALTED,
            )
        file = output or Path(f"evidence-{row.id}.zip")
        sha256, events = write_bundle(journal, row, _render_reports(journal, row), file)
        return Exported(row.id, file, sha256, events, journal.tail(row.id)[1])


def _render_reports(journal: JournalReader, row: RolloutRow) -> dict[str, str]:
    """Return the reports, with times in UTC: a bundle is the same wherever it is made."""
    from wavegate.adapters.journal import is_died
    from wavegate.reports.gathering import gather_facts
    from wavegate.reports.html import render_html
    from wavegate.reports.json_report import render_json
    from wavegate.reports.text import render_text

    facts = gather_facts(journal.plan(row.id), journal.read(row.id), row, died=is_died(row))
    return {
        "report.html": render_html(facts, zone=UTC),
        "report.json": render_json(facts),
        "report.txt": render_text(facts, zone=UTC),
    }
