"""Answers for plans, remembered while everything that they were made from is as it was.

Kept is only what a plan shows anyway: hosts, groups, what patterns mean, and settings; no variable but
those of `apart`, no secret, nothing rendered. An answer in which a script, a service, a lookup or a clock
had a part is never kept. It is found by the question, the software and the settings of the environment,
and holds as long as the digests of the project and of what lies outside are the same, and every other
file that Ansible opened.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wavegate import __version__
from wavegate.adapters.ansible.wire import answer_from_data, answer_to_data, question_to_text
from wavegate.adapters.tree import Tree
from wavegate.ports import Answer, Question

Digests = Mapping[str, str]

_FORMAT = 1
_MOST = 8
SETTLED = 1.0
"""Seconds for which a file must not have changed before it was read: clocks of file systems are coarse."""
_ENVIRONMENT = frozenset({"HOME", "LANG", "LC_ALL", "PYTHONPATH", "TZ", "USER", "XDG_CONFIG_HOME"})
_CONFIGURATIONS = ("ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg")


class Memory:
    """The remembered answers about one project, in a folder that only its owner can look into."""

    def __init__(self, folder: Path, project: Path, question: Question) -> None:
        self._project = project
        self._folder = folder
        self._path = folder / f"{_name(project, question)}.json"

    def recall(self, digest: Callable[[Answer], Digests]) -> tuple[Answer, Digests] | None:
        """Return the answer and the project's digests as `digest` finds them now; None if it may differ."""
        try:
            kept = json.loads(self._path.read_bytes())
            if kept["format"] != _FORMAT or not all(_stamp(*each) == seen for *each, seen in kept["stamps"]):
                return None
            answer = answer_from_data(kept["answer"])
            digests = digest(answer)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return (answer, digests) if _material(digests) == kept["digests"] else None

    def keep(self, answer: Answer, digests: Digests, secret: Iterable[Path], since: float) -> None:
        """Remember the answer, if it may be, and nothing was changed since it was asked for (epoch seconds).

        `secret` are password files: of them only their identity is noted. A folder that cannot be written
        is no error.
        """
        left_out = frozenset(Path(os.path.realpath(path)) for path in secret)
        if answer.problems or not answer.repeatable:
            return
        with suppress(OSError):
            covered = {str(path): path.lstat().st_ctime for path in self._covered(left_out)}
            opened = {path: os.stat(path).st_ctime for path in answer.files}  # noqa: PTH116
            if max([*covered.values(), *opened.values()], default=0.0) >= since - SETTLED:
                return
            others = [path for path in answer.files if path not in covered]
            whole = [(path, Path(path) not in left_out) for path in others]
            whole += [(str(path), True) for path in _configurations(self._project)]
            stamps = [(*each, _stamp(*each)) for each in whole]
            data = {
                "format": _FORMAT,
                "stamps": stamps,
                "digests": _material(digests),
                "answer": answer_to_data(answer),
            }
            self._write(json.dumps(data))

    def _covered(self, left_out: frozenset[Path]) -> Iterator[Path]:
        """Yield what the project's digest tells of."""
        yield Path(os.path.realpath(self._project))
        for entry in Tree(self._project, left_out).walk():
            yield entry.source

    def _write(self, text: str) -> None:
        for folder in (self._folder.parent.parent, self._folder.parent, self._folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        if not (ignore := self._folder.parent.parent / ".gitignore").exists():
            ignore.write_text("*\n", encoding="utf-8")
        descriptor, draft = tempfile.mkstemp(dir=self._folder, prefix=".new-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(self._path)
        newest = sorted(self._folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in newest[_MOST:]:
            path.unlink(missing_ok=True)


def _material(digests: Digests) -> dict[str, str]:
    """Return the digests without the rollout file's, of which everything that matters is in the question."""
    return {label: digest for label, digest in digests.items() if label != "rollout file"}


def _name(project: Path, question: Question) -> str:
    """Return the name of the answers to this question, by this software, with these settings."""
    everything = any("$" in _read(path) for path in _configurations(project))
    settings = {
        name: value
        for name, value in os.environ.items()
        if everything or name in _ENVIRONMENT or name.startswith("ANSIBLE_")
    }
    about = [_FORMAT, __version__, sys.version, sys.prefix, *_software(), sorted(settings.items())]
    text = json.dumps([*about, str(project), question_to_text(question)])
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()


def _software() -> Iterator[list[int]]:
    """Yield what is another one when Ansible, a package beside it, or this package is another one."""
    ansible = importlib.util.find_spec("ansible")
    for place in ansible.submodule_search_locations or () if ansible else ():
        for path in (Path(place, "release.py"), Path(place).parent):
            yield _identity(path)
    yield from (_identity(path) for path in sorted(Path(__file__).parent.glob("*.py")))


def _configurations(project: Path) -> list[Path]:
    own = os.environ.get("ANSIBLE_CONFIG", "")
    return [project / Path(name).expanduser() for name in (*_CONFIGURATIONS, own) if name]


def _stamp(path: str, whole: bool) -> Any:  # noqa: FBT001 - two columns of a table
    """Return what tells the file from another one: its content's digest, or where and when it was written."""
    try:
        data = Path(path).read_bytes() if whole else b""
        return hashlib.sha256(data).hexdigest() if whole else _identity(Path(path))
    except OSError:
        return None


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_ino, status.st_mtime_ns, status.st_size]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
