"""The events of the journal: every state is a fold of them. Intents are written before the act.

An event is a frozen struct; `core.codec` turns it into a kind and JSON data and back.
Times are seconds since the epoch (UTC) and stand beside the event, in `Record`.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field

from wavegate.core.outcomes import Outcome, Reading, Status, Verdict


class Asked(Struct, frozen=True):
    """What one measurement of many requests counted; `lost` could not be sent or have no known end.

    `down` and `unknown` are seconds within the measurement, `ends` is how its last request was answered.
    """

    requests: int
    failed: int
    lost: int = 0
    down: float = 0.0
    unknown: float = 0.0
    ends: Reading = Reading.GOOD


class Measurement(Struct, frozen=True):
    """One answer of one probe about one target (a host, or "" for a probe measured once).

    `value` is a number worth showing (an http probe's latency in seconds), `detail` the sentence. A probe
    with scope `group` names the first host of each group; `asked` is there where many requests were made.
    """

    target: str
    reading: Reading
    detail: str = ""
    value: float | None = None
    asked: Asked | None = None


class RolloutStarted(Struct, frozen=True):
    """A rollout began to walk its plan."""

    name: str
    plan_hash: str
    by: str


class RolloutResumed(Struct, frozen=True):
    """A process took over; what was in flight in the dead one has been accounted for before this."""

    by: str


class WaveStarted(Struct, frozen=True):
    """The wave's before-gate (if any) passed; its hosts may be touched from here on."""

    wave: str


class WaveCompleted(Struct, frozen=True):
    """Every host of the wave has an outcome and its after-gate (if any) passed."""

    wave: str


class BatchSubmitted(Struct, frozen=True):
    """Intent: one Ansible process is about to run these procedures on these hosts.

    `batch` is unique in the rollout (`pilot.1`, a second try `pilot.1-2`, a rollback `pilot.1-rollback`);
    `index` is the batch's place in its wave, from 0. A batch that discharges an obligation names its key and
    the playbook `undo`.
    """

    batch: str
    wave: str
    index: int
    hosts: tuple[str, ...]
    procedures: tuple[str, ...]
    obligation: str = ""
    undo: str = ""


class HostFinished(Struct, frozen=True):
    """One host's outcome in one batch, on evidence. `completed` names the procedures it got through.

    `task` and `reason` tell the first trouble (already redacted); `rescued` counts rescued failures.
    """

    batch: str
    host: str
    outcome: Outcome
    reason: str = ""
    task: str = ""
    completed: tuple[str, ...] = ()
    changed: int = 0
    rescued: int = 0


class BatchEnded(Struct, frozen=True):
    """The batch's Ansible process is gone. `status`: ended, timed_out, canceled, or lost (found dead).

    Hosts of the batch without an outcome are `timed_out`, or `aborted` (canceled, lost, ended).
    """

    batch: str
    status: str
    detail: str = ""
    output: str = ""


class ObligationOpened(Struct, frozen=True):
    """Intent: the batch's playbook is about to take something out, which the playbook `undo` puts back.

    It waits until this is durable, and takes nothing out when it is not.
    """

    batch: str
    host: str
    key: str
    undo: str


class ObligationClosed(Struct, frozen=True):
    """The batch's playbook has put back what it had taken out."""

    batch: str
    host: str
    key: str


class VersionPinned(Struct, frozen=True):
    """What the first host resolved for `key` (a package, an artifact): later hosts get the same `value`."""

    batch: str
    host: str
    key: str
    value: str


class GateOpened(Struct, frozen=True):
    """A gate began to look. For a gate `after` a wave this instant is where the soak starts.

    `untouched` are hosts still to come, with which probes compare; `intervals` maps each probe of a
    background gate (`during` the wave) to its interval in seconds.
    """

    wave: str
    side: str
    gate: str
    targets: tuple[str, ...]
    untouched: tuple[str, ...] = ()
    intervals: Mapping[str, float] = field(default_factory=dict)


class SweepStarted(Struct, frozen=True):
    """Intent: a probe is about to measure all of its targets once, and the `untouched` beside them."""

    wave: str
    side: str
    probe: str
    number: int
    targets: tuple[str, ...]
    untouched: tuple[str, ...] = ()


class SweepEnded(Struct, frozen=True):
    """What the probe answered about its targets, and about the `untouched` hosts to compare them with."""

    wave: str
    side: str
    probe: str
    number: int
    measurements: tuple[Measurement, ...]
    untouched: tuple[Measurement, ...] = ()


class HostFoundBad(Struct, frozen=True):
    """A probe found a host bad beyond its failure_limit; it counts against the failure budget."""

    wave: str
    host: str
    probe: str
    reason: str


class ApprovalRequested(Struct, frozen=True):
    """The gate has all that measurements can give it, and asks people now; `until` is when that expires."""

    wave: str
    side: str
    gate: str
    until: float


class CaseResult(Struct, frozen=True):
    """One named test case of a sign-off: `passed` or `failed`, and the evidence file with its sha256."""

    name: str
    result: str
    evidence: str = ""
    sha256: str = ""


class VoteCast(Struct, frozen=True):
    """A person's vote at a gate, which counts: `choice` is approve or reject.

    It is bound to `plan_hash`. A signed vote names the principal's key; `signature` (armoured, by ssh-keygen)
    is over `core.votes.message_of` the vote, which expires at `expires` (0: it does not).
    """

    wave: str
    side: str
    gate: str
    plan_hash: str
    by: str
    choice: str
    comment: str = ""
    cases: tuple[CaseResult, ...] = ()
    expires: float = 0.0
    key: str = ""
    signature: str = ""


class VoteRefused(Struct, frozen=True):
    """A vote that does not count, and why."""

    wave: str
    side: str
    gate: str
    by: str
    choice: str
    reason: str


class GateOverridden(Struct, frozen=True):
    """A person lets the rollout pass this gate, this once, whatever it says."""

    wave: str
    side: str
    gate: str
    by: str
    reason: str


class Rehearsed(Struct, frozen=True):
    """The change of plan `plan_hash` went there, back and there again on these hosts, or did not.

    Times are what each way took in seconds, with what verified it; `rollouts` are the ids of the ways.
    """

    plan_hash: str
    succeeded: bool
    hosts: tuple[str, ...]
    apply_seconds: float
    rollback_seconds: float
    again_seconds: float
    rollouts: tuple[str, ...]
    reason: str = ""


class GateDecided(Struct, frozen=True):
    """The gate's verdict, with the sentence that says why."""

    wave: str
    side: str
    gate: str
    verdict: Verdict
    reason: str


class BudgetBreached(Struct, frozen=True):
    """More hosts are bad than the budget of the wave (or of the rollout, `level`) tolerates."""

    level: str
    wave: str
    bad: int
    tolerated: int
    reason: str


class RollbackStarted(Struct, frozen=True):
    """The hosts listed are about to be put back, last wave and last batch first.

    `wave` is where the trouble was; `by` the person who asked for it ("" when the policy did).
    """

    wave: str
    hosts: tuple[str, ...]
    reason: str
    by: str = ""


class HostsRetried(Struct, frozen=True):
    """A person wants these hosts of the wave done again; `batches` are the indices of their batches.

    What stopped the rollout (a breach, a failed gate) is judged anew afterwards.
    """

    wave: str
    hosts: tuple[str, ...]
    batches: tuple[int, ...]
    by: str


class HostSkipped(Struct, frozen=True):
    """A person takes the host out of the rollout; it counts neither as done nor as bad."""

    wave: str
    host: str
    by: str
    reason: str


class AbortRequested(Struct, frozen=True):
    """A person ends the rollout for good; what it took out is put back first."""

    by: str
    reason: str


class StopRequested(Struct, frozen=True):
    """A person or a signal asked to stop: `now` cancels what is in flight, otherwise it ends by itself."""

    by: str
    now: bool = False


class LeaseBroken(Struct, frozen=True):
    """A person took the lease away from `owner`, who can never write again; the rollout stands as it was."""

    by: str
    reason: str
    owner: str


class RolloutPaused(Struct, frozen=True):
    """The rollout stands still: `waiting` for time, or for a person (held, interrupted, halted, ...)."""

    status: Status
    reason: str


class RolloutEnded(Struct, frozen=True):
    """The rollout reached a closed state."""

    status: Status
    reason: str


Event = (
    RolloutStarted
    | RolloutResumed
    | WaveStarted
    | WaveCompleted
    | BatchSubmitted
    | HostFinished
    | BatchEnded
    | ObligationOpened
    | ObligationClosed
    | VersionPinned
    | GateOpened
    | SweepStarted
    | SweepEnded
    | HostFoundBad
    | ApprovalRequested
    | VoteCast
    | VoteRefused
    | GateOverridden
    | Rehearsed
    | GateDecided
    | BudgetBreached
    | RollbackStarted
    | HostsRetried
    | HostSkipped
    | AbortRequested
    | StopRequested
    | LeaseBroken
    | RolloutPaused
    | RolloutEnded
)


class SweepCounted(SweepEnded, frozen=True):
    """A sweep of which only numbers are wanted. It is never written: it stands for one where people look."""

    counts: Mapping[Reading, int] = field(default_factory=dict)


class Record(Struct, frozen=True):
    """An event as the journal holds it: its place (from 1), its time and its link in the hash chain."""

    seq: int
    at: float
    event: Event
    hash: str = ""
