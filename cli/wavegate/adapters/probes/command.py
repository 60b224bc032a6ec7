"""The probe `command`: runs a program on this machine; its exit code is the answer.

The program runs in the project's root with this process's environment, the probe's `env`, and
WAVEGATE_TARGET (the host it is asked about). It has no terminal and no input. When it ends or its time is
over, its whole process group is killed: a probe leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec import Struct, field

from wavegate.adapters.probes.kinds import EachTarget
from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_conditions,
    read_table,
    read_texts,
    read_whole,
)
from wavegate.core.judgement import (
    Judgement,
    ProgramEnd,
    Trouble,
    judge_command,
    judge_trouble,
    seconds_text,
)
from wavegate.core.judgement_command import judge_json_command
from wavegate.extensions import Occasion

TAIL_LIMIT = 64 * 1024
"""Bytes kept of what a program writes; the rest is read and dropped."""
_READS_AFTER_END = 64
_SECONDS_TO_DIE = 2.0


async def probe_command(occasion: Occasion) -> Judgement:
    """Run the program once; nothing of it lives on when this returns."""
    settings, timeout = occasion.settings, occasion.timeout
    argv, expected = (
        read_texts(settings, "argv"),
        read_whole({"exit_code": 0, **settings}, "exit_code", 0, 255),
    )
    if not argv:
        raise UnusableSettingsError("argv names no program")
    env = {key: str(value) for key, value in read_table(settings, "env").items()}
    try:
        async with asyncio.timeout(timeout):
            variables = {**_without_journal(), **env, "WAVEGATE_TARGET": occasion.target}
            end = await _run(argv, variables, occasion.folder)
    except TimeoutError:
        return judge_trouble(Trouble.ENDLESS_PROGRAM, argv[0], seconds_text(timeout))
    except OSError as error:
        return judge_trouble(Trouble.NO_PROGRAM, argv[0], str(error.strerror))
    if settings.get("output") == "json":
        return judge_json_command(expected, end, read_conditions(settings))
    return judge_command(expected, end)


def _without_journal() -> dict[str, str]:
    """Return this process's environment without the journal's URL, which may hold a password."""
    return {name: value for name, value in os.environ.items() if name != "WAVEGATE_JOURNAL"}


async def _run(argv: tuple[str, ...], env: Mapping[str, str], folder: Path) -> ProgramEnd:
    with _Tail.open() as output, _Tail.open() as error:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output.write_end,
            stderr=error.write_end,
            env=env,
            cwd=folder,
            start_new_session=True,
        )
        try:
            code = await process.wait()
        finally:
            await _kill_group(process)
        said = output.last_line()
        return ProgramEnd(code, said, error.last_line(), None if output.cut else bytes(output.kept))


async def _kill_group(process: asyncio.subprocess.Process) -> None:
    """Kill the program and everything in its group, and see the program gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(process.wait()), _SECONDS_TO_DIE)


class _Tail(Struct):
    """The end of what a program writes to a pipe; the pipe is emptied as it fills.

    Not asyncio's own pipes, because with them the wait for a program is also one for every child that
    holds its output open.
    """

    read_end: int
    write_end: int
    kept: bytearray = field(default_factory=bytearray)
    cut: bool = False

    @classmethod
    @contextlib.contextmanager
    def open(cls) -> Iterator[_Tail]:
        """Hand out a pipe that the running loop empties, and close it."""
        tail, loop = cls(*os.pipe()), asyncio.get_running_loop()
        os.set_blocking(tail.read_end, False)
        loop.add_reader(tail.read_end, tail.read)
        try:
            yield tail
        finally:
            loop.remove_reader(tail.read_end)
            os.close(tail.read_end)
            os.close(tail.write_end)

    def read(self) -> bool:
        """Take what is there; tell whether there was something."""
        try:
            chunk = os.read(self.read_end, TAIL_LIMIT)
        except BlockingIOError:
            return False
        self.kept += chunk
        if len(self.kept) > TAIL_LIMIT:
            del self.kept[:-TAIL_LIMIT]
            self.cut = True
        return bool(chunk)

    def last_line(self) -> str:
        """Return the last line with something in it.

        A line that was cut is not shown: it may begin in the middle of a secret that nobody would find.
        """
        for _ in range(_READS_AFTER_END):
            if not self.read():
                break
        lines = self.kept.decode(errors="replace").splitlines()
        told = [line.strip() for line in (lines[1:] if self.cut else lines) if line.strip()]
        return told[-1] if told else f"(a line of more than {TAIL_LIMIT} bytes)" if self.cut else ""


KIND = EachTarget(probe_command, turn="programs")
