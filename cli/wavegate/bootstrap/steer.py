"""What a person may do to a rollout: go on, do hosts again, skip one, put hosts back, stop or end it.

Each verb is refused, with what to do instead, where it makes no sense; otherwise it becomes events.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from difflib import get_close_matches

from wavegate.bootstrap.material import match_hosts
from wavegate.bootstrap.reading import OpenedRollout, open_project_journal, user_name
from wavegate.bootstrap.walk import carry_on, end_as_it_stands
from wavegate.core import again
from wavegate.core import events as ev
from wavegate.core.outcomes import CLOSED, WALKING, Outcome, Status
from wavegate.core.plan import PlannedWave
from wavegate.core.rollback import needs_rollback
from wavegate.core.spec import Procedure
from wavegate.core.state import State
from wavegate.engine.engine import Watcher
from wavegate.errors import ExitCode, WavegateError

_AGAIN = frozenset({Status.HALTED, Status.HELD, Status.INTERRUPTED, Status.WAITING, Status.COMPLETED})
"""Where hosts can be done again or skipped: nobody walks, and nothing was put back."""


def go_on(opened: OpenedRollout, watcher: Watcher, *, stays: bool = True) -> State:
    """Carry the rollout on from where it stopped."""
    row = opened.row
    if row.status in CLOSED:
        raise refuse_now(opened, "there is nothing to go on with", f"start anew: wavegate run {row.file}")
    stopped = opened.state.breach or opened.state.failed_gate
    if row.status == Status.HALTED and stopped and not opened.state.obligations:
        hint = f"wavegate retry {row.id} · skip {row.id} HOST · rollback {row.id} · abort {row.id}"
        why = opened.state.reason
        raise WavegateError("rollout-halted", _name(opened), why=why, hint=hint, exit_code=ExitCode.HALTED)
    return carry_on(opened, watcher, stays=stays)


def retry(opened: OpenedRollout, watcher: Watcher, patterns: str) -> State:
    """Do bad hosts again (all of them without `patterns`), and what stopped the rollout is judged anew."""
    _require(opened, _AGAIN, "be retried")
    chosen = set(_choose_hosts(opened, patterns)) if patterns else again.hosts_to_retry(opened.state)
    retried = again.retry(opened.plan, opened.state, chosen, user_name())
    if not retried:
        raise refuse_now(
            opened, "no host of it is bad", f"name hosts: wavegate retry {opened.row.id} --hosts HOST"
        )
    done = [host for host in chosen if opened.state.host(host).outcome is Outcome.DONE]
    if bad_done := [host for host in done if not opened.state.host(host).is_bad]:
        raise refuse_now(opened, f"{', '.join(sorted(bad_done))} is done already", "name hosts that are bad")
    return carry_on(opened, watcher, retried)


def skip(opened: OpenedRollout, host: str, reason: str) -> State:
    """Take a host out of the rollout; it counts neither as done nor as bad."""
    _require(opened, _AGAIN - {Status.COMPLETED}, "have a host skipped")
    if host not in opened.plan.hosts:
        raise _tell_unknown("host", host, opened.plan.hosts)
    if not again.may_be_skipped(opened.state, host):
        raise refuse_now(opened, f"{host} is done already", f"see `wavegate report {opened.row.id}`")
    wave = next(wave.name for wave in opened.plan.waves if host in wave.hosts)
    return note(opened, ev.HostSkipped(wave, host, user_name(), reason))


def roll_back(opened: OpenedRollout, watcher: Watcher, *, wave: str = "", patterns: str = "") -> State:
    """Put back what the rollout may have changed: of one wave, of hosts by name, or of all."""
    plan = opened.plan
    if not plan.playbooks.get(Procedure.ROLLBACK):
        raise refuse_now(opened, "it names no rollback playbook", "put hosts back with another rollout")
    _require(opened, frozenset(Status) - WALKING - {Status.PLANNED}, "be rolled back")
    chosen = _choose_hosts(opened, patterns) if patterns else plan.hosts
    hosts = set(_wave(opened, wave).hosts if wave else chosen)
    eligible = tuple(
        host for host in plan.hosts if host in hosts and needs_rollback(plan, opened.state, host)
    )
    if not eligible:
        hint = f"see `wavegate report {opened.row.id}`"
        raise refuse_now(opened, "the rollout has changed nothing there", hint)
    where = [one.name for one in plan.waves if not hosts.isdisjoint(one.hosts)][-1]
    started = ev.RollbackStarted(where, eligible, f"asked by {user_name()}", user_name())
    return carry_on(opened, watcher, [started])


def _wave(opened: OpenedRollout, name: str) -> PlannedWave:
    names = [wave.name for wave in opened.plan.waves]
    if name not in names:
        raise _tell_unknown("wave", name, names)
    return opened.plan.waves[names.index(name)]


def abort(opened: OpenedRollout, watcher: Watcher, reason: str) -> State:
    """End the rollout for good; what it took out is put back first."""
    row = opened.row
    if row.status in CLOSED:
        raise refuse_now(opened, "it is over already", f"see `wavegate report {row.id}`")
    try:
        return carry_on(opened, watcher, [ev.AbortRequested(user_name(), reason)])
    except WavegateError as error:
        if error.code != "material-missing":
            raise
        return end_as_it_stands(row, opened.project, reason)


def request_stop(opened: OpenedRollout, *, now: bool) -> None:
    """Ask the process that walks the rollout to start nothing new, and `now` to stop what is in flight."""
    row = opened.row
    if opened.died:
        raise refuse_now(
            opened, "its process is dead: nobody walks it", f"wavegate resume {row.id}, or abort it"
        )
    if row.status not in WALKING:
        raise refuse_now(opened, "nobody walks it", f"see `wavegate status {row.id}`")
    journal = open_project_journal(opened.project)
    journal.request(row.id, ev.StopRequested(user_name(), now=now), time.time())


def note(opened: OpenedRollout, event: ev.Event) -> State:
    """Write one event without walking; return where the rollout stands."""
    from wavegate.core.folding import fold

    journal = open_project_journal(opened.project)
    now = max(time.time(), opened.state.at)
    journal.acquire(opened.row.id, now)
    try:
        return fold(opened.state, journal.append(opened.row.id, opened.state.seq, [event], now))
    finally:
        journal.release(opened.row.id)


def _require(opened: OpenedRollout, statuses: frozenset[Status], what: str) -> None:
    if opened.died:
        raise refuse_now(opened, "its process died", f"first go on with it: wavegate resume {opened.row.id}")
    if opened.row.status not in statuses:
        stop = f"first stop it: wavegate halt {opened.row.id}"
        hint = stop if opened.row.status in WALKING else f"see `wavegate report {opened.row.id}`"
        raise refuse_now(opened, f"it cannot {what} as it stands", hint)


def _choose_hosts(opened: OpenedRollout, pattern: str) -> list[str]:
    """Return the plan's hosts that an Ansible host pattern chooses; WavegateError when it chooses none."""
    if pattern in opened.plan.hosts:
        return [pattern]
    found = set(match_hosts(opened.project, opened.work, pattern))
    chosen = [host for host in opened.plan.hosts if host in found]
    if not chosen:
        raise _tell_unknown("host", pattern, opened.plan.hosts)
    return chosen


def _tell_unknown(kind: str, name: str, known: Sequence[str]) -> WavegateError:
    near = get_close_matches(name, known, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `wavegate report`"
    return WavegateError(f"{kind}-unknown", f"the rollout has no {kind} {name!r}", hint=hint)


def refuse_now(opened: OpenedRollout, why: str, hint: str) -> WavegateError:
    """Return the error for a wish that makes no sense as the rollout stands."""
    what = _name(opened)
    if opened.row.status in CLOSED:
        return WavegateError("rollout-closed", what, why=why, hint=hint)
    return WavegateError("not-possible-now", what, why=why, hint=hint)


def _name(opened: OpenedRollout) -> str:
    status = "dead" if opened.died else opened.row.status.replace("_", " ")
    return f"rollout {opened.row.id} ({opened.row.name}) is {status}"
