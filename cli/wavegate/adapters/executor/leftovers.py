"""Reads what a batch left on disk when the process that watched it died."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.translate import Translator
from wavegate.adapters.redact import Redactor
from wavegate.core.events import BatchSubmitted, HostFinished
from wavegate.core.evidence import BatchEvidence, Ending


def read_leftovers(launch: Launch, order: BatchSubmitted, folder: BatchFolder) -> tuple[HostFinished, ...]:
    """Return the certain outcomes; nothing when the batch left no order or no events."""
    token = _read(folder.order).get("token", "")
    if not token:
        return ()
    evidence = BatchEvidence(order)
    translator = Translator(token, launch.material, Redactor(launch.secrets))
    outcomes: list[HostFinished] = []
    lines = folder.evidence.read_text("utf-8").splitlines() if folder.evidence.is_file() else []
    for line in lines:
        if event := _complete(line) and translator.from_plugin(line):
            outcomes += evidence.add(event)
    for found in sorted(_events(folder), key=lambda item: str(item.get("created", ""))):
        if event := translator.from_runner(found):
            outcomes += evidence.add(event)
    return (*outcomes, *evidence.end(Ending.LOST))


def _events(folder: BatchFolder) -> Iterator[dict[str, Any]]:
    """Yield the batch's own events: an ansible-playbook that a task started writes beside them."""
    for path in (folder.artifacts / "job_events").glob("*.json"):
        event = _read(path)
        if (event.get("event_data") or {}).get("playbook", str(folder.wrapper)) == str(folder.wrapper):
            yield event


def _complete(line: str) -> bool:
    return line.startswith("{") and line.endswith("}")


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON object in the file; {} when it is missing or was cut off in the middle."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return data if isinstance(data, dict) else {}
