"""The nature of a simulated rollout: durations and troubles by chance, all of it from one seed."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence

from msgspec import Struct, field

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading
from wavegate.simulation.change import Clause
from wavegate.simulation.fates import Fate, is_rollback

SPREAD = 0.3
"""The sigma of the log-normal distribution of durations: one host in twenty takes over 1.6 times as long."""

_ON_THE_WAY = frozenset({"fails", "hangs", "unreachable"})
_AT_ANY_TIME = frozenset({"flaky", "errors"})
_OUTCOMES = {"fails": Outcome.FAILED, "unreachable": Outcome.UNREACHABLE}
_WELL, _BROKEN = "well", "broken by the change"


class Luck(Struct):
    """Draws each host's fate when its batch starts; `doomed` maps hosts that will break to when they do."""

    clauses: Sequence[Clause]
    host_seconds: float
    hosts: int
    rng: random.Random
    doomed: dict[str, float] = field(default_factory=dict)
    harmed: set[str] = field(default_factory=set)
    """Hosts that were broken, or on which the procedure itself failed, hung or lost the connection."""
    _fates: dict[float, Fate] = field(default_factory=dict)
    _seen: _Seen | None = None

    def fate(self, host: str, procedures: tuple[str, ...], now: float) -> Fate:  # noqa: ARG002
        """Return how it goes for the host this time."""
        # Of the few seconds that there are, each is one fate, made once: a fleet draws it again and again.
        seconds = max(1.0, round(self.host_seconds * math.exp(self.rng.gauss(0.0, SPREAD))))
        fate = self._fates.get(seconds)
        if fate is None:
            fate = self._fates[seconds] = Fate(seconds)
        if not self.clauses:
            return fate
        if is_rollback(procedures):
            self.doomed.pop(host, None)
            return fate
        return self._trouble(host, fate) or fate

    def _trouble(self, host: str, fate: Fate) -> Fate | None:
        """Return what the change does to the host while it gets it, and note what it does later."""
        draw = self.rng.random
        for clause in self.clauses:
            if clause.verb == "breaks":
                if draw() < clause.share:
                    self.doomed[host] = min(clause.after, self.doomed.get(host, math.inf))
                    self.harmed.add(host)
            elif clause.verb in _ON_THE_WAY and draw() < clause.share:
                self.harmed.add(host)
                outcome = _OUTCOMES.get(clause.verb, Outcome.TIMED_OUT)
                return Fate(fate.seconds, outcome, hangs=clause.verb == "hangs")
        return None

    def measure(
        self, sweep: ev.SweepStarted, changed_at: Mapping[str, float], now: float
    ) -> tuple[ev.Measurement, ...]:
        """Return what a probe sees: hosts that broke are bad; one that measures once hits any host."""
        if sweep.targets == ("",):
            broken = sum(changed_at.get(host, math.inf) + after <= now for host, after in self.doomed.items())
            bad = bool(broken) and self.rng.random() < broken / self.hosts
            return (_answer("", Reading.BAD if bad else Reading.GOOD),)
        if self._seen is None or not self._seen.knows(sweep, changed_at):
            self._seen = _Seen(sweep, changed_at, self.doomed)
        return self._disturb(self._seen.look(now))

    def quiet_until(
        self, targets: Collection[str] | None, changed_at: Mapping[str, float], now: float
    ) -> float:
        """Return until when every measurement of the targets (None: of all hosts) is good; `now`: unknown."""
        if any(clause.verb in _AT_ANY_TIME for clause in self.clauses):
            return now
        breaking = [
            changed_at[host] + after
            for host, after in self.doomed.items()
            if host in changed_at and (targets is None or host in targets)
        ]
        return max(now, min(breaking, default=math.inf))

    def _disturb(self, measurements: tuple[ev.Measurement, ...]) -> tuple[ev.Measurement, ...]:
        for clause in self.clauses:
            if clause.verb in _AT_ANY_TIME:
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
        same = sweep.targets is self._sweep.targets or sweep.targets == self._sweep.targets
        return same and len(changed_at) == self._changes

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
