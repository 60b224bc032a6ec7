"""The report as JSON data with stable keys, for programs; documented in docs/json.md, section "report"."""

from __future__ import annotations

import json
from typing import Any

from msgspec.structs import asdict

from wavegate.reports.facts import (
    Counts,
    GateFacts,
    HostFacts,
    Latency,
    ProbeFacts,
    ReportFacts,
    Rollback,
    Sighting,
    Try,
    VoteFacts,
    WaveFacts,
)
from wavegate.reports.impact import impact_as_data

FORMAT = 1
"""Grows when a key changes its meaning or goes away; new keys may come at any time."""

Data = dict[str, Any]


def render_json(facts: ReportFacts) -> str:
    """Return the report as indented JSON text that ends in a newline; printable in any encoding."""
    return json.dumps(report_as_data(facts), indent=2) + "\n"


def report_as_data(facts: ReportFacts) -> Data:
    """Return the report as JSON data: times are seconds since the epoch, durations and latencies seconds."""
    return {
        "format": FORMAT,
        "rollout": _rollout(facts),
        "headline": facts.headline,
        "budget": {"tolerated": facts.tolerated, "bad": sum(host.is_bad for host in facts.hosts)},
        "waves": [_wave(wave) for wave in facts.waves],
        "hosts": [_host(host) for host in facts.hosts],
        "gates": [_gate(gate) for gate in facts.gates],
        "impact": [impact_as_data(one) for one in facts.impacts],
        "rollback": _rollback(facts.rollback),
        "taken_out": [
            {
                "host": one.host,
                "key": one.key,
                "undo": one.undo,
                "since": _round(one.since),
                "failed": one.failed,
            }
            for one in facts.taken_out
        ],
        "pins": [{"key": key, "value": value, "host": host} for key, value, host in facts.pins],
        "pauses": [
            {
                "status": one.status,
                "reason": one.reason,
                "since": _round(one.since),
                "until": _round(one.until),
                "resumed_by": one.resumed_by,
            }
            for one in facts.pauses
        ],
        "troubles": [
            {
                "tone": one.tone,
                "subject": one.subject,
                "what": one.what,
                "done": one.done,
                "look": one.look,
            }
            for one in facts.troubles
        ],
        "left": list(facts.left),
        "left_out": list(facts.left_out),
        "timeline": [{"at": _round(one.at), "tone": one.tone, "text": one.text} for one in facts.timeline],
    }


def _rollout(facts: ReportFacts) -> Data:
    return {
        "id": facts.id,
        "name": facts.name,
        "description": facts.description,
        "file": facts.file,
        "plan_hash": facts.plan_hash,
        "playbooks": [{"procedure": procedure, "path": path} for procedure, path in facts.playbooks],
        "by": facts.by,
        "status": facts.status.value,
        "died": facts.died,
        "reason": facts.reason,
        "created_at": _round(facts.created_at),
        "started_at": _round(facts.started_at),
        "ended_at": _round(facts.ended_at),
        "as_of": _round(facts.as_of),
        "seconds": _round(facts.seconds),
        "notes": list(facts.notes),
    }


def _wave(wave: WaveFacts) -> Data:
    return {
        "name": wave.name,
        "standing": wave.standing,
        "hosts": len(wave.hosts),
        "batches": wave.batches,
        "tolerated": wave.tolerated,
        "bad": len(wave.bad),
        "started_at": _round(wave.started_at),
        "worked_until": _round(wave.worked_until),
        "completed_at": _round(wave.completed_at),
        "ended_at": _round(wave.ended_at),
        "seconds": _round(wave.seconds),
        "gates": [{"side": side, "name": name} for side, name in wave.planned_gates],
    }


def _host(host: HostFacts) -> Data:
    return {
        "name": host.name,
        "wave": host.wave,
        "standing": host.standing,
        "bad": host.is_bad,
        "found_bad": host.found_bad,
        "trouble": host.trouble,
        "tries": [_try(one) for one in host.tries],
    }


def _try(one: Try) -> Data:
    return {
        "batch": one.batch,
        "procedures": list(one.procedures),
        "started_at": _round(one.started_at),
        "ended_at": _round(one.ended_at),
        "seconds": _round(one.seconds),
        "outcome": one.outcome.value if one.outcome else None,
        "task": one.task,
        "reason": one.reason,
        "completed": list(one.completed),
        "changed": one.changed,
        "rescued": one.rescued,
        "output": one.output,
    }


def _gate(gate: GateFacts) -> Data:
    return {
        "wave": gate.wave,
        "side": gate.side,
        "name": gate.name,
        "verdict": gate.verdict.value if gate.verdict else None,
        "reason": gate.reason,
        "opened_at": _round(gate.opened_at),
        "decided_at": _round(gate.decided_at),
        "soak_seconds": gate.soak,
        "decides": gate.decides,
        "targets": list(gate.targets),
        "probes": [_probe(probe) for probe in gate.probes],
        "asked_until": _round(gate.asked_until),
        "votes": [_vote(vote) for vote in gate.votes],
        "overridden_by": gate.overridden_by,
        "override_reason": gate.override_reason,
    }


def _vote(vote: VoteFacts) -> Data:
    return {
        "at": _round(vote.at),
        "by": vote.by,
        "choice": vote.choice,
        "comment": vote.comment,
        "key": vote.key,
        "refused": vote.refused,
        "cases": [
            dict(zip(("name", "result", "evidence", "sha256"), case, strict=True)) for case in vote.cases
        ],
    }


def _probe(probe: ProbeFacts) -> Data:
    return {
        "name": probe.name,
        "kind": probe.kind,
        "decides": probe.decides,
        "targets": probe.targets,
        "sweeps": probe.sweeps,
        "counts": _counts(probe.counts),
        "first_bad": _sighting(probe.first_bad),
        "last_bad": _sighting(probe.last_bad),
        "last_error": _sighting(probe.last_error),
        "bad_targets": list(probe.bad_targets),
        "latency_seconds": _latency(probe.latency),
        "points": [
            {"at": _round(one.at), "counts": _counts(one.counts), "latency_seconds": _latency(one.latency)}
            for one in probe.points
        ],
        "compared": asdict(probe.compared) if probe.compared else None,
    }


def _counts(counts: Counts) -> Data:
    return {
        "good": counts.good,
        "bad": counts.bad,
        "inconclusive": counts.inconclusive,
        "error": counts.error,
    }


def _latency(latency: Latency | None) -> Data | None:
    if latency is None:
        return None
    return {"min": latency.low, "median": latency.middle, "max": latency.high}


def _sighting(sighting: Sighting | None) -> Data | None:
    if sighting is None:
        return None
    return {"at": _round(sighting.at), "target": sighting.target, "detail": sighting.detail}


def _rollback(rollback: Rollback | None) -> Data | None:
    if rollback is None:
        return None
    return {
        "wave": rollback.wave,
        "reason": rollback.reason,
        "started_at": _round(rollback.started_at),
        "ended_at": _round(rollback.ended_at),
        "hosts": list(rollback.hosts),
        "put_back": list(rollback.put_back),
        "not_put_back": list(rollback.not_put_back),
    }


def _round(seconds: float | None) -> float | None:
    """Return seconds to the millisecond: the clock's noise is no information."""
    return None if seconds is None else round(seconds, 3)
