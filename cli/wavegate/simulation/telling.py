"""What a study says: as numbers with stable keys, as one sentence, as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from wavegate.core.quantity import format_duration
from wavegate.simulation.change import tell_change
from wavegate.simulation.study import Study, Walk

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_HIGH = 0.95


def quantile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; 0 of none."""
    ordered = sorted(values)
    place = max(0, -int(-share * len(ordered) // 1) - 1)
    return ordered[place] if ordered else 0


def summarise(study: Study, real_hosts: int) -> dict[str, Any]:
    """Return the study as JSON data; the keys are documented and stable."""
    bad = study.bad
    stopped = [walk for walk in bad if walk.stopped_in]
    return {
        "format": 1,
        "name": study.plan.name,
        "hosts": len(study.plan.hosts),
        "real_hosts": real_hosts,
        "seed": study.seed,
        "host_seconds": study.host_seconds,
        "bad_change": tell_change(study.change),
        "sentence": tell(study),
        "good": {
            "walks": len(study.good),
            "ends": _ends(study.good),
            "seconds": _spread(walk.seconds for walk in study.good),
        },
        "bad": {
            "walks": len(bad),
            "ends": _ends(bad),
            "stopped": len(stopped) / len(bad) if bad else 0,
            "seconds": _spread(walk.seconds for walk in bad),
            "reached": _spread(walk.total for walk in bad),
            "harmed": _spread(walk.harmed for walk in bad),
        },
        "waves": [_wave(study, name) for name in (wave.name for wave in study.plan.waves)],
    }


def tell(study: Study) -> str:
    """Return the sentence that people choose wave sizes and soak times by."""
    stopped = Counter(walk.stopped_in for walk in study.bad if walk.stopped_in)
    hosts = len(study.plan.hosts)
    reached = _spread(walk.total for walk in study.bad)
    subject = f"a change that {tell_change(study.change)}"
    numbers = f"{reached['median']:,.0f} of {hosts:,} hosts have it (95th percentile {reached['p95']:,.0f})"
    if not stopped:
        return f"{subject} is not stopped: {numbers}"
    wave, often = stopped.most_common(1)[0]
    by = Counter(walk.stopped_by for walk in study.bad if walk.stopped_in == wave).most_common(1)[0][0]
    where = f"after {wave}" if by == "gate" else f"in {wave}"
    if often == len(study.bad):
        return f"{subject} is stopped {where}: {numbers}"
    share = stopped.total() / len(study.bad)
    mostly = f"stopped {where}" if share == 1 else f"stopped in {share:.0%} of rollouts"
    return f"{subject} is {mostly}{', mostly ' + where if share < 1 else ' in most rollouts'}: {numbers}"


def print_study(study: Study, real_hosts: int, console: Console) -> None:
    """Print the sentence, how long it takes, and a table of the waves."""
    from rich.text import Text

    data = summarise(study, real_hosts)
    scaled = f", scaled from {real_hosts:,}" if real_hosts != data["hosts"] else ""
    about = f": {data['hosts']:,} hosts{scaled}, seed {study.seed}"
    console.print(Text.assemble((study.plan.name, "bold"), about), soft_wrap=True)
    good = data["good"]
    took = f"{_time(good['seconds']['median'])} (95th percentile {_time(good['seconds']['p95'])})"
    console.print(Text(f"a good change takes {took}; {_tell_ends(good)}"), soft_wrap=True)
    console.print(Text(f"{data['sentence']}; {_tell_ends(data['bad'])}", "bold"), soft_wrap=True)
    console.print(_table(data))


def _table(data: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    heads = ("wave", "hosts", "good: begins after", "bad: stopped here", "hosts that have it")
    for column in (*heads, "95th percentile"):
        table.add_column(column, header_style="bold", justify="left" if column == "wave" else "right")
    for wave in data["waves"]:
        began = wave["begins_after"]
        reached = wave["reached"]
        table.add_row(
            Text(wave["name"]),
            f"{wave['hosts']:,}",
            "-" if began is None else _time(began),
            f"{wave['stopped']:.0%}",
            f"{reached['median']:,.0f}",
            f"{reached['p95']:,.0f}",
        )
    return table


def _wave(study: Study, name: str) -> dict[str, Any]:
    began = [walk.began[name] for walk in study.good if name in walk.began]
    here = sum(walk.stopped_in == name for walk in study.bad)
    return {
        "name": name,
        "hosts": next(len(wave.hosts) for wave in study.plan.waves if wave.name == name),
        "begins_after": quantile(began, 0.5) if began else None,
        "stopped": here / len(study.bad) if study.bad else 0,
        "reached": _spread(walk.reached[name] for walk in study.bad),
    }


def _ends(walks: Sequence[Walk]) -> dict[str, int]:
    return {str(status): number for status, number in Counter(walk.status for walk in walks).most_common()}


def _tell_ends(part: dict[str, Any]) -> str:
    ends = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in part["ends"].items())
    return f"of {part['walks']} rollouts {ends}"


def _spread(values: Iterable[float]) -> dict[str, float]:
    known = list(values)
    return {"median": quantile(known, 0.5), "p95": quantile(known, _HIGH), "max": max(known, default=0)}


def _time(seconds: float) -> str:
    return format_duration(seconds)
