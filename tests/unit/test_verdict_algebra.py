"""The verdict algebra, exhaustively: every short history of every limit, against the rules as written.

`expected` says again, in other words than the core, what design 4.4 promises; both must agree everywhere.
"""

from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from tests.world import make_fleet, plan_of, wave
from wavegate.core import events as ev
from wavegate.core.folding import fold
from wavegate.core.gate import judge_gate, judge_tally
from wavegate.core.gating import judge_all
from wavegate.core.outcomes import Reading, Verdict
from wavegate.core.plan import Plan
from wavegate.core.sampling import sweeps_due
from wavegate.core.spec import GateProbe, GateSpec, Sampling, Scope
from wavegate.core.state import GateState, State
from wavegate.core.tallies import Tally

GOOD, BAD, UNSURE, ERROR = Reading.GOOD, Reading.BAD, Reading.INCONCLUSIVE, Reading.ERROR
LONGEST = 5
LIMITS = [
    Sampling(
        failure_limit=failures,
        inconclusive_limit=inconclusives,
        consecutive_error_limit=errors,
        count=count,
        consecutive_success_limit=successes,
    )
    for failures, inconclusives, errors, count, successes in itertools.product(
        (0, 1), (0, 1), (0, 1, 4), (1, 2, 3), (0, 2)
    )
]


def tail(readings: tuple[Reading, ...], reading: Reading) -> int:
    """Return how many of the last readings are this one."""
    return len(list(itertools.takewhile(lambda one: one is reading, reversed(readings))))


def expected(readings: tuple[Reading, ...], how: Sampling) -> Verdict | None:
    if readings.count(BAD) > how.failure_limit:
        return Verdict.FAIL
    if tail(readings, ERROR) > how.consecutive_error_limit or readings.count(UNSURE) > how.inconclusive_limit:
        return Verdict.INCONCLUSIVE
    if how.consecutive_success_limit and tail(readings, GOOD) >= how.consecutive_success_limit:
        return Verdict.PASS
    taken = [one for one in readings if one is not ERROR]
    enough = len(taken) >= how.count and readings[-1:] == (GOOD,)
    return Verdict.PASS if enough else None


def histories(longest: int = LONGEST) -> list[tuple[Reading, ...]]:
    return [
        history
        for length in range(longest + 1)
        for history in itertools.product((GOOD, BAD, UNSURE, ERROR), repeat=length)
    ]


def tally_of(readings: tuple[Reading, ...]) -> Tally:
    tally = Tally()
    for reading in readings:
        tally.add(ev.Measurement("h", reading))
    return tally


def test_every_short_history_under_every_limit_is_judged_as_the_rules_say() -> None:
    judged = 0
    for history in histories():
        tally = tally_of(history)
        for how in LIMITS:
            assert judge_tally(tally, how).verdict is expected(history, how), (history, how)
            judged += 1
    assert judged == 1365 * 72


def test_what_the_rules_themselves_promise_holds_for_all_of_them() -> None:
    for history, how in itertools.product(histories(), LIMITS):
        verdict = expected(history, how)
        if GOOD not in history:
            assert verdict is not Verdict.PASS, "no data is never a pass"
        if set(history) <= {ERROR}:
            assert verdict is not Verdict.FAIL, "errors are not failures"
        if verdict is Verdict.FAIL and len(history) < LONGEST:
            for more in (GOOD, BAD, UNSURE, ERROR):
                assert expected((*history, more), how) is Verdict.FAIL, "nothing overrides a fail"
        if history.count(BAD) == how.failure_limit:
            assert verdict is not Verdict.FAIL, "limits are strict"


NOW = 1000.0
ONE_READING = {Verdict.PASS: GOOD, Verdict.FAIL: BAD, Verdict.INCONCLUSIVE: UNSURE, None: None}


def gate_with(
    first: Reading | None, second: Reading | None, dry: tuple[bool, bool]
) -> tuple[Plan, GateState]:
    """Return a gate with two probes that measure once, each of which has said this (None: nothing)."""
    plan = plan_of(make_fleet(all=1), wave("all", before="g"))
    answers = replace(plan.probes["answers"], scope=Scope.ONCE)
    probes = {name: replace(answers, name=name) for name in ("one", "two")}
    uses = tuple(
        GateProbe(probe=name, sampling=Sampling(dry_run=is_dry))
        for name, is_dry in zip(probes, dry, strict=True)
    )
    plan = replace(plan, probes=probes, gates={"g": GateSpec(name="g", probes=uses)})
    state = fold(State(), [ev.Record(1, NOW, ev.GateOpened("all", "before", "g", ("all-01",)))])
    for name, reading in zip(probes, (first, second), strict=True):
        if reading is None:
            continue
        found = (ev.Measurement("", reading),)
        happened = (
            ev.SweepStarted("all", "before", name, 1, ("",)),
            ev.SweepEnded("all", "before", name, 1, found),
        )
        fold(state, [ev.Record(state.seq + 1, NOW, event) for event in happened])
    gate = state.wave("all").before
    assert gate is not None
    return plan, gate


RANK = [Verdict.PASS, None, Verdict.INCONCLUSIVE, Verdict.FAIL]


@pytest.mark.parametrize("first", RANK)
@pytest.mark.parametrize("second", RANK)
@pytest.mark.parametrize("dry", [(False, False), (True, False), (False, True)])
def test_the_worst_of_the_probes_that_decide_is_the_gates_verdict(
    first: Verdict | None, second: Verdict | None, dry: tuple[bool, bool]
) -> None:
    plan, gate = gate_with(ONE_READING[first], ONE_READING[second], dry)
    deciding = [one for one, is_dry in zip((first, second), dry, strict=True) if not is_dry]
    worst = max(deciding, key=RANK.index)
    assert judge_gate(plan, gate, NOW).verdict is worst
    assert judge_all(plan, gate, NOW).verdict is worst


@pytest.mark.parametrize("first", RANK)
@pytest.mark.parametrize("second", RANK)
def test_dry_runs_alone_decide_nothing_whatever_they_measure(
    first: Verdict | None, second: Verdict | None
) -> None:
    plan, gate = gate_with(ONE_READING[first], ONE_READING[second], (True, True))
    assert judge_gate(plan, gate, NOW).verdict is Verdict.INCONCLUSIVE


def test_a_dry_run_measures_all_the_same() -> None:
    plan, gate = gate_with(None, None, (True, True))
    assert [sweep.probe for sweep in sweeps_due(plan, gate, NOW)] == ["one", "two"]


def test_a_gate_stopped_before_its_first_measurement_never_passes() -> None:
    plan, gate = gate_with(None, None, (False, False))
    assert judge_gate(plan, gate, NOW).verdict is None
    assert judge_gate(plan, gate, NOW + 1e9).verdict is None, "time alone brings no verdict"
    waiting = replace(plan, gates={"g": replace(plan.gates["g"], max_wait=60.0)})
    assert judge_all(waiting, gate, NOW + 59).verdict is None
    assert judge_all(waiting, gate, NOW + 60).verdict is Verdict.INCONCLUSIVE
    stopped = (ev.Measurement("", Reading.ERROR, "the measurement was stopped before it had an answer"),)
    tally = Tally()
    tally.add(stopped[0])
    assert judge_tally(tally, Sampling(consecutive_error_limit=0)).verdict is Verdict.INCONCLUSIVE
