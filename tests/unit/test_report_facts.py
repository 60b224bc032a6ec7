"""What a report says about whole rollouts, through the real engine and journal in a fake world."""

import pytest
from msgspec.structs import replace

from tests.unit import report_rollouts as rollouts
from tests.unit.report_rollouts import facts_of, tell
from tests.world import START, Bench, plan_of
from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading, Verdict
from wavegate.core.plan import Plan
from wavegate.reports.measuring import MOST_POINTS, gather_gates

HEADLINES = {
    "completed": "patch reached 10 of 11 hosts in 3 waves. 1 host is bad, which the failure budget "
    "tolerates. All 4 gates passed on 160 measurements.",
    "halted": "patch was halted in wave office: 2 hosts were bad where 1 is tolerated. "
    "The other 7 hosts were not touched.",
    "rolled_back": "patch was stopped in wave pilot: gate healthy failed, answers measured on pilot-01: "
    "503, wanted 200. 1 host was put back. The other 10 hosts were not touched.",
    "rollback_failed": "patch was stopped in wave office: 3 hosts were bad where 1 is tolerated. "
    "The rollback failed: 3 hosts are not put back (office-01, office-02 and office-03). "
    "A person must look at them.",
    "held": "patch is held and waits for a person: gate healthy after wave pilot could not measure enough "
    "to decide.",
    "died": "The process that ran patch died: 2 of 11 hosts done, 1 of 3 waves completed.",
    "resumed": "patch reached all 11 hosts in 3 waves. All 4 gates passed on 170 measurements.",
    "interrupted": "patch was interrupted and can be resumed: 2 of 11 hosts done, 1 of 3 waves completed.",
}

WAVES = {
    "completed": ["completed", "completed", "completed"],
    "halted": ["completed", "halted", "not_started"],
    "rolled_back": ["rolled_back", "not_started", "not_started"],
    "rollback_failed": ["completed", "rollback_failed", "not_started"],
    "held": ["held", "not_started", "not_started"],
    "died": ["completed", "died", "not_started"],
    "resumed": ["completed", "completed", "completed"],
    "interrupted": ["completed", "interrupted", "not_started"],
}


@pytest.mark.parametrize("name", HEADLINES)
def test_the_headline_says_what_happened(name):
    assert tell(name).headline == HEADLINES[name]


ONE_BAD_HOST = [
    (Outcome.FAILED, "pilot-01 failed"),
    (Outcome.UNREACHABLE, "pilot-01 could not be reached"),
    (Outcome.TIMED_OUT, "pilot-01 took too long"),
    (Outcome.ABORTED, "pilot-01 was cut off"),
]


@pytest.mark.parametrize(("outcome", "words"), ONE_BAD_HOST)
def test_the_headline_names_the_only_bad_host(outcome, words):
    world = rollouts.DetailedWorld(fate=rollouts.bad_on("pilot-01", outcome=outcome))
    bench = Bench(plan_of(rollouts.FLEET, *rollouts.WAVES), world)
    bench.run()
    cause = f"patch was halted in wave pilot: {words}, and no bad host is tolerated there."
    assert facts_of(bench).headline.startswith(cause)


@pytest.mark.parametrize("name", WAVES)
def test_each_wave_says_how_far_it_got(name):
    assert [wave.standing for wave in tell(name).waves] == WAVES[name]


def test_a_wave_says_its_budget_and_what_it_ended_with():
    office = tell("completed").waves[1]
    assert (office.tolerated, [host.name for host in office.bad]) == (1, ["office-03"])


def test_a_host_says_how_long_it_took_what_changed_and_what_failed():
    facts = tell("completed")
    hosts = {host.name: host for host in facts.hosts}
    failed = hosts["office-03"]
    assert failed.standing == "failed"
    assert failed.trouble == "Install intranet 1.2: no package matches intranet=1.2"
    assert (failed.forward.batch, failed.forward.seconds, failed.forward.changed) == ("office.2", 10.0, 2)
    assert hosts["site-06"].standing == "done"
    assert hosts["site-06"].trouble == ""


def test_a_host_that_was_put_back_still_says_why():
    pilot = tell("rolled_back").hosts[0]
    assert pilot.standing == "rolled_back"
    assert (pilot.forward.outcome, pilot.rollback.outcome) == (Outcome.DONE, Outcome.ROLLED_BACK)
    assert pilot.trouble.startswith("answers: 503, wanted 200")


def test_a_failed_rollback_is_told_beside_what_failed_before_it():
    office = {host.name: host for host in tell("rollback_failed").hosts}["office-02"]
    assert office.standing == "rollback_failed"
    assert office.trouble == (
        "Install intranet 1.2: no package matches intranet=1.2; Restore the data: no space left on device"
    )


def test_a_gate_counts_measurements_and_shows_the_bad_one():
    [gate] = tell("rolled_back").gates
    [probe] = gate.probes
    assert gate.verdict is Verdict.FAIL
    assert (probe.counts.good, probe.counts.bad, probe.sweeps) == (3, 1, 4)
    assert (probe.first_bad.target, probe.first_bad.detail) == ("pilot-01", "503, wanted 200")
    assert probe.first_bad == probe.last_bad
    assert probe.bad_targets == ("pilot-01",)


def test_latency_is_smallest_middle_and_largest_over_all_and_at_each_time():
    gate = tell("completed").gates[1]
    [probe] = gate.probes
    assert (probe.latency.low, probe.latency.middle, probe.latency.high) == (0.004, 0.006, 0.008)
    assert len(probe.points) == probe.sweeps == 10
    assert [point.at for point in probe.points] == sorted(point.at for point in probe.points)
    assert all(point.latency.low <= point.latency.middle <= point.latency.high for point in probe.points)


def test_what_could_not_be_measured_has_no_latency_and_is_not_bad():
    [gate] = tell("held").gates
    [probe] = gate.probes
    assert gate.verdict is Verdict.INCONCLUSIVE
    assert (probe.counts.error, probe.counts.bad, probe.latency) == (5, 0, None)
    assert probe.last_error.detail == "connection refused"


def test_a_gate_that_is_looked_at_again_after_a_resume_is_told_twice():
    bench = rollouts.held()
    bench.world.reading = lambda probe, target, now: Reading.GOOD
    bench.engine().resume("somebody")
    verdicts = [gate.verdict for gate in facts_of(bench).waves[0].gates]
    assert verdicts == [Verdict.INCONCLUSIVE, Verdict.PASS]
    [trouble] = facts_of(bench).troubles
    assert trouble.done == "held for a person, then measured again"


def test_a_soak_of_days_keeps_its_counts_in_few_points():
    plan: Plan = rollouts.held().plan
    good = (ev.Measurement("pilot-01", Reading.GOOD, "", 0.01),)
    looks = [ev.Record(1, START, ev.GateOpened("pilot", "after", "healthy", ("pilot-01",)))]
    looks += [
        ev.Record(n + 1, START + n, ev.SweepEnded("pilot", "after", "answers", n, good))
        for n in range(1, 5001)
    ]
    [gate] = gather_gates(plan, looks)
    [probe] = gate.probes
    assert len(probe.points) <= MOST_POINTS
    assert sum(point.counts.good for point in probe.points) == probe.counts.good == 5000


DONE_ABOUT_IT = [
    ("completed", "office-03", "left as it is: wave office tolerates 1"),
    ("halted", "office-02", "left as it is, and nothing new was started"),
    ("rolled_back", "pilot-01", "put back by the rollback"),
    ("rolled_back", "gate healthy after wave pilot", "wave pilot was rolled back"),
    ("rollback_failed", "office-02", "not put back: a person must look at it"),
    ("rollback_failed", "office-01", "not put back: a person must look at it"),
    ("held", "gate healthy after wave pilot", "held for a person"),
]


@pytest.mark.parametrize(("name", "subject", "done"), DONE_ABOUT_IT)
def test_every_trouble_says_what_was_done_about_it(name, subject, done):
    assert {trouble.subject: trouble.done for trouble in tell(name).troubles}[subject] == done


def test_a_bad_host_names_the_command_that_shows_its_failed_task():
    assert tell("halted").troubles[0].look == "wavegate events r1 --host office-02"


def test_a_rollout_without_trouble_tells_none():
    assert tell("resumed").troubles == ()
    assert tell("resumed").left == ()


LEFT = [
    ("rolled_back", "Without the change, not touched: office-01"),
    ("halted", "To be looked at by a person: office-02 and office-03."),
    ("halted", "With the change, left as they are: pilot-01 and office-01."),
    ("died", "In doubt, the process died while they were in flight: office-02 and office-03."),
    ("held", "To go on: wavegate resume r1"),
    ("died", "To go on: wavegate resume r1"),
    ("interrupted", "To go on: wavegate resume r1"),
]


@pytest.mark.parametrize(("name", "sentence"), LEFT)
def test_what_is_left_is_said(name, sentence):
    assert any(line.startswith(sentence) for line in tell(name).left)


def test_the_rollback_says_who_was_put_back_and_who_was_not():
    rollback = tell("rollback_failed").rollback
    assert rollback.wave == "office"
    assert rollback.put_back == ()
    assert set(rollback.not_put_back) == {"office-01", "office-02", "office-03"}
    assert tell("rolled_back").rollback.put_back == ("pilot-01",)


def test_a_dead_process_is_a_standstill_from_its_last_record_to_the_resume():
    [pause] = tell("resumed").pauses
    assert (pause.status, pause.since, pause.until) == ("died", START + 40, START + 3640)
    assert pause.resumed_by == "somebody else"


def test_what_a_dead_process_left_on_disk_does_not_shorten_the_standstill():
    bench = rollouts.resumed()
    lost = next(n for n, r in enumerate(bench.records) if getattr(r.event, "status", "") == "lost")
    found = ev.HostFinished("office.2", "office-02", Outcome.DONE)
    bench.records.insert(lost, replace(bench.records[lost], event=found))
    [pause] = facts_of(bench).pauses
    assert pause.since == START + 40


def test_a_standstill_that_lasts_has_no_end():
    assert [(p.status, p.until) for p in tell("died").pauses] == [("died", None)]
    assert [(p.status, p.until) for p in tell("held").pauses] == [("held", None)]
    assert [(p.status, p.until) for p in tell("interrupted").pauses] == [("interrupted", None)]


def test_a_second_try_after_a_crash_is_told_as_one():
    office = {host.name: host for host in tell("resumed").hosts}["office-02"]
    assert [(one.batch, one.outcome) for one in office.tries] == [
        ("office.2", Outcome.ABORTED),
        ("office.2-try2", Outcome.DONE),
    ]
    assert office.standing == "done"


def test_the_timeline_is_in_order_and_leaves_ordinary_hosts_out():
    moments = tell("completed").timeline
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    text = "\n".join(moment.text for moment in moments)
    assert "office-03: failed" in text
    assert "office-02" not in text


def test_the_timeline_tells_the_first_bad_measurement_of_a_gate_once():
    bench = rollouts.rolled_back()
    sweeps = [m for m in facts_of(bench).timeline if m.text.startswith("probe answers")]
    assert [moment.tone for moment in sweeps] == ["bad"]


def test_a_rollout_that_has_not_started_can_be_reported_too():
    bench = rollouts.completed()
    bench.records.clear()
    facts = facts_of(bench)
    assert facts.headline == "patch is planned for 11 hosts and has not started."
    assert facts.seconds is None
