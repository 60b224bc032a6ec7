"""Turns ansible-runner's events and the callback plugin's lines into core evidence."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from wavegate.adapters.executor.wrapper import procedure_of
from wavegate.core.ansible_events import (
    AnsibleEvent,
    EndedEarly,
    PlayStarted,
    ProcedureClosed,
    ProcedureCompleted,
    Recap,
    Result,
    TaskAnnounced,
    TaskEnded,
    TaskStarted,
)

_LONGEST = 500
_RESULTS = {
    "runner_on_ok": Result.OK,
    "runner_on_skipped": Result.SKIPPED,
    "runner_on_failed": Result.FAILED,
    "runner_on_unreachable": Result.UNREACHABLE,
}
_UNHELPFUL = ("non-zero return code", "MODULE FAILURE", "All items completed", "One or more items failed")


class Translator(Struct, frozen=True):
    """Knows the batch's token, the folder that paths are shortened by, and how to redact."""

    token: str
    material: Path
    redact: Callable[[str], str]

    def from_runner(self, event: Mapping[str, Any]) -> AnsibleEvent | None:
        """Return what the event means for the outcomes, None when it means nothing."""
        kind, data = event.get("event", ""), event.get("event_data") or {}
        if kind == "runner_on_start":
            return TaskStarted(data["host"])
        if kind == "playbook_on_stats":
            return Recap(data.get("failures") or {}, data.get("dark") or {}, data.get("rescued") or {})
        if kind not in _RESULTS:
            return None
        if procedure := procedure_of(data.get("task") or "", self.token):
            return ProcedureCompleted(data["host"], procedure)
        if (data.get("res") or {}).get("wavegate_orphaned"):
            return TaskStarted(data["host"])  # it failed because this very process died: no fault of the host
        return self._task_ended(_RESULTS[kind], data, str(event.get("stdout", "")))

    def is_worth_showing(self, event: Mapping[str, Any]) -> bool:
        """Return whether the event printed something, and not about a completion play."""
        data = event.get("event_data") or {}
        ours = procedure_of(data.get("play") or data.get("name") or "", self.token)
        return not ours and (bool(event.get("stdout")) or event.get("event") == "verbose")

    def from_plugin(self, line: str) -> AnsibleEvent | None:
        """Return what the callback plugin's line says; None for a guard's line."""
        data = json.loads(line)
        match data["kind"]:
            case "task":
                return TaskAnnounced(data["task"], data["rescuable"], data["ignores_unreachable"])
            case "early":
                return EndedEarly(tuple(data["hosts"]), self._shorten(data["how"]))
            case "play" if procedure := procedure_of(data["name"], self.token):
                return ProcedureClosed(procedure)
            case "play":
                return PlayStarted(data["play"], data["name"], tuple(data["targets"]), tuple(data["hosts"]))
        return None

    def _task_ended(self, result: Result, data: Mapping[str, Any], printed: str) -> TaskEnded:
        bad = result in {Result.FAILED, Result.UNREACHABLE}
        answer = data.get("res") or {}
        return TaskEnded(
            host=data["host"],
            result=result,
            uuid=data.get("task_uuid") or "",
            task=self._task(data) if bad else "",
            message=self._clip(explain(answer) or printed) if bad else "",
            changed=bool(answer.get("changed")) and not bad,
            ignored=bool(data.get("ignore_errors")),
        )

    def _task(self, data: Mapping[str, Any]) -> str:
        role, name = data.get("role"), str(data.get("task") or "")
        place = self._shorten(data.get("task_path") or "")
        named = f"{role} : {name}" if role else name
        return self._clip(f"{named} ({place})" if place else named)

    def _shorten(self, text: str) -> str:
        return text.replace(f"{self.material}/", "")

    def _clip(self, text: str) -> str:
        clean = self.redact(text).strip()
        return clean if len(clean) <= _LONGEST else f"{clean[: _LONGEST - 1]}…"


def explain(answer: Mapping[str, Any]) -> str:
    """Return the sentence in a failed result that helps most; "" when it has none."""
    if censored := answer.get("censored"):
        return str(censored)
    failed_items = [i for i in answer.get("results") or [] if isinstance(i, Mapping) and _is_bad(i)]
    if failed_items:
        return _explain_item(failed_items[0], len(failed_items))
    message = _text(answer.get("msg") or answer.get("reason") or "")
    tail = _tail(answer)
    if not message or message.startswith(_UNHELPFUL):
        return f"{message}: {tail}".strip(": ") if tail else message
    return message


def _explain_item(item: Mapping[str, Any], count: int) -> str:
    label = _text(item.get("_ansible_item_label", item.get("item", "")))
    others = f" (and {count - 1} other items)" if count > 1 else ""
    return f"item {label}: {explain(item)}{others}" if label else f"{explain(item)}{others}"


def _is_bad(item: Mapping[str, Any]) -> bool:
    return bool(item.get("failed") or item.get("unreachable"))


def _tail(answer: Mapping[str, Any]) -> str:
    for key in ("stderr", "module_stderr", "stdout", "module_stdout", "exception"):
        if text := _text(answer.get(key) or "").strip():
            return text[-_LONGEST // 2 :]
    return ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
