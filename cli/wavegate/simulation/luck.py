"""The nature of a simulated rollout: durations and troubles by chance, all of it from one seed."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading
from wavegate.simulation.change import Clause
from wavegate.simulation.fates import Fate, is_rollback

SPREAD = 0.3
"""The sigma of the log-normal distribution of durations: one host in twenty takes more than 1.6 times as long."""

_OUTCOMES = {"fails": Outcome.FAILED, "unreachable": Outcome.UNREACHABLE}
_WELL, _BROKEN = "well", "broken by the change"


@dataclass(slots=True)
class Luck:
    """Draws each host's fate when its batch starts; `doomed` maps hosts that will break to when they do."""

    clauses: Sequence[Clause]
    host_seconds: float
    hosts: int
    rng: random.Random
    doomed: dict[str, float] = field(default_factory=dict)
    harmed: int = 0
    """Hosts on which the procedure itself failed, hung or lost the connection."""
    _seen: _Seen | None = None

    def fate(self, host: str, procedures: tuple[str, ...], now: float) -> Fate:  # noqa: ARG002
        """Return how it goes for the host this time."""
        seconds = max(1.0, round(self.rng.lognormvariate(math.log(self.host_seconds), SPREAD)))
        if is_rollback(procedures):
            self.doomed.pop(host, None)
            return Fate(seconds)
        for clause in self.clauses:
            if clause.verb == "breaks":
                if self.rng.random() < clause.share:
                    self.doomed[host] = min(clause.after, self.doomed.get(host, math.inf))
            elif clause.verb in {"fails", "hangs", "unreachable"} and self.rng.random() < clause.share:
                self.harmed += 1
                outcome = _OUTCOMES.get(clause.verb, Outcome.TIMED_OUT)
                return Fate(seconds, outcome, hangs=clause.verb == "hangs")
        return Fate(seconds)

    def measure(
        self, sweep: ev.SweepStarted, changed_at: Mapping[str, float], now: float
    ) -> tuple[ev.Measurement, ...]:
        """Return what a probe sees: hosts that broke are bad; one that measures once hits any host."""
        if sweep.targets == ("",):
            broken = sum(changed_at.get(host, math.inf) + after <= now for host, after in self.doomed.items())
            bad = self.rng.random() < broken / self.hosts
            return (_answer("", Reading.BAD if bad else Reading.GOOD),)
        if self._seen is None or not self._seen.knows(sweep, changed_at):
            self._seen = _Seen(sweep, changed_at, self.doomed)
        return self._disturb(self._seen.look(now))

    def _disturb(self, measurements: tuple[ev.Measurement, ...]) -> tuple[ev.Measurement, ...]:
        for clause in self.clauses:
            if clause.verb in {"flaky", "errors"}:
                reading = Reading.BAD if clause.verb == "flaky" else Reading.ERROR
                measurements = tuple(
                    _answer(measurement.target, reading) if self.rng.random() < clause.share else measurement
                    for measurement in measurements
                )
        return measurements


class _Seen:
    """The targets of one gate: which of them break, and when; the same answer is the same object."""

    def __init__(
        self, sweep: ev.SweepStarted, changed_at: Mapping[str, float], doomed: Mapping[str, float]
    ) -> None:
        self._sweep = sweep
        self._changes = len(changed_at)
        breaking = sorted(
            (changed_at[target] + doomed[target], place)
            for place, target in enumerate(sweep.targets)
            if target in doomed and target in changed_at
        )
        self._times = [at for at, _ in breaking]
        self._places = [place for _, place in breaking]
        self._answer = tuple(_answer(target, Reading.GOOD) for target in sweep.targets)
        self._broken = 0

    def knows(self, sweep: ev.SweepStarted, changed_at: Mapping[str, float]) -> bool:
        """Whether the sweep is over the same targets, and nothing was changed since."""
        return len(changed_at) == self._changes and sweep.targets == self._sweep.targets

    def look(self, now: float) -> tuple[ev.Measurement, ...]:
        """Return what is to be seen at `now`."""
        broken = bisect_right(self._times, now)
        if broken != self._broken:
            answers = list(self._answer)
            for place in self._places[:broken]:
                answers[place] = _answer(answers[place].target, Reading.BAD)
            self._answer, self._broken = tuple(answers), broken
        return self._answer


def _answer(target: str, reading: Reading) -> ev.Measurement:
    return ev.Measurement(target, reading, _WELL if reading is Reading.GOOD else _BROKEN)
