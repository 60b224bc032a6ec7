"""Ansible's side: `python -m wavegate.adapters.ansible.inspect PIPE`, with the question on stdin."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

_OLDEST = (2, 19)


class Channel:
    """The way back: one JSON object a line, on a pipe that no plugin's print can disturb."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # noqa: FBT003 - no keyword in Python
        self._stream = os.fdopen(descriptor, "w", encoding="utf-8")

    def doing(self, kind: str, subject: str) -> None:
        """Say what is going on, so that a hang can be blamed on something."""
        self.send({"doing": [kind, subject]})

    def send(self, message: dict[str, Any]) -> None:
        """Hand one message over."""
        self._stream.write(json.dumps(message, default=str) + "\n")
        self._stream.flush()


def main() -> int:
    """Answer the question on standard input; return the exit code."""
    channel = Channel(int(sys.argv[1]))
    text = sys.stdin.read()
    unfit = _unfit()
    if unfit:
        channel.send({"error": unfit})
        return 0

    try:
        _answer(text, channel)
    except Exception as error:
        # Ansible reads its configuration when it is imported, and its own errors are about that.
        if not type(error).__module__.startswith("ansible.errors"):
            raise
        channel.send({"error": _refused(error)})
    return 0


def _answer(text: str, channel: Channel) -> None:
    from wavegate.adapters.ansible.answering import answer
    from wavegate.adapters.ansible.wire import answer_to_data, question_from_text

    channel.send({"answer": answer_to_data(answer(question_from_text(text), channel.doing))})


def _refused(error: Exception) -> dict[str, str]:
    """Return what Ansible itself says about the project, as fields of an error."""
    return {
        "code": "ansible-failed",
        "what": "Ansible could not be asked about the project",
        "why": str(error).strip(),
        "hint": "correct that; `ansible-config dump` and `ansible-inventory --list` show the same",
    }


def _unfit() -> dict[str, str] | None:
    """Return what is wrong with the installed ansible-core, as fields of an error."""
    try:
        from ansible.release import __version__ as version
    except ImportError as error:
        return {
            "code": "ansible-missing",
            "what": "ansible-core is not installed beside wavegate",
            "why": str(error),
            "hint": f"install it: {sys.executable} -m pip install 'ansible-core>=2.19'",
        }
    if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
        return {
            "code": "ansible-too-old",
            "what": f"ansible-core {version} is too old; wavegate needs 2.19 or newer",
            "hint": f"upgrade it: {sys.executable} -m pip install --upgrade 'ansible-core>=2.19'",
        }
    return None


if __name__ == "__main__":
    sys.exit(main())
