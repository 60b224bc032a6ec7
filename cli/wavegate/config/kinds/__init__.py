"""The registry of probe kinds: under which key of a probe which settings stand. Each is imported when needed.

How a kind measures is registered under the same name in `adapters.probes.kinds`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

from wavegate.config.keys import KindSettings
from wavegate.errors import Problem
from wavegate.extensions import ExtensionError, brought_by, list_kinds, load_kind

BUILT_IN: Mapping[str, str] = {
    "http": "wavegate.config.kinds.http:Http",
    "tcp": "wavegate.config.kinds.tcp:Tcp",
    "tls": "wavegate.config.kinds.tls:Tls",
    "dns": "wavegate.config.kinds.dns:Dns",
    "prometheus": "wavegate.config.kinds.prometheus:Prometheus",
    "webhook": "wavegate.config.kinds.webhook:Webhook",
    "command": "wavegate.config.kinds.command:Command",
    "host": "wavegate.config.kinds.host:Host",
    "ansible": "wavegate.config.kinds.ansible:Ansible",
    "playbook": "wavegate.config.kinds.playbook:Playbook",
    "testinfra": "wavegate.config.kinds.testinfra:Testinfra",
}
Kinds = Mapping[str, type[KindSettings]]


@lru_cache(maxsize=1)
def built_in() -> Kinds:
    """Return the settings of every kind that wavegate has by itself, by name."""
    return {name: _load(place) for name, place in BUILT_IN.items()}


def installed() -> Kinds:
    """Return the settings of every kind, those of other packages last; a kind that is broken is left out."""
    kinds = dict(built_in())
    for name in list_kinds():
        settings, _ = _load_foreign(name)
        if settings is not None:
            kinds.setdefault(name, settings)
    return kinds


def settings_of(name: str) -> type[KindSettings] | None:
    """Return the settings of one kind; None when it is not to be had."""
    return built_in().get(name) or _load_foreign(name)[0]


def kinds_for(data: Any, path: str = "probes") -> tuple[Kinds, list[Problem]]:
    """Return the settings of the kinds that the rollout file's data may use, and what is wrong with them.

    `path` is where the probes stand. Packages are looked for only where a key is none of wavegate's own.
    """
    kinds, problems = dict(built_in()), []
    for place, name in _foreign_words(data, path):
        settings, problem = _load_foreign(name)
        if settings is not None:
            kinds[name] = settings
        elif problem is not None:
            problems.append(Problem(problem.message, path=place, hint=problem.hint))
    return kinds, problems


def _foreign_words(data: Any, path: str) -> list[tuple[str, str]]:
    """Return key path and key of everything in a probe that may be a kind of another package."""
    from wavegate.config.document import join_path
    from wavegate.config.schema_probes import Probe

    probes = data.get("probes") if isinstance(data, dict) else None
    entries = probes.items() if isinstance(probes, dict) else ()
    return [
        (join_path(join_path(path, name), word), word)
        for name, probe in entries
        for word in (probe if isinstance(probe, dict) else ())
        if word not in BUILT_IN and word not in Probe.model_fields
    ]


def _load(place: str) -> type[KindSettings]:
    module, _, name = place.partition(":")
    settings: type[KindSettings] = getattr(import_module(module), name)
    return settings


def _load_foreign(name: str) -> tuple[type[KindSettings] | None, Problem | None]:
    try:
        kind = load_kind(name)
    except ExtensionError as error:
        return None, Problem(str(error), hint=error.hint)
    if kind is None:
        return None, None
    if not (isinstance(kind.settings, type) and issubclass(kind.settings, KindSettings)):
        message = f"the settings of the probe kind {name} of {brought_by(name)} are no KindSettings"
        return None, Problem(message, hint="docs/probes.md shows how a package adds a kind")
    return kind.settings, None
