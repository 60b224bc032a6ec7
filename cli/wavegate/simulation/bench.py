"""Rollouts walked by the real engine in a fake world: processes that die anywhere, and others that go on.

A `Bench` is one rollout: its plan, its world, its journal, and an oracle that looks on.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from wavegate.core import again
from wavegate.core import events as ev
from wavegate.core.folding import fold
from wavegate.core.outcomes import CLOSED, Status
from wavegate.core.plan import Plan
from wavegate.core.state import State
from wavegate.engine.engine import Engine, Watcher
from wavegate.errors import WavegateError
from wavegate.simulation.fates import Nature
from wavegate.simulation.journal import SILENCE_LIMIT, Ledger
from wavegate.simulation.oracle import Oracle
from wavegate.simulation.process import Process
from wavegate.simulation.world import World

ROLLOUT = "r1"
MOST_TURNS = 20_000
"""More turns of the loop than any sane rollout of the bench takes."""
LOOK_SECONDS = SILENCE_LIMIT / 2
"""Nobody asks anything of a process of the bench; it looks often enough to be heard of."""
AT_REST = frozenset({*CLOSED, Status.HALTED, Status.ROLLBACK_FAILED})
"""Where a plain resume would change nothing, or is refused."""


class KilledError(BaseException):
    """The process died here (nothing may catch it as an Exception)."""


class Blind:
    """A watcher that does not look."""

    def show(self, record: ev.Record, state: State) -> None:
        """Ignore it."""

    def settle(self, state: State, now: float) -> None:
        """Ignore it."""


class Catastrophe(Struct, frozen=True):
    """What happens to the process that walks: at its `write`-th write, `before` or `after` it.

    `death`: it is killed. `pause`: it sleeps while another process takes its lease over and goes on, then
    wakes up and believes that nothing happened. `slow`: the disk takes `seconds`. `jump`: its clock jumps.
    """

    kind: str
    write: int
    when: str = "after"
    seconds: float = 0.0


AGAIN = frozenset({Status.HALTED, Status.HELD, Status.INTERRUPTED})
"""Where a person may have hosts done again, or skip one."""


class Wish(Struct, frozen=True):
    """A person's `retry` or `skip`; `number` chooses the host, or (0, for a retry) all of them."""

    verb: str
    number: int = 0

    def choose(self, hosts: Collection[str]) -> tuple[str, ...]:
        """Return the chosen ones of the hosts that come into question."""
        candidates = tuple(sorted(hosts))
        if not candidates or (self.verb == "retry" and not self.number):
            return candidates
        return (candidates[self.number % len(candidates)],)


@dataclass(slots=True)
class Bench:
    """One rollout. `catastrophes[n]` are what happens to its n-th process; `stops` are requests to stop."""

    plan: Plan
    nature: Nature
    catastrophes: Sequence[Sequence[Catastrophe]] = ()
    stops: Sequence[tuple[float, ev.StopRequested]] = ()
    resumes: int = 3
    """How often a person goes on with a rollout that is held."""
    wishes: Sequence[Wish] = ()
    """What persons do, one after the other, where the rollout has come to rest and that is possible."""
    watcher: Watcher = field(default_factory=Blind)
    world: World = field(init=False)
    ledger: Ledger = field(default_factory=Ledger)
    oracle: Oracle = field(init=False)
    processes: list[Process] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(self.nature, batch_timeout=self.plan.batch_timeout)
        self.oracle = Oracle(self.plan)
        self.world.onlooker = self.oracle
        self.ledger.seen, self.ledger.time = self.oracle.see_records, lambda: self.world.time

    @property
    def records(self) -> Sequence[ev.Record]:
        """Return what is in the journal."""
        return self.ledger.entries[ROLLOUT].records

    def run(self) -> State:
        """Walk the rollout, whatever happens, until nobody would go on with it; return where it stands."""
        process = self._new_process()
        process.journal.create(ROLLOUT, self.plan, "rollouts/simulated.yml", self.world.now())
        process.journal.acquire(ROLLOUT, self.world.now())
        state = self._go_on(self._survive(process, lambda engine: engine.start("the bench")))
        for wish in self.wishes:
            if state.status in AGAIN:
                state = self._go_on(self._fulfil(wish, state))
        self.oracle.judge_end(self.world, state, self.records)
        return state

    def _go_on(self, state: State) -> State:
        """Resume until nobody would any more."""
        held = 0
        while state.status not in AT_REST and held < self.resumes:
            held += state.status is Status.HELD
            state = self.resume()
        return self.resume() if state.status is Status.INTERRUPTED else state

    def resume(self, before: Sequence[ev.Event] = ()) -> State:
        """Have another process go on, as `wavegate resume` does; return where the rollout stands then."""
        stands = self.processes[-1].journal.find(ROLLOUT).status
        if stands in AT_REST and not (before and stands in AGAIN):
            return fold(State(), self.records)
        process = self._new_process()
        process.journal.acquire(ROLLOUT, self.world.now())
        begun = bool(self.records)
        return self._survive(
            process,
            lambda engine: engine.resume("the bench", before) if begun else engine.start("the bench"),
        )

    def _fulfil(self, wish: Wish, state: State) -> State:
        """Do what the person wants, if it makes sense; a process that dies of it is followed by a resume."""
        events: list[ev.Event] = []
        if wish.verb == "retry":
            events += again.retry(self.plan, state, wish.choose(again.hosts_to_retry(state)), "ann")
        elif hosts := wish.choose({host for host in self.plan.hosts if again.may_be_skipped(state, host)}):
            wave = next(wave.name for wave in self.plan.waves if hosts[0] in wave.hosts)
            events.append(ev.HostSkipped(wave, hosts[0], "ann", "no need of it"))
        if not events:
            return state
        self.happened.append(f"{wish.verb} of {events}")
        return self.resume(events)

    def _survive(self, process: Process, walk: Callable[[Engine], State]) -> State:
        """Walk; when the process dies, another one goes on, and maybe another one after that."""
        try:
            state = walk(self._engine(process))
        except KilledError:
            self._bury(process)
            return self.resume()
        except WavegateError as error:
            if error.code != "lease-lost" or process is self.processes[-1]:
                raise
            self.happened.append(f"{process.name} lost its lease and stopped")
        process.journal.release(ROLLOUT)
        return state if process is self.processes[-1] else fold(State(), self.records)

    def take_over(self, process: Process, seconds: float) -> None:
        """Have another process take the lease of one that sleeps, and go on until it stands still."""
        self.world.pass_until(self.world.time + SILENCE_LIMIT + 1 + seconds)
        if process.journal.find(ROLLOUT).status not in AT_REST:
            self.resume()

    def _bury(self, process: Process) -> None:
        """Let go with the process what does not outlive it."""
        self.ledger.dead.add(process.name)
        for name, feed in process.started.items():
            if not feed.work.survives:
                self.world.end(name, self.world.time)
        self.world.settle()

    def _new_process(self) -> Process:
        number = len(self.processes)
        mine = self.catastrophes[number] if number < len(self.catastrophes) else ()
        process = Process(
            self.world, self.ledger, f"process {number + 1}", _Doom(self, number, mine) if mine else None
        )
        process.most_turns = MOST_TURNS
        self.processes.append(process)
        for at, stop in self.stops:
            if at > self.world.time:
                process.later(at, [stop])
        return process

    def _engine(self, process: Process) -> Engine:
        return Engine(
            rollout_id=ROLLOUT,
            plan=self.plan,
            journal=process.journal,
            executor=process,
            prober=process,
            clock=process,
            inbox=process,
            watcher=self.watcher,
            look_seconds=LOOK_SECONDS,
        )


class _Doom(Struct, frozen=True):
    """What is going to happen to one process."""

    bench: Bench
    number: int
    catastrophes: Sequence[Catastrophe]

    def __call__(self, when: str, write: int) -> None:
        """Have happen what is due around this write."""
        for catastrophe in self.catastrophes:
            if (catastrophe.when, catastrophe.write) == (when, write):
                self._strike(catastrophe)

    def _strike(self, catastrophe: Catastrophe) -> None:
        bench, process = self.bench, self.bench.processes[self.number]
        bench.happened.append(
            f"{catastrophe.kind} {catastrophe.when} write {catastrophe.write} of {process.name}"
        )
        match catastrophe.kind:
            case "death":
                raise KilledError
            case "pause":
                bench.take_over(process, catastrophe.seconds)
            case "slow":
                bench.world.pass_until(bench.world.time + catastrophe.seconds)
            case "jump":
                bench.world.skew += catastrophe.seconds
            case _:
                raise ValueError(catastrophe.kind)
