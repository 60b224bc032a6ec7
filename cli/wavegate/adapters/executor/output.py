"""What Ansible prints, kept as it comes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_ERROR = re.compile(r"^(\[ERROR\]:?|ERROR!)\s*")
_LONGEST = 500


class OutputFile:
    """Appends redacted text to a file that only its owner can read, and remembers the first error."""

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self._redact = redact
        self._file: TextIO = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w", encoding="utf-8", buffering=1
        )
        self._error: list[str] = []
        self._in_error = False
        self._last = ""

    @property
    def complaint(self) -> str:
        """The first error that Ansible printed (up to a blank line), else the last line, else ""."""
        return (" ".join(self._error) or self._last)[:_LONGEST]

    def write(self, text: str) -> None:
        """Append the text as lines."""
        clean = self._redact(_ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")).rstrip("\n")
        self._file.write(f"{clean}\n")
        for line in clean.splitlines() or [""]:
            self._look_for_error(line.strip())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _look_for_error(self, line: str) -> None:
        starts = not self._error and _ERROR.match(line) is not None
        self._in_error = bool(line) and (starts or self._in_error)
        if self._in_error:
            self._error.append(_ERROR.sub("", line))
        self._last = line or self._last
