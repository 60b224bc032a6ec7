"""What a playbook that was run as a test means for a host, by the same evidence as batches are judged on.

| outcome | reading | why |
|---|---|---|
| done | good | every play that targets the host ran to its end there |
| failed | bad | a task looked at the host and failed |
| unreachable | error | nothing was looked at |
| timed out | error | what was seen so far says nothing about the rest |
| aborted | error | another host's failure cut it off |
| not started | error | nothing was looked at |
| skipped | error | no play targets the host: a test that tests nothing is none |
"""

from __future__ import annotations

from collections.abc import Mapping

from wavegate.core.events import HostFinished
from wavegate.core.findings import count_text
from wavegate.core.judgement import Judgement, seconds_text
from wavegate.core.outcomes import Outcome, Reading

READINGS: Mapping[Outcome, Reading] = {
    Outcome.DONE: Reading.GOOD,
    Outcome.FAILED: Reading.BAD,
}
"""Every other outcome has measured nothing."""


def judge_finished(finished: HostFinished | None, timeout: float, still_at_work: str = "") -> Judgement:
    """Return what the host's outcome means; None is a host of which nothing was heard.

    `still_at_work` says what of a task that was stopped could not be ended on the host.
    """
    if finished is None:
        return Judgement(Reading.ERROR, "the playbook ended without a word about this host")
    reading = READINGS.get(finished.outcome, Reading.ERROR)
    left = f"; {still_at_work}" if still_at_work else ""
    return Judgement(reading, _tell(finished, timeout) + left)


def _tell(finished: HostFinished, timeout: float) -> str:
    reason, task = finished.reason, finished.task
    match finished.outcome:
        case Outcome.DONE:
            return _tell_done(finished)
        case Outcome.FAILED:
            return f"task {task} failed: {reason}" if task else f"failed: {reason}"
        case Outcome.UNREACHABLE:
            return f"the host could not be asked: unreachable: {reason}"
        case Outcome.TIMED_OUT:
            return f"the playbook did not end within {seconds_text(timeout)} and was stopped"
        case Outcome.SKIPPED:
            return f"nothing was tested: {reason}"
        case _:
            why = reason or "no reason is known"
            return f"the playbook did not get through on this host ({finished.outcome.value}): {why}"


def _tell_done(finished: HostFinished) -> str:
    parts = ["the playbook went through"]
    if finished.changed:
        parts.append(f"{count_text(finished.changed, 'task')} changed something")
    if finished.rescued:
        parts.append(f"{count_text(finished.rescued, 'failure')} rescued")
    if finished.reason:
        parts.append(finished.reason)
    return ", ".join(parts)
