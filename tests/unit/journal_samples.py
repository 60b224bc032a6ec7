"""What the journal's tests have in common: a plan, events of every kind, owners dead and alive."""

from __future__ import annotations

import os

from hypothesis import strategies as st
from msgspec.structs import replace

from wavegate.adapters.journal import Owner, SqlJournal, this_process
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading, Status, Verdict
from wavegate.core.plan import Plan, PlannedBatch, PlannedWave
from wavegate.core.spec import Budget, GateProbe, GateSpec, OnBreach, ProbeSpec, Procedure, Sampling, Scope

ANN_ELSEWHERE = Owner("ann", "far", 4711, "another-kernel/pid:[1] 99")


def make_plan(name: str = "patch-intranet") -> Plan:
    """Return a plan that uses every part a plan can have."""
    batches = (PlannedBatch(("web1", "bücher"), 0), PlannedBatch(("-x y",), 1))
    wave = PlannedWave(
        "pilot", batches, 2, Budget(1, {"unreachable": 1}), "", "healthy", "rack", {"web1": "r1"}
    )
    probe = ProbeSpec(name="answers", kind="http", scope=Scope.HOST, settings={"url": "x"}, timeout=2.0)
    used = GateProbe(probe="answers", sampling=Sampling())
    return Plan(
        name=name,
        description="Größe 10 %",
        waves=(wave,),
        left_out=("db1",),
        probes={"answers": probe},
        gates={"healthy": GateSpec(name="healthy", probes=(used,), soak=20.0)},
        playbooks={Procedure.APPLY: ("patch.yml",)},
        inventory=("hosts.yml",),
        variables=("version",),
        on_breach=OnBreach.ROLLBACK_WAVE,
        batch_timeout=60.0,
        digests={"rollout file": "0" * 64},
        notes=("a note",),
    )


STARTED = ev.RolloutStarted("patch-intranet", make_plan().hash, "ann")

ONE_OF_EACH: tuple[ev.Event, ...] = (
    STARTED,
    ev.WaveStarted("pilot"),
    ev.BatchSubmitted("pilot.1", "pilot", 0, ("web1", "bücher"), ("backup", "apply")),
    ev.HostFinished("pilot.1", "web1", Outcome.DONE, completed=("backup", "apply"), changed=3),
    ev.HostFinished("pilot.1", "bücher", Outcome.FAILED, "no\x00such\nthing \udcff", "Install", rescued=1),
    ev.BatchEnded("pilot.1", "ended", output="/artifacts/pilot.1"),
    ev.ObligationOpened("pilot.1", "web1", "drained at lb\u00e4", "playbooks/undrain.yml"),
    ev.VersionPinned("pilot.1", "web1", "intranet", "1.1"),
    ev.ObligationClosed("pilot.1", "web1", "drained at lb\u00e4"),
    ev.GateOpened("pilot", "after", "healthy", ("web1",)),
    ev.SweepStarted("pilot", "after", "answers", 1, ("web1",)),
    ev.SweepEnded("pilot", "after", "answers", 1, (ev.Measurement("web1", Reading.BAD, "503", 0.1),)),
    ev.HostFoundBad("pilot", "web1", "answers", "503"),
    ev.ApprovalRequested("pilot", "after", "healthy", 704800.0),
    ev.VoteCast(
        "pilot",
        "after",
        "healthy",
        make_plan().hash,
        "ann",
        "approve",
        "seen",
        (ev.CaseResult("login wörks", "passed", "login.png", "0" * 64),),
        expires=0.5,
        key="SHA256:abc",
        signature="-----BEGIN SSH SIGNATURE-----",
    ),
    ev.VoteRefused("pilot", "after", "healthy", "eve", "approve", "she is not asked"),
    ev.GateDecided("pilot", "after", "healthy", Verdict.FAIL, "web1 is bad"),
    ev.GateOverridden("pilot", "after", "healthy", "ann", "checked by hand"),
    ev.BudgetBreached("wave", "pilot", 1, 0, "1 bad, 0 tolerated"),
    ev.StopRequested("ann", now=True),
    ev.LeaseBroken("bob", "its machine is gone", "ann@far (process 4711)"),
    ev.RolloutPaused(Status.INTERRUPTED, "stopped by ann"),
    ev.RolloutResumed("bob"),
    ev.Rehearsed("f" * 64, True, ("lab1",), 12.5, 3.25, 11.0, ("r1", "r2")),
    ev.HostsRetried("pilot", ("web1",), (0,), "bob"),
    ev.HostSkipped("pilot", "web1", "bob", "it is replaced"),
    ev.RollbackStarted("pilot", ("web1",), "the gate failed", "bob"),
    ev.WaveCompleted("pilot"),
    ev.AbortRequested("bob", "withdrawn"),
    ev.RolloutEnded(Status.ROLLED_BACK, "put back"),
)


def build_events(cls: type) -> st.SearchStrategy[ev.Event]:
    """Return a strategy for all events of one kind."""
    number = st.none() | st.floats(allow_nan=False)
    measurement = st.builds(ev.Measurement, value=number)
    special = {
        ev.SweepEnded: {"measurements": st.lists(measurement).map(tuple)},
        ev.VoteCast: {"expires": st.floats(allow_nan=False)},
        ev.Rehearsed: dict.fromkeys(
            ("apply_seconds", "rollback_seconds", "again_seconds"), st.floats(allow_nan=False)
        ),
        ev.ApprovalRequested: {"until": st.floats(allow_nan=False)},
    }
    return st.builds(cls, **special.get(cls, {}))


def begin(journal: SqlJournal, rollout_id: str = "r1", at: float = 100.0) -> None:
    """Create a rollout and take its lease."""
    journal.create(rollout_id, make_plan(), "rollouts/patch.yml", at)
    journal.acquire(rollout_id, at)


def write_one_of_each(journal: SqlJournal, rollout_id: str = "r1") -> None:
    """Create a rollout whose events are ONE_OF_EACH, a second apart."""
    begin(journal, rollout_id)
    for seq, event in enumerate(ONE_OF_EACH):
        journal.append(rollout_id, seq, [event], 100.0 + seq)


def owner_with(*, pid: int | None = None, start: str | None = None) -> Owner:
    """Return this process as an owner, with another pid or start."""
    mine = this_process()
    kernel, _, started = mine.process.rpartition(" ")
    return replace(mine, pid=pid or os.getpid(), process=f"{kernel} {start or started}")
