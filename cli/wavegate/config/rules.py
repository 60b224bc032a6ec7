"""Rules between keys.

They look at the data as written and take any shape, so that one pass finds these mistakes and the schema's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from wavegate.config.document import join_path
from wavegate.config.kinds import Kinds
from wavegate.config.problems import list_keys
from wavegate.config.rules_limits import check_limits
from wavegate.config.rules_people import check_people
from wavegate.config.rules_watching import check_watching
from wavegate.config.schema_probes import Probe
from wavegate.config.values import show, suggest
from wavegate.core.spec import BUDGET_CLASSES, ROLLING_BACK
from wavegate.errors import Problem


def check_rules(data: Mapping[str, Any], literals: Mapping[str, str], kinds: Kinds) -> list[Problem]:
    """Return the problems between keys; a key of a wrong type is left to the schema."""
    problems = [
        *_check_probes(data, kinds),
        *_check_literals(data, literals, kinds),
        *_check_gates(data),
        *_check_gate_name(data, data.get("before"), "before"),
        *_check_gate_name(data, data.get("during"), "during"),
        *_check_waves(data),
        *_check_looking_back(data),
        *check_watching(data, _named(data, "probes"), _named(data, "gates")),
    ]
    policy = data.get("on_breach")
    if policy in list(ROLLING_BACK) and "rollback" not in data:
        hint = "add rollback: with the playbook that puts a host back"
        problems.append(Problem(f"{policy} needs a rollback procedure", path="on_breach", hint=hint))
    rehearsal = data.get("rehearsal")
    if isinstance(rehearsal, dict):
        problems += _check_gate_name(data, rehearsal.get("gate"), "rehearsal.gate")
    return [*problems, *_check_rollback(data), *_check_budget(data.get("failure_budget"), "failure_budget")]


def _check_rollback(data: Mapping[str, Any]) -> Iterator[Problem]:
    rollback = data.get("rollback")
    if not isinstance(rollback, dict):
        return
    if rollback.get("require") == "backup" and "backup" not in data:
        hint = "add backup: with the playbook that saves what a rollback needs"
        yield Problem("no backup is made that could be required", path="rollback.require", hint=hint)
    yield from _check_gate_name(data, rollback.get("gate"), "rollback.gate")
    if "approval" in _named(data, "gates").get(str(rollback.get("gate")), {}):
        hint = "name a gate that only measures: hosts are put back without waiting for anybody"
        yield Problem("the gate after a rollback asks nobody", path="rollback.gate", hint=hint)


def _check_gate_name(data: Mapping[str, Any], gate: Any, path: str) -> Iterator[Problem]:
    gates = data.get("gates", {})
    if isinstance(gate, str) and gate.strip() and isinstance(gates, dict) and gate not in gates:
        yield _name_unknown("gates", gate, gates, path)


def _check_budget(budget: Any, path: str) -> Iterator[Problem]:
    if isinstance(budget, dict) and budget.keys() <= {"minimum_sample"}:
        yield Problem(
            "a failure budget needs a number", path=path, hint=f"total, or one of {', '.join(BUDGET_CLASSES)}"
        )


def _named(data: Mapping[str, Any], key: str) -> dict[str, dict[str, Any]]:
    """Return the mappings below `key`; what is no mapping is left out."""
    entries = data.get(key)
    if not isinstance(entries, dict):
        return {}
    return {name: entry for name, entry in entries.items() if isinstance(entry, dict)}


def _check_probes(data: Mapping[str, Any], kinds: Kinds) -> Iterator[Problem]:
    for name, probe in _named(data, "probes").items():
        path = join_path("probes", name)
        written = [kind for kind in kinds if kind in probe]
        if len(written) > 1:
            yield Problem(
                f"a probe has one kind; got {' and '.join(written)}", path=path, hint="make several probes"
            )
        elif not written and probe.keys() <= set(list_keys(Probe)):
            yield Problem(f"a probe needs a kind: {', '.join(kinds)}", path=path)
        for kind in written:
            if kinds[kind].hosts_only and probe.get("scope", "host") != "host":
                message = f"the kind {kind} looks at hosts themselves; got scope {show(probe['scope'])}"
                yield Problem(message, path=join_path(path, "scope"), hint="remove scope")
            if isinstance(probe[kind], dict):
                for problem in kinds[kind].check_written(probe[kind]):
                    yield replace(problem, path=".".join(filter(None, (join_path(path, kind), problem.path))))


def _check_literals(data: Mapping[str, Any], literals: Mapping[str, str], kinds: Kinds) -> Iterator[Problem]:
    """Refuse an expectation that is not what it looks like: YAML reads `1.10` as 1.1, `yes` as true."""
    for path, value in _expectations(data, kinds):
        written = literals.get(path)
        if written is not None and written != _write_json(value):
            hint = f'write {_write_json(value)}, or "{written}" in quotes if text is meant'
            yield Problem(
                f"YAML reads {written or 'an empty value'} as {_write_json(value)}", path=path, hint=hint
            )


def _expectations(data: Mapping[str, Any], kinds: Kinds) -> Iterator[tuple[str, Any]]:
    for name, probe in _named(data, "probes").items():
        for kind, settings in _named({"probe": probe}, "probe").items():
            for key in kinds[kind].literal_keys if kind in kinds else ():
                expected, path = settings.get(key), join_path("probes", name)
                for word, value in expected.items() if isinstance(expected, dict) else ():
                    yield join_path(join_path(join_path(path, kind), key), word), value


def _write_json(value: Any) -> str:
    return "null" if value is None else show(value)


def _check_gates(data: Mapping[str, Any]) -> Iterator[Problem]:
    probes = _named(data, "probes")
    for name, gate in _named(data, "gates").items():
        path = join_path("gates", name)
        yield from check_people(data, gate, path)
        used = gate.get("probes", [])
        if not isinstance(used, list):
            continue
        if not used and not {"probes", "approval", "rehearsed"} & gate.keys():
            hint = "add probes: with names of probes, or approval: with whom it asks"
            yield Problem("a gate needs something to decide by", path=path, hint=hint)
        yield from _check_names(data, "probes", used, join_path(path, "probes"))
        known = [probes[probe] for probe in used if isinstance(probe, str) and probe in probes]
        if (
            known
            and len(known) == len(used)
            and "rehearsed" not in gate
            and all(probe.get("dry_run") is True for probe in known)
        ):
            message = "every probe of this gate is dry_run, so that nothing decides"
            yield Problem(message, path=join_path(path, "probes"))
        yield from _check_intervals(probes, name, gate)
        yield from check_limits(probes, name, gate)


def _check_names(data: Mapping[str, Any], key: str, used: list[Any], path: str) -> Iterator[Problem]:
    defined = data.get(key, {})
    for index, name in enumerate(used):
        place = join_path(path, index)
        if isinstance(name, str) and name in used[:index]:
            yield Problem(f"{name!r} is named twice", path=place)
        elif isinstance(name, str) and name.strip() and isinstance(defined, dict) and name not in defined:
            yield _name_unknown(key, name, defined, place)


def _name_unknown(key: str, name: str, defined: Mapping[str, Any], path: str) -> Problem:
    hint = suggest(name, defined) or (f"defined: {', '.join(defined)}" if defined else f"add it under {key}:")
    return Problem(f"no {key[:-1]} is called {show(name)}", path=path, hint=hint)


def _check_intervals(
    probes: Mapping[str, Mapping[str, Any]], name: str, gate: Mapping[str, Any]
) -> Iterator[Problem]:
    if "interval" in gate:
        return
    used = [
        probe
        for probe in gate.get("probes", ())
        if isinstance(probe, str) and "interval" not in probes.get(probe, {})
    ]
    places = {}
    for probe in used:
        own = "count" in probes.get(probe, {})
        count = probes[probe]["count"] if own else gate.get("count")
        if isinstance(count, int) and count > 1:
            places[f"probes.{probe}.count" if own else f"gates.{name}.count"] = count
    for path, count in places.items():
        message = f"{show(count)} measurements need an interval"
        yield Problem(message, path=path, hint=f"write interval: 10s in the gate {name!r} or in the probe")


def _check_waves(data: Mapping[str, Any]) -> Iterator[Problem]:
    waves = data.get("waves")
    names: dict[str, str] = {}
    for index, wave in enumerate(waves if isinstance(waves, list) else ()):
        if not isinstance(wave, dict):
            continue
        path = join_path("waves", index)
        yield from _check_wave(data, wave, path)
        name = wave.get("name")
        if isinstance(name, str) and name in names:
            yield Problem(f"{names[name]} has the name {show(name)} already", path=f"{path}.name")
        elif isinstance(name, str):
            names[name] = path


def _check_wave(data: Mapping[str, Any], wave: Mapping[str, Any], path: str) -> Iterator[Problem]:
    if "hosts" in wave and "each" in wave:
        hint = "hosts is a pattern for one wave; each makes one wave for each group"
        yield Problem("a wave has hosts or each, not both", path=f"{path}.each", hint=hint)
    if "hosts" not in wave and "each" not in wave:
        yield Problem("a wave needs hosts (a pattern) or each (a glob of groups)", path=path)
    if "at_most" in wave and "apart" not in wave:
        yield Problem("at_most says nothing without apart", path=f"{path}.at_most", hint="add apart: KEY")
    yield from _check_budget(wave.get("failure_budget"), f"{path}.failure_budget")
    for side in ("before", "during", "after"):
        yield from _check_gate_name(data, wave.get(side), f"{path}.{side}")


def _check_looking_back(data: Mapping[str, Any]) -> Iterator[Problem]:
    """Refuse a log that is looked at from the change on, where the gate stands before any change."""
    waves, probes = data.get("waves"), _named(data, "probes")
    written = [wave for wave in waves if isinstance(wave, dict)] if isinstance(waves, list) else []
    before = [data.get("before"), *(wave.get("before") for wave in written)]
    used = [gate.get("probes") for name, gate in _named(data, "gates").items() if name in before]
    names = [name for one in used if isinstance(one, list) for name in one if isinstance(name, str)]
    for name in dict.fromkeys(names):
        logs = probes.get(name, {}).get("host")
        entries = logs.get("logs") if isinstance(logs, dict) else None
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and entry.get("since", "change") == "change":
                path = join_path(join_path(join_path(join_path("probes", name), "host"), "logs"), index)
                message = "before a wave there is no change to look back to"
                yield Problem(message, path=path, hint="add since: 15m, or use another probe before the wave")
