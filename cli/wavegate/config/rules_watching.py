"""Rules between keys about comparisons, background gates, groups and probes of many requests.

They look at the data as written and take any shape, as those of `rules` do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wavegate.config.document import join_path
from wavegate.errors import Problem

NUMERIC_KINDS = ("http", "tcp", "dns", "prometheus", "command with output: json", "host with load_per_core")
"""Kinds of ours whose measurements carry a number of which more is worse (or may be)."""
_WITHOUT_NUMBER = ("tls", "webhook", "ansible", "playbook", "testinfra")
_NOT_DURING = (
    "count",
    "failure_limit",
    "inconclusive_limit",
    "consecutive_success_limit",
    "soak",
    "max_wait",
    "approval",
    "rehearsed",
)

_Entries = Mapping[str, Mapping[str, Any]]


def check_watching(data: Mapping[str, Any], probes: _Entries, gates: _Entries) -> Iterator[Problem]:
    """Yield the problems; `probes` and `gates` are those that are mappings."""
    during, others = _uses_of_gates(data)
    for name, probe in probes.items():
        yield from _check_probe(name, probe)
    for name, gate in gates.items():
        used = gate.get("probes")
        known = (
            [one for one in used if isinstance(one, str) and one in probes] if isinstance(used, list) else []
        )
        if name in during:
            yield from _check_background(name, gate, known, probes, others.get(name, ""))
        elif "error_budget" in gate:
            hint = f"name the gate in a wave's during: {name}, or remove the budget"
            where = join_path(join_path("gates", name), "error_budget")
            yield Problem("only a gate that watches during a wave has an error budget", path=where, hint=hint)
        comparing = [one for one in known if "compare" in probes[one]]
        if comparing and (name in during or name in others):
            yield _compared_where(name, others.get(name, "during a wave"), comparing[0])


def _uses_of_gates(data: Mapping[str, Any]) -> tuple[set[str], dict[str, str]]:
    """Return the gates that watch during a wave, and gate -> where, for those that stand elsewhere.

    A gate after waves only is in neither.
    """
    waves = data.get("waves")
    entries = [wave for wave in waves if isinstance(wave, dict)] if isinstance(waves, list) else []
    named = [data.get("during"), *(wave.get("during") for wave in entries)]
    during = {name for name in named if isinstance(name, str) and name.strip()}
    rollback = data.get("rollback")
    elsewhere: list[tuple[Any, str]] = [(data.get("before"), "before the first wave")]
    elsewhere += [(wave.get("before"), "before a wave") for wave in entries]
    after = [wave["after"] for wave in entries if isinstance(wave.get("after"), str)]
    elsewhere += [(name, "after a wave") for name in after if name in during]
    elsewhere.append((rollback.get("gate") if isinstance(rollback, dict) else None, "after the rollback"))
    return during, {name: where for name, where in elsewhere if isinstance(name, str) and name.strip()}


def _compared_where(gate: str, where: str, probe: str) -> Problem:
    return Problem(
        f"{probe!r} compares changed hosts with others, which makes no sense {where}",
        path=join_path(join_path("gates", gate), "probes"),
        hint="a probe with compare belongs into a gate after a wave; make another probe without it",
    )


def _check_background(
    name: str, gate: Mapping[str, Any], known: list[str], probes: _Entries, elsewhere: str
) -> Iterator[Problem]:
    path = join_path("gates", name)
    if elsewhere:
        hint = "make two gates; they can use the same probes"
        yield Problem(f"the gate stands during a wave and {elsewhere}", path=path, hint=hint)
    for key in _NOT_DURING:
        if key in gate:
            hint = "its error_budget decides: {downtime: 3s, errors: 1%}"
            yield Problem(f"{key} says nothing in a gate during a wave", path=join_path(path, key), hint=hint)
    if "probes" not in gate:
        yield Problem("a gate during a wave needs probes", path=path, hint="probes: [as-users-see-it]")
    if gate.get("error_budget") == {}:
        hint = "downtime: 3s, errors: 1%, or both"
        yield Problem("an error budget needs a number", path=join_path(path, "error_budget"), hint=hint)
    for probe in known:
        if probes[probe].get("retries"):
            where = join_path(join_path("probes", probe), "retries")
            hint = "what users lost is lost; tolerate it in the error_budget"
            yield Problem(f"{name!r} watches during a wave: retries would hide it", path=where, hint=hint)
        if probes[probe].get("scope", "host") == "host":
            what = f"{name!r} watches during a wave, in which every host is bad while its change is made"
            hint = "measure the service that people use, with scope: once (or scope: group)"
            yield Problem(what, path=join_path(join_path("probes", probe), "scope"), hint=hint)


def _check_probe(name: str, probe: Mapping[str, Any]) -> Iterator[Problem]:
    path = join_path("probes", name)
    written = probe.get("scope", "host")
    scope = written if isinstance(written, str) else ""
    if scope == "group" and "by" not in probe:
        hint = "by: a host variable such as cluster, or the beginning of groups' names such as site_"
        yield Problem("scope: group needs by", path=join_path(path, "scope"), hint=hint)
    if "by" in probe and scope in {"host", "once"}:
        yield Problem("by says nothing without scope: group", path=join_path(path, "by"))
    if "compare" in probe:
        yield from _check_compare(path, probe, scope)
    http = probe.get("http")
    if isinstance(http, dict) and "rate" in http and probe.get("retries"):
        what = "retries say nothing with rate: one lost request would be asked for again with all the others"
        yield Problem(what, path=join_path(path, "retries"), hint="failure_limit tolerates, in the open")


def _check_compare(path: str, probe: Mapping[str, Any], scope: Any) -> Iterator[Problem]:
    where = join_path(path, "compare")
    if scope in {"group", "once"}:
        yield Problem(f"hosts cannot be compared with scope: {scope}", path=where, hint="scope: host can")
    kinds = [kind for kind in _WITHOUT_NUMBER if kind in probe]
    command = probe.get("command")
    kinds += ["command"] if isinstance(command, dict) and command.get("output", "text") == "text" else []
    host = probe.get("host")
    kinds += ["host"] if isinstance(host, dict) and "load_per_core" not in host else []
    if kinds:
        hint = f"kinds with a number: {', '.join(NUMERIC_KINDS)}"
        yield Problem(f"a {kinds[0]} probe yields no number that could be compared", path=where, hint=hint)
