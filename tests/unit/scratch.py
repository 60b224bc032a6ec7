"""Somebody's Ansible project in a folder of its own, and the real command line run in it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path

BIN = Path(sys.executable).parent
LOCAL = "ansible_connection: local, ansible_python_interpreter: '{{ ansible_playbook_python }}'"


def clean_environment(programs: Path = BIN, **more: str) -> dict[str, str]:
    """Return this environment without what would bend Ansible or wavegate, and the tested programs first."""
    bending = ("ANSIBLE", "WAVEGATE_JOURNAL", "PYTHON", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(bending)}
    return {**kept, "PATH": os.pathsep.join([str(programs), kept["PATH"]]), "COLUMNS": "200", **more}


@dataclass(frozen=True)
class Scratch:
    """A project folder, to which every path is relative, and the Python whose programs are tested."""

    folder: Path
    python: Path = Path(sys.executable)

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
        path.chmod(mode)
        return path

    def call(
        self, *words: str, code: int | None = 0, timeout: float = 240, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the tested installation in the project; `code` None takes any exit code."""
        done = subprocess.run(
            [self._find(words[0]), *words[1:]],
            cwd=self.folder,
            env=clean_environment(self.python.parent, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert code is None or done.returncode == code, (
            f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        )
        return done

    def _find(self, program: str) -> str:
        """Return the tested installation's program of that name, if it has one."""
        own = self.python.parent / program
        return str(own) if own.exists() else program

    def wavegate(self, *words: str, code: int | None = 0, **env: str) -> subprocess.CompletedProcess[str]:
        return self.call(str(self.python), "-m", "wavegate", *words, code=code, **env)

    def start(self, *words: str, **env: str) -> subprocess.Popen[bytes]:
        """Start wavegate in the project and return at once; whoever starts it ends it."""
        return subprocess.Popen(
            [str(self.python), "-m", "wavegate", *words],
            cwd=self.folder,
            env=clean_environment(self.python.parent, **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def json(self, *words: str, **env: str) -> dict:
        return json.loads(self.wavegate(*words, **env).stdout)

    def vault(self, text: str, password_file: str) -> str:
        """Return the text encrypted with Ansible's own tool."""
        done = subprocess.run(
            [BIN / "ansible-vault", "encrypt", "--vault-password-file", self.folder / password_file],
            cwd=self.folder.parent,  # away from the project's ansible.cfg, which names passwords too
            env=clean_environment(),
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def checksums(self) -> dict[str, str]:
        """Return what every file holds, with its mode and time of change."""
        return {
            str(path.relative_to(self.folder)): f"{hashlib.sha256(path.read_bytes()).hexdigest()} "
            f"{path.stat().st_mode:o} {path.stat().st_mtime_ns}"
            for path in self.folder.rglob("*")
            if path.is_file() and ".wavegate" not in path.parts
        }


def indent(text: str, by: int) -> str:
    return textwrap.indent(text, " " * by)
