"""What is different between two plans, for somebody who is asked to say yes to the newer one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import json

from wavegate.core.plan import Plan, PlannedWave
from wavegate.core.quantity import some

_SHOWN = 6
_SETTINGS = (
    "before",
    "on_breach",
    "batch_timeout",
    "budget",
    "rollback",
    "playbooks",
    "inventory",
    "variables",
)
_WAVE_SETTINGS = ("in_flight", "budget", "before", "after", "apart_key", "at_most")


def compare_plans(old: Plan, new: Plan) -> tuple[str, ...]:
    """Return a sentence for each difference; none when the plans are equal."""
    return tuple(_compare(old, new))


def _compare(old: Plan, new: Plan) -> Iterator[str]:
    for name in _SETTINGS:
        yield from _compare_value(name.replace("_", " "), getattr(old, name), getattr(new, name))
    yield from _compare_names("wave", [wave.name for wave in old.waves], [wave.name for wave in new.waves])
    before = {wave.name: wave for wave in old.waves}
    for wave in new.waves:
        if wave.name in before:
            yield from _compare_waves(before[wave.name], wave)
    for kind, earlier, later in (("gate", old.gates, new.gates), ("probe", old.probes, new.probes)):
        yield from _compare_names(kind, list(earlier), list(later))
        for name in later:
            if name in earlier:
                yield from _compare_value(f"{kind} {name}", earlier[name], later[name])
    for part in sorted({*old.digests, *new.digests}):
        if old.digests.get(part) != new.digests.get(part):
            yield f"content of {part}: {_digest(old, part)} became {_digest(new, part)}"


def _digest(plan: Plan, part: str) -> str:
    return plan.digests.get(part, "nothing")[:12]


def _compare_waves(old: PlannedWave, new: PlannedWave) -> Iterator[str]:
    where = f"wave {new.name}"
    yield from _compare_names(f"{where}: host", old.hosts, new.hosts)
    same_hosts = set(old.hosts) == set(new.hosts)
    if same_hosts and old.batches != new.batches:
        yield f"{where}: other batches, {_sizes(old)} became {_sizes(new)}"
    for name in _WAVE_SETTINGS:
        yield from _compare_value(
            f"{where}: {name.replace('_', ' ')}", getattr(old, name), getattr(new, name)
        )


def _sizes(wave: PlannedWave) -> str:
    sizes = [str(len(batch.hosts)) for batch in wave.batches[:_SHOWN]]
    return "+".join(sizes) + ("+…" if len(wave.batches) > _SHOWN else "")


def _compare_names(what: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    for word, names in (("added", sorted({*new} - {*old})), ("gone", sorted({*old} - {*new}))):
        if names:
            kind = f"{what}s" if len(names) > 1 else what
            yield f"{kind} {word}: {some(names)}"


def _compare_value(what: str, old: Any, new: Any) -> Iterator[str]:
    """Yield how a value differs: of mappings only the keys that do."""
    earlier, later = (json.decode(json.encode(value)) for value in (old, new))  # of one plan lists are tuples
    if earlier == later:
        return
    if not isinstance(earlier, Mapping) or not isinstance(later, Mapping):
        yield f"{what}: {_show(earlier)} became {_show(later)}"
        return
    for key in dict.fromkeys((*earlier, *later)):
        yield from _compare_value(f"{what}: {key}", earlier.get(key), later.get(key))


def _show(value: Any) -> str:
    if value in (None, "", (), []):
        return "nothing"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_show(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_show(item)}" for key, item in value.items())
    return str(value)
