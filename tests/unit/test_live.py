"""What `run` prints where there is no terminal: complete lines, no escape codes, an estimate, no flood."""

from __future__ import annotations

import io

from rich.console import Console

from tests.world import Bench, World, make_fleet, plan_of, wave
from wavegate.core.outcomes import Outcome, Reading
from wavegate.core.state import State
from wavegate.reports.live import Progress


def lines_of(world: World, *waves, width: int = 40) -> list[str]:
    """Return what is printed for a whole rollout; narrow, since lines must not be folded."""
    stream = io.StringIO()
    plan = plan_of(make_fleet(pilot=1, rest=4), *waves)
    progress = Progress(plan, Console(file=stream, force_terminal=False, width=width))
    bench = Bench(plan, world)

    def show(record, state: State) -> None:
        progress.show(record, state)

    bench.show = show  # type: ignore[method-assign]
    bench.run()
    return stream.getvalue().splitlines()


WAVES = (wave("pilot", after="healthy"), wave("rest", batch=[2], after="healthy", failure_budget=1))


def test_every_line_is_complete_and_free_of_escape_codes() -> None:
    lines = lines_of(World(), *WAVES)
    assert all(line[2] == line[5] == ":" for line in lines)
    assert not any("\x1b" in line for line in lines)
    assert lines[-1].endswith("rollout completed: 5 of 5 hosts done")


def test_a_completed_wave_says_how_long_the_rest_will_take() -> None:
    (line,) = [line for line in lines_of(World(), *WAVES) if "wave pilot completed" in line]
    assert line.endswith("wave pilot completed; about 40 s left")


def test_a_failure_names_host_and_what_is_wrong() -> None:
    fate = lambda host, procedures: Outcome.FAILED if host == "rest-01" else Outcome.DONE  # noqa: E731
    assert any(line.endswith("rest-01: failed") for line in lines_of(World(fate=fate), *WAVES))


def test_good_sweeps_are_told_now_and_then_and_bad_ones_always() -> None:
    sweeps = [line for line in lines_of(World(), *WAVES) if "probe answers" in line and "pilot-01" in line]
    assert len(sweeps) == 2
    sick = lambda probe, host, now: Reading.BAD if now > 1_000_020 else Reading.GOOD  # noqa: E731
    assert any("bad on pilot-01" in line for line in lines_of(World(reading=sick), *WAVES))
