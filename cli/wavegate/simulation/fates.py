"""What happens to hosts in a fake world: how long they take, how it ends, what probes see of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol
from zlib import crc32

from msgspec import Struct

from wavegate.core import events as ev
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.spec import Procedure


class Fate(Struct, frozen=True):
    """One host's way through a batch, and what probes see afterwards.

    `hangs`: its task never ends. `bad_after`: seconds after the change from which probes find it bad; `sick`:
    they do before it, too. `lies`, `errors`, `unsure`: the share of measurements that say the opposite, fail,
    or are inconclusive. `rollback` is how putting it back ends.
    """

    seconds: float = 10.0
    outcome: Outcome = Outcome.DONE
    fails_at: str = "apply"
    """The procedure that ends badly; those before it were completed."""
    hangs: bool = False
    bad_after: float | None = None
    sick: bool = False
    lies: float = 0.0
    errors: float = 0.0
    unsure: float = 0.0
    rollback: Outcome = Outcome.ROLLED_BACK
    takes_out: bool = False
    """Whether its playbook takes the host out of a pool before the change, and puts it back after it."""
    slower: float = 1.0
    """How many times higher the number is that probes measure there once it has the change."""
    undo: Outcome = Outcome.DONE
    """How putting it back ends, where the rollout has to do that itself."""
    survives: bool = False
    """Whether its Ansible process outlives the death of the process that started it."""


class Nature(Protocol):
    """The laws of one fake world."""

    def fate(self, host: str, procedures: tuple[str, ...], now: float) -> Fate:
        """Return how a batch with these procedures, begun at `now`, goes for the host."""
        ...

    def measure(
        self, sweep: ev.SweepStarted, changed_at: Mapping[str, float], now: float
    ) -> tuple[ev.Measurement, ...]:
        """Return what the probe answers about each target, and then about those that it compares with.

        `changed_at` tells which hosts have the change.
        """
        ...


@dataclass(slots=True)
class Fates:
    """Fates written down host by host; they depend neither on the try nor on what happened before."""

    of: Mapping[str, Fate] = field(default_factory=dict)
    otherwise: Fate = field(default_factory=Fate)
    seed: int = 0
    _rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._rng = random.Random(self.seed)  # noqa: S311 - a fake world, no secret

    def fate(self, host: str, procedures: tuple[str, ...], now: float) -> Fate:  # noqa: ARG002
        """Return the host's fate."""
        return self.of.get(host, self.otherwise)

    def measure(
        self, sweep: ev.SweepStarted, changed_at: Mapping[str, float], now: float
    ) -> tuple[ev.Measurement, ...]:
        """Return the truth, except where a fate has the probe lie."""
        return tuple(
            ev.Measurement(
                target,
                self._read(target, changed_at.get(target), now),
                "as the world says",
                self._number(sweep, target, changed=target in changed_at) if sweep.untouched else None,
            )
            for target in (*sweep.targets, *sweep.untouched)
        )

    def _number(self, sweep: ev.SweepStarted, target: str, *, changed: bool) -> float:
        """Return a number that depends on nothing but the sweep and the host."""
        noise = crc32(f"{target}/{sweep.number}".encode()) % 1000 / 10_000
        return (0.1 + noise) * (self.of.get(target, self.otherwise).slower if changed else 1.0)

    def _read(self, target: str, changed: float | None, now: float) -> Reading:
        fate = self.of.get(target, self.otherwise)
        after = fate.bad_after
        bad = fate.sick or (after is not None and changed is not None and now - changed >= after)
        chance = self._rng.random() if fate.lies or fate.errors or fate.unsure else 1.0
        for share, reading in (
            (fate.errors, Reading.ERROR),
            (fate.unsure, Reading.INCONCLUSIVE),
            (fate.lies, Reading.GOOD if bad else Reading.BAD),
        ):
            if chance < share:
                return reading
            chance -= share
        return Reading.BAD if bad else Reading.GOOD


class Told(Struct):
    """Fates told by functions, for tests that say in one line what is special about their world."""

    outcome: Callable[[str, tuple[str, ...]], Outcome] = lambda host, procedures: Outcome.DONE  # noqa: ARG005
    seconds: Callable[[str], float] = lambda host: 10.0  # noqa: ARG005
    reading: Callable[[str, str, float], Reading] = lambda probe, host, now: Reading.GOOD  # noqa: ARG005

    def fate(self, host: str, procedures: tuple[str, ...], now: float) -> Fate:  # noqa: ARG002
        """Return what the functions say; a rollback that is told to be done is rolled back."""
        outcome = self.outcome(host, procedures)
        back = Outcome.ROLLED_BACK if outcome is Outcome.DONE else outcome
        return Fate(self.seconds(host), outcome, rollback=back)

    def measure(
        self,
        sweep: ev.SweepStarted,
        changed_at: Mapping[str, float],  # noqa: ARG002
        now: float,
    ) -> tuple[ev.Measurement, ...]:
        """Return what the function says of each target."""
        return tuple(
            ev.Measurement(target, self.reading(sweep.probe, target, now), "as the world says")
            for target in sweep.targets
        )


def is_rollback(procedures: tuple[str, ...]) -> bool:
    """Return whether a batch puts hosts back."""
    return Procedure.ROLLBACK.value in procedures
