"""The sentences of a report: what happened, what went wrong, what was done about it, what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from shlex import quote
from textwrap import shorten

from wavegate.core.outcomes import CLOSED, WALKING, Status, Verdict
from wavegate.reports.facts import GateFacts, HostFacts, ReportFacts, Trouble, WaveFacts
from wavegate.reports.people import tell_override
from wavegate.reports.taken_out import TakenOut
from wavegate.reports.wording import STANDING_WORDS, join_names, plural, shown_standing, tell_gate

_LONGEST_DETAIL = 100


def tell_headline(facts: ReportFacts) -> str:
    """Return what happened, in one or two sentences for somebody who reads nothing else."""
    if facts.died:
        return f"The process that ran {facts.name} died: {_tell_progress(facts)}."
    tell = {
        Status.PLANNED: _tell_planned,
        Status.COMPLETED: _tell_completed,
        Status.HALTED: _tell_halted,
        Status.ROLLED_BACK: _tell_rolled_back,
        Status.ROLLBACK_FAILED: _tell_rollback_failed,
        Status.HELD: _tell_held,
    }.get(facts.status, _tell_elsewhere)
    return tell(facts)


def _tell_planned(facts: ReportFacts) -> str:
    return f"{facts.name} is planned for {plural(len(facts.hosts), 'host')} and has not started."


def _tell_completed(facts: ReportFacts) -> str:
    done = [host for host in facts.hosts if shown_standing(host) == "done"]
    bad = [host for host in facts.hosts if host.is_bad]
    over = f"in {plural(len(facts.waves), 'wave')}"
    if len(done) == len(facts.hosts):
        whole = "its only host" if len(done) == 1 else f"all {len(done):,} hosts"
        return f"{facts.name} reached {whole} {over}. {_tell_gates_passed(facts)}".strip()
    sentence = f"{facts.name} reached {len(done):,} of {plural(len(facts.hosts), 'host')} {over}."
    if bad:
        are = "is" if len(bad) == 1 else "are"
        sentence += f" {plural(len(bad), 'host')} {are} bad, which the failure budget tolerates."
    return f"{sentence} {_tell_gates_passed(facts)}".strip()


def _tell_gates_passed(facts: ReportFacts) -> str:
    passed = sum(1 for gate in facts.gates if gate.verdict is Verdict.PASS)
    overridden = [gate for gate in facts.gates if gate.overridden_by]
    sentences = [f"Gate {tell_gate(gate).removeprefix('gate ')} was overridden." for gate in overridden]
    if passed:
        total = sum(gate.counts.total for gate in facts.gates)
        all_ = "" if overridden else "All "
        gates = "Its gate" if passed == 1 and not overridden else f"{all_}{plural(passed, 'gate')}"
        sentences.append(f"{gates} passed on {plural(total, 'measurement')}.")
    return " ".join(sentences)


def _tell_halted(facts: ReportFacts) -> str:
    wave = _stopped_wave(facts)
    where = f" in wave {wave.name}" if wave else ""
    return f"{facts.name} was halted{where}: {_tell_cause(facts, wave)}. {_tell_spared(facts)}".strip()


def _tell_rolled_back(facts: ReportFacts) -> str:
    back = facts.rollback.put_back if facts.rollback else ()
    wave = _stopped_wave(facts)
    where = f" in wave {wave.name}" if wave else ""
    was = "was" if len(back) == 1 else "were"
    stopped = f"{facts.name} was stopped{where}: {_tell_cause(facts, wave)}."
    return f"{stopped} {plural(len(back), 'host')} {was} put back. {_tell_spared(facts)}".strip()


def _tell_rollback_failed(facts: ReportFacts) -> str:
    stuck = facts.rollback.not_put_back if facts.rollback else ()
    wave = _stopped_wave(facts)
    where = f" in wave {wave.name}" if wave else ""
    are = "is" if len(stuck) == 1 else "are"
    return (
        f"{facts.name} was stopped{where}: {_tell_cause(facts, wave)}. The rollback failed: "
        f"{plural(len(stuck), 'host')} {are} not put back ({join_names(stuck)}). A person must look at them."
    )


def _tell_how_bad(host: HostFacts) -> str:
    verbs = {"failed": "failed", "unreachable": "could not be reached", "timed_out": "took too long"}
    outcome = host.forward.outcome if host.forward and host.forward.outcome else ""
    return f"{host.name} {'was found bad' if host.found_bad else verbs.get(outcome, 'was cut off')}"


def _tell_failed_gate(gate: GateFacts) -> str:
    """Return what the gate saw: the newest bad measurement of a probe that decides."""
    for probe in gate.probes:
        if probe.decides and probe.last_bad:
            where = f" on {probe.last_bad.target}" if probe.last_bad.target else ""
            detail = shorten(probe.last_bad.detail, width=_LONGEST_DETAIL, placeholder=" ...")
            return f"gate {gate.name} failed, {probe.name} measured{where}: {detail}"
    return f"gate {gate.name} failed"


def _tell_held(facts: ReportFacts) -> str:
    gates = [gate for gate in facts.gates if gate.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}]
    if not gates or gates[-1].reason not in facts.reason:
        return f"{facts.name} is held and waits for a person: {facts.reason}."
    gate = gates[-1]
    why = f"{tell_gate(gate)} could not measure enough to decide"
    if gate.verdict is Verdict.FAIL:
        why = f"{tell_gate(gate)} found the fleet ill before anything of the wave was changed"
    return f"{facts.name} is held and waits for a person: {why}."


def _tell_elsewhere(facts: ReportFacts) -> str:
    words = {
        Status.RUNNING: "is under way",
        Status.ROLLING_BACK: "is being rolled back",
        Status.INTERRUPTED: "was interrupted and can be resumed",
        Status.WAITING: "waits for time, and nobody stays with it",
        Status.ABORTED: "was aborted",
    }
    return f"{facts.name} {words.get(facts.status, facts.status.value)}: {_tell_progress(facts)}."


def _tell_progress(facts: ReportFacts) -> str:
    done = sum(1 for host in facts.hosts if host.standing == "done")
    waves = sum(1 for wave in facts.waves if wave.standing == "completed")
    hosts = f"{done:,} of {plural(len(facts.hosts), 'host')} done"
    return f"{hosts}, {waves} of {plural(len(facts.waves), 'wave')} completed"


def _stopped_wave(facts: ReportFacts) -> WaveFacts | None:
    return next((wave for wave in facts.waves if wave.standing not in {"completed", "not_started"}), None)


def _tell_cause(facts: ReportFacts, wave: WaveFacts | None) -> str:
    """Return why it stopped, for people: a failed gate or an overspent budget; else the journal's reason."""
    if wave is None:
        return facts.reason
    gate = next((gate for gate in reversed(wave.gates) if gate.verdict is Verdict.FAIL), None)
    if gate:
        return _tell_failed_gate(gate)
    if wave.bad and len(wave.bad) > wave.tolerated:
        if len(wave.bad) == 1:
            return f"{_tell_how_bad(wave.bad[0])}, and no bad host is tolerated there"
        limit = {0: "none is", 1: "1 is"}.get(wave.tolerated, f"{wave.tolerated} are")
        return f"{plural(len(wave.bad), 'host')} were bad where {limit} tolerated"
    return facts.reason


def _tell_spared(facts: ReportFacts) -> str:
    spared = [host for host in facts.hosts if not host.tries]
    if not spared:
        return ""
    if len(spared) == 1:
        return "The other host was not touched."
    return f"The other {len(spared):,} hosts were not touched."


def tell_troubles(facts: ReportFacts) -> tuple[Trouble, ...]:
    """Return everything that went wrong, in order of waves, each with what was done about it."""
    return tuple(trouble for wave in facts.waves for trouble in _find_troubles(facts, wave))


def _find_troubles(facts: ReportFacts, wave: WaveFacts) -> Iterator[Trouble]:
    for host in wave.hosts:
        if host.is_bad or host.standing == "rollback_failed":
            done = _tell_done(facts, wave, host)
            look = f"wavegate events {facts.id} --host {quote(host.name)}"
            yield Trouble(tone="bad", subject=host.name, what=_tell_bad_host(host), done=done, look=look)
    for gate in wave.gates:
        if gate.overridden_by:
            said = f"{gate.verdict.value}: {gate.reason}" if gate.verdict else "it had not decided"
            done = tell_override(gate)
            yield Trouble(tone="bad", subject=tell_gate(gate), what=said, done=done)
        elif gate.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE}:
            what = f"{gate.verdict.value}: {gate.reason}"
            tone = "bad" if gate.verdict is Verdict.FAIL else "unsure"
            done = _tell_gate_done(facts, wave, gate)
            yield Trouble(tone=tone, subject=tell_gate(gate), what=what, done=done)


def _tell_bad_host(host: HostFacts) -> str:
    outcome = host.forward.outcome if host.forward else None
    words = "found bad by a probe" if host.found_bad else STANDING_WORDS.get(outcome or "", host.standing)
    return f"{words}: {host.trouble}" if host.trouble else words


def _tell_done(facts: ReportFacts, wave: WaveFacts, host: HostFacts) -> str:
    if host.standing == "rolled_back":
        return "put back by the rollback"
    if host.standing == "rollback_failed" or (facts.rollback and host.name in facts.rollback.not_put_back):
        return "not put back: a person must look at it"
    if facts.rollback and host.name in facts.rollback.hosts:
        return "is being put back"
    if host.is_sick or (facts.rollback and facts.rollback.wave == wave.name):
        return "left as it is: the rollout had changed nothing there"
    if len(wave.bad) <= wave.tolerated:
        return f"left as it is: wave {wave.name} tolerates {wave.tolerated}"
    return "left as it is, and nothing new was started"


def _tell_gate_done(facts: ReportFacts, wave: WaveFacts, gate: GateFacts) -> str:
    later = any(other.opened_at > gate.opened_at and other.side == gate.side for other in wave.gates)
    if gate.verdict is Verdict.INCONCLUSIVE or gate.side == "before":
        return "held for a person" + (", then measured again" if later else "")
    if facts.status is Status.ROLLED_BACK:
        return f"wave {wave.name} was rolled back"
    if facts.rollback:
        return f"the rollback of wave {wave.name} was started"
    return "the rollout was halted; no later wave was started"


def tell_left(facts: ReportFacts) -> tuple[str, ...]:
    """Return what remains to be known or done: hosts without the change, hosts in doubt, the next command."""
    return tuple(_find_left(facts))


def _tell_how_to_put_back(facts: ReportFacts, one: TakenOut) -> str:
    if facts.status in WALKING and not facts.died:
        return f"{one.undo} puts it back."
    if facts.status not in CLOSED:
        return f"To put it back: wavegate resume {facts.id}"
    variable = quote(json.dumps({"wavegate_obligation_key": one.key}))
    return (
        f"To put it back by hand: ansible-playbook {quote(one.undo)} --limit {quote(one.host)} -e {variable}"
    )


def _find_left(facts: ReportFacts) -> Iterator[str]:
    in_flight = [host.name for host in facts.hosts if host.standing == "in_flight"]
    untouched = [host.name for host in facts.hosts if host.standing == "not_started"]
    bad = [h.name for h in facts.hosts if h.is_bad and h.standing != "rolled_back"]
    changed = [h.name for h in facts.hosts if shown_standing(h) == "done"]
    for one in facts.taken_out:
        why = f" ({one.failed})" if one.failed else ""
        yield f"Still taken out: {one.key} on {one.host}{why}. {_tell_how_to_put_back(facts, one)}"
    if bad:
        yield f"To be looked at by a person: {join_names(bad)}."
    if in_flight:
        word = "In doubt, the process died while they were in flight" if facts.died else "In flight"
        yield f"{word}: {join_names(in_flight)}."
    if untouched:
        yield f"Without the change, not touched: {join_names(untouched)}."
    if facts.ended_at is not None and facts.status is not Status.COMPLETED and changed:
        yield f"With the change, left as they are: {join_names(changed)}."
    if facts.left_out:
        yield f"Left out by the rollout file: {join_names(facts.left_out)}."
    if facts.died or facts.status in {Status.HELD, Status.INTERRUPTED, Status.WAITING}:
        yield f"To go on: wavegate resume {facts.id}"
    if facts.status is Status.HALTED:
        yield f"To go on, a person decides: wavegate retry, skip, rollback or abort {facts.id}"
    if facts.status is Status.ROLLBACK_FAILED:
        yield f"To try again what was not put back: wavegate resume {facts.id}"
