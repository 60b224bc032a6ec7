"""A process that has Ansible loaded, and forks for every batch of a rollout.

Loading Ansible takes 0.9 s of CPU, which every batch would pay anew. ansible-runner starts a small client in
the place of `ansible-playbook`; where anything is unlike what the process was loaded with, the client becomes
the real one. So a batch never depends on the warm process: without it, it is only slower.
"""

from __future__ import annotations

import contextlib
import os
import pty
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from wavegate.adapters.executor.environment import MARKER

_INSIDE = Path(__file__).with_name("inside")
_LONGEST_MARKER = 1024
_GRACE = 5.0


class WarmAnsible:
    """One process for all batches of a rollout, started with the first of them. Safe to use from threads."""

    def __init__(self, runtime: Path) -> None:
        """Remember the short, private folder in which its socket will be."""
        self._path = runtime / f"warm-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._unfit = False

    def command(self, cold: Sequence[str], env: Mapping[str, str], folder: str) -> list[str]:
        """Return what does the same as the `ansible-playbook …` of ansible-runner, and starts sooner."""
        script = shutil.which(cold[0], path=env.get("PATH"))
        if script is None or Path(script).parent != Path(sys.executable).parent:
            return list(cold)  # another Python's Ansible
        with self._lock:
            if self._process is None and not self._unfit:
                self._start(script, env, folder)
        if self._unfit:
            return list(cold)
        return [sys.executable, "-I", "-S", str(_INSIDE / "warm_client.py"), str(self._path), *cold]

    def close(self) -> None:
        """End the process; batches that it has forked go on."""
        with self._lock:
            self._unfit = True
            process, self._process = self._process, None
        if process is None:
            return
        os.close(self._lifeline)
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._path.unlink(missing_ok=True)

    def _start(self, script: str, env: Mapping[str, str], folder: str) -> None:
        """Start the process; where that is not possible, every batch loads Ansible itself."""
        try:
            with contextlib.ExitStack() as stack:
                self._start_with(stack, script, env, folder)
        except OSError:
            self._unfit = True

    def _start_with(
        self, stack: contextlib.ExitStack, script: str, env: Mapping[str, str], folder: str
    ) -> None:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        listener.bind(str(self._path))
        listener.listen(128)
        # A terminal, as every batch has one: Python's streams and Ansible's look at it when they begin.
        terminal, inner = pty.openpty()
        lifeline, self._lifeline = os.pipe()
        for descriptor in (terminal, inner, lifeline):
            stack.callback(os.close, descriptor)
        passed = (listener.fileno(), lifeline, terminal)
        self._process = subprocess.Popen(
            [sys.executable, str(_INSIDE / "warm_server.py"), *map(str, passed), script],
            cwd=folder,
            env={**env, MARKER: "-" * _LONGEST_MARKER},
            stdin=inner,
            stdout=inner,
            stderr=inner,
            pass_fds=passed,
            start_new_session=True,
        )
