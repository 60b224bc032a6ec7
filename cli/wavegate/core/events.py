"""The events of the journal: every state is a fold of them. Intents are written before the act.

An event is a frozen dataclass; `core.codec` turns it into a kind and JSON data and back.
Times are seconds since the epoch (UTC) and stand beside the event, in `Record`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wavegate.core.outcomes import Outcome, Reading, Status, Verdict


@dataclass(frozen=True, slots=True)
class Asked:
    """What one measurement of many requests counted; `lost` could not be sent or have no known end.

    `down` and `unknown` are seconds within the measurement, `ends` is how its last request was answered.
    """

    requests: int
    failed: int
    lost: int = 0
    down: float = 0.0
    unknown: float = 0.0
    ends: Reading = Reading.GOOD


@dataclass(frozen=True, slots=True)
class Measurement:
    """One answer of one probe about one target (a host, or "" for a probe measured once).

    `value` is a number worth showing (an http probe's latency in seconds), `detail` the sentence. A probe
    with scope `group` names the first host of each group; `asked` is there where many requests were made.
    """

    target: str
    reading: Reading
    detail: str = ""
    value: float | None = None
    asked: Asked | None = None


@dataclass(frozen=True, slots=True)
class RolloutStarted:
    """A rollout began to walk its plan."""

    name: str
    plan_hash: str
    by: str


@dataclass(frozen=True, slots=True)
class RolloutResumed:
    """A process took over; what was in flight in the dead one has been accounted for before this."""

    by: str


@dataclass(frozen=True, slots=True)
class WaveStarted:
    """The wave's before-gate (if any) passed; its hosts may be touched from here on."""

    wave: str


@dataclass(frozen=True, slots=True)
class WaveCompleted:
    """Every host of the wave has an outcome and its after-gate (if any) passed."""

    wave: str


@dataclass(frozen=True, slots=True)
class BatchSubmitted:
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


@dataclass(frozen=True, slots=True)
class HostFinished:
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


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """The batch's Ansible process is gone. `status`: ended, timed_out, canceled, or lost (found dead).

    Hosts of the batch without an outcome are `timed_out`, or `aborted` (canceled, lost, ended).
    """

    batch: str
    status: str
    detail: str = ""
    output: str = ""


@dataclass(frozen=True, slots=True)
class ObligationOpened:
    """Intent: the batch's playbook is about to take something out, which the playbook `undo` puts back.

    It waits until this is durable, and takes nothing out when it is not.
    """

    batch: str
    host: str
    key: str
    undo: str


@dataclass(frozen=True, slots=True)
class ObligationClosed:
    """The batch's playbook has put back what it had taken out."""

    batch: str
    host: str
    key: str


@dataclass(frozen=True, slots=True)
class VersionPinned:
    """What the first host resolved for `key` (a package, an artifact): later hosts get the same `value`."""

    batch: str
    host: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class GateOpened:
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


@dataclass(frozen=True, slots=True)
class SweepStarted:
    """Intent: a probe is about to measure all of its targets once, and the `untouched` beside them."""

    wave: str
    side: str
    probe: str
    number: int
    targets: tuple[str, ...]
    untouched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SweepEnded:
    """What the probe answered about its targets, and about the `untouched` hosts to compare them with."""

    wave: str
    side: str
    probe: str
    number: int
    measurements: tuple[Measurement, ...]
    untouched: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class HostFoundBad:
    """A probe found a host bad beyond its failure_limit; it counts against the failure budget."""

    wave: str
    host: str
    probe: str
    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """The gate has all that measurements can give it, and asks people now; `until` is when that expires."""

    wave: str
    side: str
    gate: str
    until: float


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One named test case of a sign-off: `passed` or `failed`, and the evidence file with its sha256."""

    name: str
    result: str
    evidence: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class VoteCast:
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


@dataclass(frozen=True, slots=True)
class VoteRefused:
    """A vote that does not count, and why."""

    wave: str
    side: str
    gate: str
    by: str
    choice: str
    reason: str


@dataclass(frozen=True, slots=True)
class GateOverridden:
    """A person lets the rollout pass this gate, this once, whatever it says."""

    wave: str
    side: str
    gate: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rehearsed:
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


@dataclass(frozen=True, slots=True)
class GateDecided:
    """The gate's verdict, with the sentence that says why."""

    wave: str
    side: str
    gate: str
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class BudgetBreached:
    """More hosts are bad than the budget of the wave (or of the rollout, `level`) tolerates."""

    level: str
    wave: str
    bad: int
    tolerated: int
    reason: str


@dataclass(frozen=True, slots=True)
class RollbackStarted:
    """The hosts listed are about to be put back, last wave and last batch first.

    `wave` is where the trouble was; `by` the person who asked for it ("" when the policy did).
    """

    wave: str
    hosts: tuple[str, ...]
    reason: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class HostsRetried:
    """A person wants these hosts of the wave done again; `batches` are the indices of their batches.

    What stopped the rollout (a breach, a failed gate) is judged anew afterwards.
    """

    wave: str
    hosts: tuple[str, ...]
    batches: tuple[int, ...]
    by: str


@dataclass(frozen=True, slots=True)
class HostSkipped:
    """A person takes the host out of the rollout; it counts neither as done nor as bad."""

    wave: str
    host: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """A person ends the rollout for good; what it took out is put back first."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A person or a signal asked to stop: `now` cancels what is in flight, otherwise it ends by itself."""

    by: str
    now: bool = False


@dataclass(frozen=True, slots=True)
class LeaseBroken:
    """A person took the lease away from `owner`, who can never write again; the rollout stands as it was."""

    by: str
    reason: str
    owner: str


@dataclass(frozen=True, slots=True)
class RolloutPaused:
    """The rollout stands still: `waiting` for time, or for a person (held, interrupted, halted, ...)."""

    status: Status
    reason: str


@dataclass(frozen=True, slots=True)
class RolloutEnded:
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


@dataclass(frozen=True, slots=True)
class SweepCounted(SweepEnded):
    """A sweep of which only numbers are wanted. It is never written: it stands for one where people look."""

    counts: Mapping[Reading, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Record:
    """An event as the journal holds it: its place (from 1), its time and its link in the hash chain."""

    seq: int
    at: float
    event: Event
    hash: str = ""
