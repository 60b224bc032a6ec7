"""Rules about the limits of a gate's probes: one that can never trip promises what it does not keep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wavegate.config.document import join_path
from wavegate.config.values import show
from wavegate.errors import Problem

_LIMIT = "consecutive_success_limit"


def check_limits(
    probes: Mapping[str, Mapping[str, Any]], name: str, gate: Mapping[str, Any]
) -> Iterator[Problem]:
    """Yield a problem for good measurements in a row that are at least as many as `count` asks for anyway.

    The data is as written: a probe's own key wins over the gate's, and that over the default.
    """
    told = set()
    for probe_name in gate.get("probes", ()):
        probe = probes.get(probe_name, {}) if isinstance(probe_name, str) else {}
        limit, count = (probe.get(key, gate.get(key)) for key in (_LIMIT, "count"))
        count = 1 if count is None else count
        place = join_path("probes", probe_name) if _LIMIT in probe else join_path("gates", name)
        if _is_whole(limit) and _is_whole(count) and limit >= count > 0 and limit and place not in told:
            told.add(place)
            message = f"{_LIMIT}: {show(limit)} can never trip: {show(count)} good measurements pass anyway"
            yield Problem(message, path=f"{place}.{_LIMIT}", hint="a greater count, or a smaller limit")


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
