"""Rehearsals: a rollout's way there, back and there again on hosts like the real ones (design 4.8)."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from wavegate.core import events as ev
from wavegate.core.judgement import Judgement
from wavegate.core.outcomes import Reading
from wavegate.core.quantity import format_duration
from wavegate.core.spec import GateSpec, OnBreach, Procedure, RehearsalSpec, RolloutSpec, WaveSpec

CONDITION = "rehearsed"
"""The kind of the probe that stands for the condition."""
PREFIX = "rehearse-"
"""How rehearsals of a rollout are called: they are rollouts themselves."""


class Evidence(Struct, frozen=True):
    """A rehearsal that came to its end, and when."""

    at: float
    rollout: str
    event: ev.Rehearsed


class TriedRole(Struct, frozen=True):
    """What is known of a role's way there and back: its digest now (of none: ""), and when it was tried."""

    name: str
    digest: str
    tried_digest: str = ""
    at: float = 0.0


def find_obstacle(spec: RolloutSpec, wish: RehearsalSpec) -> str:
    """Return why the rollout cannot be rehearsed, "" when it can: each way needs what verifies it."""
    if not spec.playbooks.get(Procedure.ROLLBACK):
        return "it names no rollback playbook"
    if not spec.rollback.gate:
        return "nothing verifies its rollback: rollback.gate names no gate"
    if not spec.playbooks.get(Procedure.VERIFY) and not gate_of(spec, wish):
        return "nothing verifies the change: there is no verify playbook, and no gate after the first wave"
    return ""


def gate_of(spec: RolloutSpec, wish: RehearsalSpec) -> str:
    """Return the gate that a rehearsal passes after the change: the one wished for, or after the first wave.

    A gate that measures nothing verifies nothing, and is none.
    """
    named = [wish.gate, *(wave.after for wave in spec.waves)]
    measuring = (name for name in named if name and _only_measuring(spec, spec.gates[name]).probes)
    return next(measuring, "")


def make_rehearsal(spec: RolloutSpec, wish: RehearsalSpec) -> RolloutSpec:
    """Return the rollout that rehearses: one wave on the hosts wished for.

    Its gates ask nobody, and compare with nobody: all hosts are changed. Nothing is put back by a policy: the
    rehearsal puts everything back itself.
    """
    after = gate_of(spec, wish)
    return replace(
        spec,
        name=PREFIX + spec.name,
        inventory=wish.inventory or spec.inventory,
        hosts=wish.hosts or spec.hosts,
        leave_out="",
        before="",
        failure_budget=None,
        on_breach=OnBreach.HALT,
        probes={name: replace(probe, compare=None) for name, probe in spec.probes.items()},
        gates={name: _only_measuring(spec, gate) for name, gate in spec.gates.items()},
        waves=(WaveSpec(name="rehearsal", path="rehearsal", hosts=wish.hosts or spec.hosts, after=after),),
    )


def _only_measuring(spec: RolloutSpec, gate: GateSpec) -> GateSpec:
    """Return the gate without the people it asks, and without the condition that this rehearsal is for."""
    probes = tuple(use for use in gate.probes if spec.probes[use.probe].kind != CONDITION)
    return replace(gate, approval=None, probes=probes)


def judge_rehearsals(plan_hash: str, found: Sequence[Evidence], within: float, now: float) -> Judgement:
    """Return good when this very plan was rehearsed with success within so many seconds; newest first."""
    own = [one for one in found if one.event.plan_hash == plan_hash]
    if not own:
        more = ""
        if found:
            more = f"; the last rehearsal was of plan {found[0].event.plan_hash[:12]}, which was edited since"
        return Judgement(Reading.BAD, f"this plan was never rehearsed: wavegate rehearse FILE{more}")
    newest = own[0]
    ago = format_duration(max(0.0, now - newest.at))
    if not newest.event.succeeded:
        return Judgement(Reading.BAD, f"the rehearsal {ago} ago failed: {newest.event.reason}")
    seconds = newest.event.rollback_seconds
    if now - newest.at > within:
        return Judgement(
            Reading.BAD, f"rehearsed {ago} ago, wanted within {format_duration(within)}", seconds
        )
    hosts = len(newest.event.hosts)
    took = f"the rollback took {format_duration(seconds)}"
    return Judgement(
        Reading.GOOD, f"rehearsed {ago} ago on {hosts} host{'s' if hosts != 1 else ''}; {took}", seconds
    )


def judge_tried(roles: Sequence[TriedRole], within: float, now: float) -> Judgement:
    """Return good when every role, as it is, went there and back within so many seconds; name the others."""
    lacking = [f"{role.name} {why}" for role in roles if (why := _find_lack(role, within, now))]
    if lacking:
        return Judgement(Reading.BAD, f"{'; '.join(lacking)}: run the molecule scenario")
    oldest = format_duration(max(0.0, now - min(role.at for role in roles)))
    names = ", ".join(role.name for role in roles)
    return Judgement(Reading.GOOD, f"there and back within the last {oldest}: {names}")


def _find_lack(role: TriedRole, within: float, now: float) -> str:
    """Return why the role counts as not tried, "" where it was."""
    if not role.digest:
        return "is no role of this project"
    if not role.tried_digest:
        return "was never tried there and back"
    if role.digest != role.tried_digest:
        return "was edited since it was tried"
    if now - role.at > within:
        return f"was tried {format_duration(now - role.at)} ago, wanted within {format_duration(within)}"
    return ""
