"""People at gates: the real core and engine in a fake world, with people who answer when they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from msgspec.structs import replace

from tests.world import Bench, KilledError, World, make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading, Status, Verdict
from wavegate.core.plan import Plan
from wavegate.core.spec import ApprovalSpec, GateProbe, GateSpec, OnBreach, Sampling
from wavegate.core.state import GateState, State
from wavegate.core.votes import find_objection, judge_people, message_of, with_ready_people

LONG = 900.0
LAUNCHER = "test"


def ask(*by: str, **changes: object) -> ApprovalSpec:
    return ApprovalSpec(**{"by": by, "timeout": LONG, **changes})  # type: ignore[arg-type]


def gate(asked: ApprovalSpec | None, *, measures: bool = True, **changes: object) -> GateSpec:
    probes = (GateProbe(probe="answers", sampling=Sampling(interval=2.0)),) if measures else ()
    return GateSpec(name="healthy", probes=probes, approval=asked, **changes)  # type: ignore[arg-type]


def plan_with(spec: GateSpec, side: str = "after", **changes: object) -> Plan:
    waves = (wave("pilot", **{side: "healthy"}), wave("site"))
    return plan_of(make_fleet(pilot=1, site=2), *waves, gates={"healthy": spec}, **changes)


@dataclass
class Electorate(Bench):
    """A bench with people; each gate that asks is answered with `answers`, in order, some at once."""

    answers: Sequence[ev.VoteCast] = ()
    heard: list[ev.Event] = field(default_factory=list)

    def show(self, record: ev.Record, state: State) -> None:
        if isinstance(record.event, ev.ApprovalRequested):
            for vote in self.answers:
                asked = replace(vote, wave=record.event.wave, side=record.event.side)
                self.journal.request("r1", asked, record.at)
        if isinstance(record.event, ev.VoteCast | ev.VoteRefused):
            self.heard.append(record.event)
        super().show(record, state)


def vote(by: str, choice: str = "approve", plan: Plan | None = None, **changes: object) -> ev.VoteCast:
    hash_ = plan.hash if plan else ""
    return ev.VoteCast("pilot", "after", "healthy", hash_, by, choice, **changes)  # type: ignore[arg-type]


def hold_election(plan: Plan, *votes: ev.VoteCast, world: World | None = None) -> tuple[Electorate, State]:
    bench = Electorate(plan, world or World(), answers=[replace(one, plan_hash=plan.hash) for one in votes])
    return bench, bench.run()


def refusals(bench: Electorate) -> list[str]:
    return [event.reason for event in bench.heard if isinstance(event, ev.VoteRefused)]


def verdicts(bench: Bench) -> list[tuple[Verdict, str]]:
    decided = [record.event for record in bench.records if isinstance(record.event, ev.GateDecided)]
    return [(event.verdict, event.reason) for event in decided]


def test_enough_different_people_open_the_gate() -> None:
    bench, state = hold_election(plan_with(gate(ask("ann", "bob", required=2))), vote("ann"), vote("bob"))
    assert state.status is Status.COMPLETED
    assert verdicts(bench) == [(Verdict.PASS, "approved by ann, bob")]


def test_nobody_is_asked_while_what_is_measured_is_not_good() -> None:
    world = World(reading=lambda probe, host, now: Reading.BAD)
    bench, state = hold_election(plan_with(gate(ask("ann"))), vote("ann"), world=world)
    assert state.status is Status.HALTED
    assert "approval_requested" not in bench.kinds()


def test_a_gate_without_probes_asks_at_once_and_soaks_first() -> None:
    plan = plan_with(gate(ask("ann"), measures=False, soak=300.0))
    bench, state = hold_election(plan, vote("ann"))
    assert state.status is Status.COMPLETED
    opened, asked = (
        next(record.at for record in bench.records if isinstance(record.event, kind))
        for kind in (ev.GateOpened, ev.ApprovalRequested)
    )
    assert asked - opened == pytest.approx(300.0, abs=2.0)


@pytest.mark.parametrize(
    ("side", "on_breach", "status"),
    [
        ("before", OnBreach.HALT, Status.HELD),
        ("after", OnBreach.HALT, Status.HALTED),
        ("after", OnBreach.ROLLBACK_WAVE, Status.ROLLED_BACK),
    ],
)
def test_one_rejection_denies_at_once(side: str, on_breach: OnBreach, status: Status) -> None:
    asked = gate(ask("ann", "bob", required=2))
    plan = plan_with(asked, side, rollback=on_breach is not OnBreach.HALT)
    bench, state = hold_election(plan, vote("ann", "reject", comment="it is slow"), vote("bob"))
    assert state.status is status
    assert verdicts(bench)[0] == (Verdict.FAIL, "rejected by ann: it is slow")


def test_a_question_that_nobody_answers_holds_and_puts_nothing_back() -> None:
    plan = plan_with(gate(ask("ann")), rollback=True)
    bench, state = hold_election(plan)
    assert state.status is Status.HELD
    assert verdicts(bench)[-1][0] is Verdict.INCONCLUSIVE
    assert "nobody answered in time" in state.reason
    assert "rollback_started" not in bench.kinds()
    asked = next(record for record in bench.records if isinstance(record.event, ev.ApprovalRequested))
    assert bench.records[-1].at - asked.at == pytest.approx(LONG, abs=3.0)


def test_what_turns_bad_while_people_think_fails_whatever_they_say() -> None:
    since: list[float] = []

    def reading(probe: str, host: str, now: float) -> Reading:
        since.append(now)
        return Reading.BAD if now > since[0] + 60 else Reading.GOOD

    bench, state = hold_election(plan_with(gate(ask("ann"))), world=World(reading=reading))
    assert state.status is Status.HALTED
    assert verdicts(bench)[-1][0] is Verdict.FAIL


def test_what_was_good_must_still_be_good_after_the_last_vote() -> None:
    bench: Electorate
    voted: list[float] = []

    def reading(probe: str, host: str, now: float) -> Reading:
        return Reading.BAD if voted else Reading.GOOD

    class Late(Electorate):
        def show(self, record: ev.Record, state: State) -> None:
            super().show(record, state)
            if isinstance(record.event, ev.VoteCast):
                voted.append(record.at)

    plan = plan_with(gate(ask("ann")))
    bench = Late(plan, World(reading=reading), answers=[vote("ann", plan=plan)])
    assert bench.run().status is Status.HALTED


REFUSED: list[tuple[str, ApprovalSpec, Callable[[Plan], list[ev.VoteCast]], str]] = [
    ("nobody asks her", ask("ann"), lambda plan: [vote("eve")], "not among those who are asked"),
    ("the launcher", ask("ann", LAUNCHER), lambda plan: [vote(LAUNCHER)], "started this rollout"),
    ("twice", ask("ann", "bob", required=2), lambda plan: [vote("ann"), vote("ann")], "has voted"),
    ("no comment", ask("ann"), lambda plan: [vote("ann", "reject")], "needs a comment"),
    ("comment wanted", ask("ann", comment=True), lambda plan: [vote("ann")], "wants a comment"),
    (
        "unknown case",
        ask("ann", test_cases=("login",)),
        lambda plan: [vote("ann", cases=(ev.CaseResult("logon", "passed"),))],
        "has no test case 'logon'; there are: login",
    ),
    (
        "case twice",
        ask("ann", test_cases=("login",)),
        lambda plan: [vote("ann", cases=(ev.CaseResult("login", "passed"),) * 2)],
        "names a test case twice",
    ),
    (
        "case missing",
        ask("ann", test_cases=("login",)),
        lambda plan: [vote("ann")],
        "no result of test case 'login'",
    ),
    ("unsigned", ask("ann", signed=True), lambda plan: [vote("ann")], "wants signed votes"),
    ("cannot be verified", ask("ann"), lambda plan: [vote("ann", signature="x")], "nobody here can verify"),
    ("expired", ask("ann"), lambda plan: [vote("ann", expires=5.0)], "it has expired"),
]


@pytest.mark.parametrize(("asked", "votes", "why"), [row[1:] for row in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_vote_that_does_not_count_is_refused_and_recorded(
    asked: ApprovalSpec, votes: Callable[[Plan], list[ev.VoteCast]], why: str
) -> None:
    plan = plan_with(gate(asked))
    bench, state = hold_election(plan, *votes(plan))
    assert state.status is Status.HELD
    assert why in refusals(bench)[-1]


def test_a_vote_for_another_plan_does_not_count() -> None:
    plan = plan_with(gate(ask("ann")))
    bench = Electorate(plan, World(), answers=[replace(vote("ann"), plan_hash="f" * 64)])
    assert bench.run().status is Status.HELD
    assert "it is for plan ffffffffffff" in refusals(bench)[0]
    assert message_of("r1", vote("ann", plan=plan)) != message_of("r2", vote("ann", plan=plan))


def test_a_failed_test_case_shuts_the_gate() -> None:
    asked = ask("ann", test_cases=("login", "print"))
    cases = (ev.CaseResult("login", "passed"), ev.CaseResult("print", "failed"))
    bench, state = hold_election(plan_with(gate(asked)), vote("ann", cases=cases))
    assert state.status is Status.HALTED
    assert verdicts(bench)[-1] == (Verdict.FAIL, "test case 'print' failed, says ann")


def test_the_launcher_may_vote_where_that_is_allowed() -> None:
    asked = ask(LAUNCHER, launcher_may_vote=True)
    assert hold_election(plan_with(gate(asked)), vote(LAUNCHER))[1].status is Status.COMPLETED


def test_max_wait_ends_in_a_hold_never_in_a_promotion() -> None:
    world = World(reading=lambda probe, host, now: Reading.GOOD)
    spec = GateSpec(
        name="healthy",
        probes=(GateProbe(probe="answers", sampling=Sampling(interval=60.0, count=90)),),
        max_wait=600.0,
    )
    bench, state = hold_election(plan_with(spec, rollback=True), world=world)
    assert state.status is Status.HELD
    assert "no verdict within max_wait 10 min" in verdicts(bench)[-1][1]


def _vote_table() -> list[tuple[str, int, float, Verdict | None]]:
    """Votes as letters (a: approve, r: reject), required, seconds since asked -> verdict."""
    return [
        ("", 1, 0.0, None),
        ("", 1, LONG, Verdict.INCONCLUSIVE),
        ("", 0, 0.0, Verdict.PASS),
        ("a", 1, 0.0, Verdict.PASS),
        ("a", 1, 2 * LONG, Verdict.PASS),
        ("a", 2, 0.0, None),
        ("a", 2, LONG, Verdict.INCONCLUSIVE),
        ("aa", 2, LONG, Verdict.PASS),
        ("r", 1, 0.0, Verdict.FAIL),
        ("r", 1, 2 * LONG, Verdict.FAIL),
        ("ar", 1, 0.0, Verdict.FAIL),
        ("ra", 1, 0.0, Verdict.FAIL),
        ("aar", 2, 0.0, Verdict.FAIL),
    ]


@pytest.mark.parametrize(("choices", "required", "passed", "verdict"), _vote_table())
def test_what_votes_come_to(choices: str, required: int, passed: float, verdict: Verdict | None) -> None:
    words = {"a": "approve", "r": "reject"}
    votes = tuple(vote(f"p{n}", words[letter], comment="x") for n, letter in enumerate(choices))
    standing = GateState("pilot", "after", "healthy", 0.0, (), asked_at=0.0, asked_until=LONG, votes=votes)
    assert judge_people(ask(required=required), standing, passed).verdict is verdict


def test_one_person_is_counted_once() -> None:
    standing = GateState("pilot", "after", "healthy", 0.0, (), asked_until=LONG, votes=(vote("ann"),) * 2)
    assert judge_people(ask(required=2), standing, 0.0).verdict is None


def test_a_vote_at_a_gate_that_asks_nobody_does_not_count() -> None:
    plan = plan_with(gate(ask("ann")))
    assert "does not ask anybody" in find_objection(plan, State(), vote("ann", plan=plan), 0.0)


def test_simulated_people_approve_at_once() -> None:
    plan = with_ready_people(plan_with(gate(ask("ann", required=1, test_cases=("login",)))))
    assert hold_election(plan)[1].status is Status.COMPLETED


def test_a_death_anywhere_loses_no_vote_and_needs_none_twice() -> None:
    plan = plan_with(gate(ask("ann", "bob", required=2), soak=4.0))
    votes = [vote("ann", plan=plan), vote("bob", plan=plan)]
    whole = Electorate(plan, World(), answers=votes)
    assert whole.run().status is Status.COMPLETED
    for seq in range(1, len(whole.records)):
        bench = Electorate(plan, World(), answers=votes, die_after=seq)
        with pytest.raises(KilledError):
            bench.engine().start(LAUNCHER)
        bench.die_after = None
        bench.world.forget_the_future()
        state = bench.engine().resume("somebody else")
        assert state.status is Status.COMPLETED, f"killed after {seq}"
        counted = [event.by for event in bench.heard if isinstance(event, ev.VoteCast)]
        assert sorted(set(counted)) == ["ann", "bob"]
        assert all(state.host(host).outcome is Outcome.DONE for host in plan.hosts)
