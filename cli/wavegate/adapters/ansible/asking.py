"""Ask Ansible a question in a process of its own, and never wait for it without end.

Ansible keeps its state in modules and reads its configuration on import, and inventory scripts and plugins
print and hang as they like; a process of its own keeps all of that away. The question goes in on standard
input and the answer comes back on a pipe of its own, so that secrets touch neither command lines nor disk.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

from wavegate.adapters.ansible.wire import answer_from_data, question_to_text
from wavegate.core.fleet import Fleet
from wavegate.errors import WavegateError
from wavegate.ports import AnsibleProblem, Answer, Question
from wavegate.resources import plugins_dir

DEFAULT_TIMEOUT = 120.0
_INSPECT = "wavegate.adapters.ansible.inspect"


def ask(
    question: Question,
    project: Path,
    timeout: float = DEFAULT_TIMEOUT,
    *,
    snapshot: Path | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    """Return Ansible's answer about the project (its root folder), within `timeout` seconds.

    With `snapshot`, the inventory is the one that was read into that file, and no source is read again.
    `environment` is added to this process's own.
    What a person can mend comes back as problems of the answer. Raise WavegateError `ansible-missing`,
    `ansible-too-old` or `ansible-failed` when Ansible itself cannot be asked.
    """
    with tempfile.TemporaryFile() as output:
        messages = _Messages()
        code = _converse(question, project, timeout, output, messages, _environment(snapshot, environment))
        if code is None:
            return _silent(messages.doing, timeout)
        if messages.error:
            raise WavegateError(**messages.error)
        if code != 0 or messages.answer is None:
            raise _failed(code, output)
        return answer_from_data(messages.answer)


class _Messages:
    """What Ansible's process said so far: one JSON object a line."""

    def __init__(self) -> None:
        self.doing: tuple[str, str] = ("ansible", "ansible-core")
        self.error: dict[str, Any] = {}
        self.answer: dict[str, Any] | None = None

    def read(self, descriptor: int) -> None:
        """Take in messages until the other end closes the pipe."""
        with os.fdopen(descriptor, encoding="utf-8") as stream:
            for line in stream:
                message = json.loads(line) if line.endswith("\n") else {}
                if "doing" in message:
                    self.doing = (message["doing"][0], message["doing"][1])
                self.error = message.get("error", self.error)
                self.answer = message.get("answer", self.answer)


def _environment(snapshot: Path | None, added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of Ansible's process."""
    environment = {**os.environ, **added}
    environment.pop("WAVEGATE_JOURNAL", None)  # not Ansible's business, and it may hold a password
    if snapshot is None:
        return environment
    return environment | {
        "WAVEGATE_INVENTORY_SNAPSHOT": str(snapshot),
        "ANSIBLE_INVENTORY_ENABLED": "wavegate_snapshot",
        "ANSIBLE_INVENTORY_PLUGINS": str(plugins_dir() / "inventory"),
    }


def _converse(  # noqa: PLR0913, PLR0917 - the ends of one conversation
    question: Question,
    project: Path,
    timeout: float,
    output: IO[bytes],
    messages: _Messages,
    environment: dict[str, str],
) -> int | None:
    """Return the process's exit code, or None when it had to be ended."""
    receive, send = os.pipe()
    listener = threading.Thread(target=messages.read, args=(receive,), daemon=True)
    try:
        process = subprocess.Popen(
            # -P: files of the project must not shadow Python's and Ansible's own modules.
            [sys.executable, "-P", "-m", _INSPECT, str(send)],
            cwd=project,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=(send,),
            start_new_session=True,
        )
    except BaseException:
        os.close(receive)
        raise
    finally:
        os.close(send)
    listener.start()
    try:
        process.communicate(question_to_text(question).encode(), timeout=timeout)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)
        listener.join()
    return process.returncode


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and its children, unless it ended by itself."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def _silent(doing: tuple[str, str], timeout: float) -> Answer:
    kind, subject = doing
    problem = AnsibleProblem(
        kind=kind,
        subject=subject,
        message=f"no answer within {timeout:g} seconds",
        hint="an inventory script, a plugin or a password script hangs; try `ansible-inventory --list`",
    )
    return Answer(fleet=Fleet(hosts=(), groups={}), problems=(problem,))


def _failed(code: int, output: IO[bytes]) -> WavegateError:
    output.seek(0)
    lines = [line for line in output.read().decode(errors="replace").splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("ERROR")] or lines[-5:]
    return WavegateError(
        "ansible-failed",
        "Ansible could not be asked about the project",
        why="\n".join(said) or f"its process ended with exit code {code} and said nothing",
        hint="try `ansible-inventory --list` and `ansible-config dump` in the project's folder",
    )
