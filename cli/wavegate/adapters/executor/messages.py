"""What a batch's playbook announces while it runs: read from a pipe, reported, answered once it is durable.

The pipe tells a task that waits whether somebody still reads at the other end: no task takes anything out
for a process that is dead.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.private import make_private_folder, write_private_json
from wavegate.adapters.executor.wrapper import find_playbook
from wavegate.core.events import BatchSubmitted, Event, ObligationClosed, ObligationOpened, VersionPinned
from wavegate.core.pins import refuse_other
from wavegate.ports import Report

_ID = re.compile(r"[0-9a-f]{32}")
_PLAIN = re.compile(r"[^\x00-\x1f\x7f{}]{1,200}")
"""Braces would be a template where the text comes back to a playbook."""
_CHUNK = 65536
_KINDS = ("open", "close", "pin")

Answer = Callable[[str], None]
"""Takes why it is refused, "" when it is not."""


class Pins:
    """The versions that the rollout's first hosts resolved. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[str, VersionPinned] = {}
        self._waiting: dict[str, list[Answer]] = {}

    @property
    def durable(self) -> dict[str, str]:
        """Key to value of all that is in the journal."""
        with self._lock:
            return {key: one.value for key, one in self._known.items() if key not in self._waiting}

    def announce(self, wanted: VersionPinned, answer: Answer) -> bool:
        """Answer now or when the key's pin is durable; return whether this one is the first of its key."""
        with self._lock:
            is_first = wanted.key not in self._known
            refused = refuse_other(self._known, wanted)
            self._known.setdefault(wanted.key, wanted)
            if is_first:
                self._waiting[wanted.key] = []
            if not refused and wanted.key in self._waiting:
                self._waiting[wanted.key].append(answer)
                return is_first
        answer(refused)
        return False

    def confirm(self, pinned: VersionPinned) -> None:
        """Take note that the pin is durable; the first one of a key counts."""
        with self._lock:
            self._known.setdefault(pinned.key, pinned)
            waiting = self._waiting.pop(pinned.key, [])
        for answer in waiting:
            answer("")


class Messages:
    """The announcements of one batch."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a batch has anyway
        self,
        launch: Launch,
        order: BatchSubmitted,
        folder: BatchFolder,
        redact: Callable[[str], str],
        pins: Pins,
        report: Report,
    ) -> None:
        self._launch = launch
        self._order = order
        self._folder = folder
        self._redact = redact
        self._pins = pins
        self._report = report
        self.refusal = ""
        """Why nothing may be announced at all."""
        self._waiting: dict[Event, list[Answer]] = {}
        self._lock = threading.Lock()
        self._pipe = -1
        self._closing = False
        self._thread = threading.Thread(target=self._listen, name=f"messages {order.batch}", daemon=True)

    def open(self) -> None:
        """Listen; the batch's folder must be there."""
        make_private_folder(self._folder.answers)
        os.mkfifo(self._folder.messages, mode=0o600)
        # Open for writing too: it stays open while no task writes.
        self._pipe = os.open(self._folder.messages, os.O_RDWR | os.O_CLOEXEC)
        self._thread.start()

    def close(self) -> None:
        """Listen no more; what was not answered is not answered any more."""
        if self._pipe < 0:
            return
        self._closing = True
        os.write(self._pipe, b"\n")
        self._thread.join()
        os.close(self._pipe)

    def acknowledge(self, event: Event) -> None:
        """Answer all who wait for the event to be durable."""
        with self._lock:
            waiting = self._waiting.pop(event, [])
        for answer in waiting:
            answer("")

    def _listen(self) -> None:
        text = b""
        while not self._closing:
            text += os.read(self._pipe, _CHUNK)
            *lines, text = text.split(b"\n")
            for line in lines:
                if line:
                    self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            name = str(message["id"])
        except (ValueError, KeyError, TypeError):
            return
        if not _ID.fullmatch(name):
            return

        def answer(refused: str) -> None:
            self._answer(name, self._redact(refused))

        if refused := self._refuse(message):
            answer(refused)
        else:
            self._announce(message, answer)

    def _announce(self, message: Mapping[str, str], answer: Answer) -> None:
        batch, host, key = self._order.batch, message["host"], message["key"]
        if message["kind"] == "pin":
            pinned = VersionPinned(batch, host, key, message["value"])
            if self._pins.announce(pinned, answer):
                self._report(pinned)
            return
        event: Event = (
            ObligationOpened(batch, host, key, message["undo"])
            if message["kind"] == "open"
            else ObligationClosed(batch, host, key)
        )
        with self._lock:
            self._waiting.setdefault(event, []).append(answer)
        self._report(event)

    def _refuse(self, message: Mapping[str, Any]) -> str:
        """Return what is wrong with the message, "" when nothing is."""
        if self.refusal:
            return self.refusal
        if message.get("kind") not in _KINDS:
            return f"wavegate does not know what {message.get('kind')!r} announces: its parts do not fit"
        if message.get("host") not in self._order.hosts:
            return f"{message.get('host')!r} is no host of this batch"
        names = {"open": ("key", "undo"), "close": ("key",), "pin": ("key", "value")}[message["kind"]]
        for name in names:
            if refused := self._refuse_text(name, message.get(name)):
                return refused
        if message["kind"] == "open" and not find_playbook(self._launch, message["undo"]):
            return (
                f"undo: there is no playbook {message['undo']!r} in the project as it was when the rollout "
                "started; it is relative to the project's root, or a collection's by its full name"
            )
        return ""

    def _refuse_text(self, name: str, text: Any) -> str:
        if not isinstance(text, str) or not _PLAIN.fullmatch(text):
            return f"{name} must be one line of 1 to 200 characters without braces"
        if self._redact(text) != text:
            return f"{name} holds a secret, and the journal keeps none"
        return ""

    def _answer(self, name: str, refused: str) -> None:
        with suppress(OSError):  # the batch may be over, and nobody waits
            part = self._folder.answers / f"{name}.part"
            write_private_json(part, {"refused": refused})
            part.replace(self._folder.answers / name)
