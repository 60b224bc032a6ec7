"""What people do at gates: look at what is asked, vote, override. A vote that does not count is kept too."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from wavegate.bootstrap.material import find_material
from wavegate.bootstrap.reading import (
    OpenedRollout,
    look_into_project_journal,
    open_project_journal,
    user_name,
)
from wavegate.bootstrap.steer import note, refuse_now
from wavegate.bootstrap.walk import carry_on
from wavegate.bootstrap.wiring import make_signatures
from wavegate.core import events as ev
from wavegate.core.outcomes import CLOSED, WALKING, Status
from wavegate.core.overriding import find_overridable
from wavegate.core.plan import Plan
from wavegate.core.plan_diff import compare_plans
from wavegate.core.requests import refuse
from wavegate.core.state import GateState, State
from wavegate.core.votes import find_asking, find_objection
from wavegate.engine.engine import Watcher
from wavegate.errors import WavegateError
from wavegate.ports import RolloutRow


class Ballot(Struct, frozen=True, kw_only=True):
    """What a person says: `results` are (test case, passed or failed), `evidence` (test case, file).

    `voter` is whose key signs ("": whoever runs this); `expires` is seconds since the epoch, 0 for never.
    """

    choice: str
    comment: str = ""
    results: tuple[tuple[str, str], ...] = ()
    evidence: tuple[tuple[str, Path], ...] = ()
    voter: str = ""
    expires: float = 0.0
    sign_with: Path | None = None
    signature: Path | None = None


class Before(Struct, frozen=True):
    """The rollout of the same name before this one, and what is different since."""

    row: RolloutRow
    differences: tuple[str, ...]


def choose_gate(opened: OpenedRollout, name: str | None) -> GateState:
    """Return the gate that asks people; WavegateError `nobody-asked` when none, or not this one, does."""
    asking = find_asking(opened.state, name or "")
    if len(asking) == 1:
        return asking[0]
    names = ", ".join(one.gate for one in find_asking(opened.state))
    what = f"gate {name} asks nobody now" if name else "no gate asks anybody now"
    if len(asking) > 1:
        what = f"several gates ask: {names}"
    hint = f"these do: {names}" if names else f"see `wavegate status {opened.row.id}`"
    raise WavegateError("nobody-asked", f"rollout {opened.row.id}: {what}", hint=hint)


def make_vote(opened: OpenedRollout, gate: GateState, ballot: Ballot) -> ev.VoteCast:
    """Return the vote as it would be signed; raise WavegateError `evidence-missing`."""
    names = dict.fromkeys((*(name for name, _ in ballot.results), *(name for name, _ in ballot.evidence)))
    results, evidence = dict(ballot.results), dict(ballot.evidence)
    cases = tuple(_make_case(name, results.get(name, ""), evidence.get(name)) for name in names)
    return ev.VoteCast(
        wave=gate.wave,
        side=gate.side,
        gate=gate.gate,
        plan_hash=opened.plan.hash,
        by=ballot.voter or user_name(),
        choice=ballot.choice,
        comment=ballot.comment,
        cases=cases,
        expires=ballot.expires,
    )


def _make_case(name: str, result: str, file: Path | None) -> ev.CaseResult:
    from wavegate.adapters.sign_off import digest_evidence

    if not result:
        hint = f"say how it went: --case '{name}=passed'"
        raise WavegateError("evidence-missing", f"there is evidence of {name!r}, and no result", hint=hint)
    if file is None:
        return ev.CaseResult(name, result)
    return ev.CaseResult(name, result, file.name, digest_evidence(name, file))


def cast(opened: OpenedRollout, gate: GateState, ballot: Ballot) -> tuple[ev.VoteCast, State | None]:
    """Cast the vote; return it, and where the rollout stands (None: the process that walks it was told).

    Raise WavegateError `vote-refused` for one that does not count; that is in the journal then.
    """
    from wavegate.adapters.sign_off import keep_evidence
    from wavegate.adapters.signatures import find_fingerprint, read_signature, sign

    vote = make_vote(opened, gate, ballot)
    signature = ""
    if ballot.sign_with:
        signature = sign(opened.row.id, vote, ballot.sign_with)
    elif ballot.signature:
        signature = read_signature(ballot.signature)
    vote = replace(vote, signature=signature, key=find_fingerprint(signature) if signature else "")
    fault = ""
    if signature:
        signatures = make_signatures(opened.row.id, opened.plan, find_material(opened.work))
        fault = signatures.find_fault(vote)
    why = find_objection(opened.plan, opened.state, vote, time.time(), fault)
    if why:
        _say(opened, refuse(vote, why))
        raise WavegateError(
            "vote-refused",
            f"the vote of {vote.by} at gate {vote.gate} does not count: {why}",
            hint=f"see what is asked, and of whom: wavegate votes {opened.row.id}",
        )
    kept = {case.name: case.sha256 for case in vote.cases}
    for name, file in ballot.evidence:
        keep_evidence(opened.work, name, file, kept[name])
    return vote, _say(opened, vote)


def _say(opened: OpenedRollout, event: ev.Event) -> State | None:
    """Hand the event to the process that walks the rollout, or write it where nobody does."""
    if opened.row.status in WALKING and not opened.died:
        open_project_journal(opened.project).request(opened.row.id, event, time.time())
        return None
    return note(opened, event)


def find_before(opened: OpenedRollout) -> Before | None:
    """Return the rollout of this name that was made last before this one, with what is different since."""
    with look_into_project_journal(opened.project) as journal:
        namesakes = [row for row in journal.rollouts() if row.name == opened.row.name]
        earlier = [row for row in namesakes if row.created_at < opened.row.created_at]
        if not earlier:
            return None
        newest = max(earlier, key=lambda row: row.created_at)
        old = journal.plan(newest.id)
    return Before(newest, (*compare_plans(old, opened.plan), *_find_changed_files(opened, old)))


def _find_changed_files(opened: OpenedRollout, old: Plan) -> tuple[str, ...]:
    """Return which files of the project differ, where both copies are still kept."""
    from wavegate.adapters.material import compare_copies

    if old.digests.get("project") == opened.plan.digests.get("project"):
        return ()
    store = opened.project / ".wavegate" / "material"
    copies = [store / plan.digests.get("project", "-") for plan in (old, opened.plan)]
    return compare_copies(*copies) if all(copy.is_dir() for copy in copies) else ()


def override(opened: OpenedRollout, watcher: Watcher, gate: str, reason: str) -> State | None:
    """Let the rollout pass the gate, once, and go on; None when the process that walks it was told.

    Raise WavegateError where there is no such gate that keeps it from going on.
    """
    row = opened.row
    shut = find_overridable(opened.state, gate)
    if gate not in opened.plan.gates:
        raise refuse_now(opened, f"it has no gate {gate!r}", f"there are: {', '.join(opened.plan.gates)}")
    if shut is None or row.status in CLOSED:
        raise refuse_now(opened, f"gate {gate} does not keep it from going on", f"wavegate status {row.id}")
    if opened.state.rollback:
        raise refuse_now(opened, "it is being put back", f"see `wavegate report {row.id}`")
    event = ev.GateOverridden(shut.wave, shut.side, gate, user_name(), reason)
    standing_still = {Status.HELD, Status.HALTED, Status.WAITING, Status.INTERRUPTED}
    if opened.died or row.status not in WALKING | standing_still:
        raise refuse_now(opened, "its process died", f"first go on with it: wavegate resume {row.id}")
    return None if _say(opened, event) is None else carry_on(opened, watcher)
