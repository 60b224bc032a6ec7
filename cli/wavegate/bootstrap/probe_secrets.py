"""The secrets that probes are given: what the templates of their secret keys became for each host."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from wavegate.config.kinds import settings_of
from wavegate.core.spec import ProbeSpec


def find_probe_secrets(
    probes: Mapping[str, ProbeSpec], rendered: Mapping[str, Mapping[str, Mapping[str, Any]]]
) -> frozenset[str]:
    """Return every secret of the probes' rendered settings, also as basic authorization spells it.

    Whether the variable behind a template is vaulted does not matter: the key says that it is a secret.
    """
    found: set[str] = set()
    for name, probe in probes.items():
        model = settings_of(probe.kind)
        for settings in rendered.get(name, {}).values() if model else ():
            for path in model.secret_keys if model else ():
                found.update(_spellings(settings, path))
    return frozenset(found)


def _spellings(settings: Mapping[str, Any], path: str) -> Iterator[str]:
    *places, key = path.split(".")
    table: Any = settings
    for place in places:
        table = table.get(place) if isinstance(table, Mapping) else None
    value = table.get(key) if isinstance(table, Mapping) else None
    if value is None:
        return
    secret = str(value).strip()
    yield secret
    if user := table.get("user"):
        yield base64.b64encode(f"{user}:{secret}".encode()).decode()
