"""A real PostgreSQL server of Debian's packages in a temporary folder; never a service of the machine."""

from __future__ import annotations

import fcntl
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

PASSWORD = "not:a@secret/%"  # what an URL has to quote
_PROGRAMS = Path("/usr/lib/postgresql")
_SETTINGS = Path("/etc/postgresql-common/createcluster.conf")


class NoServerError(Exception):
    """PostgreSQL's programs are not on this machine and may not be installed."""


def find_programs() -> Path:
    """Return the folder of initdb and postgres; as root where there is apt, install them first."""
    folders = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not folders and os.geteuid() == 0 and shutil.which("apt-get"):
        with Path(tempfile.gettempdir(), "wavegate-apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _install()
        folders = sorted(_PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not folders:
        raise NoServerError("no PostgreSQL server: sudo apt-get install postgresql")
    return folders[-1].parent


def _install() -> None:
    """Install the packages without the database that Debian would make and start as a service."""
    if any(_PROGRAMS.glob("*/bin/initdb")):
        return
    if not _SETTINGS.exists():
        _SETTINGS.parent.mkdir(parents=True, exist_ok=True)
        _SETTINGS.write_text("create_main_cluster = false\nstart_conf = 'manual'\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    keep = ["-o", "Dpkg::Options::=--force-confold"]
    for command in (["update"], ["install", "-y", "--no-install-recommends", *keep, "postgresql"]):
        subprocess.run(["apt-get", "-q", *command], env=environment, check=False, capture_output=True)


@dataclass
class Server:
    """One server on a socket of its own, and on 127.0.0.1 where it asks for the password."""

    folder: Path
    programs: Path
    port: int
    numbers: Iterator[int] = field(default_factory=itertools.count)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self, *options: str) -> None:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
        }
        arguments = [f"-c{name}={value}" for name, value in settings.items()] + list(options)
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                # The server ends with the tests, also when they are killed.
                [
                    *_as_postgres(),
                    "--pdeathsig",
                    "QUIT",
                    self.programs / "postgres",
                    "-D",
                    self.data,
                    *arguments,
                ],
                stdout=log,
                stderr=log,
                cwd="/",
            )
        until = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < until, "the server does not come up"
            time.sleep(0.02)

    def make_standby(self) -> Server:
        """Return a hot standby of this server, running, in a folder within this one's."""
        folder = self.folder / "standby"
        source = ["-h", self.folder, "-p", str(self.port), "-U", "postgres"]
        command = [self.programs / "pg_basebackup", *source, "-D", folder / "data", "-R", "--checkpoint=fast"]
        subprocess.run([*_as_postgres(), *command], check=True, capture_output=True, cwd="/")
        standby = Server(folder, self.programs, _free_port())
        standby.start()
        return standby

    def stop(self) -> None:
        """End the server at once, as a crash does."""
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._conninfo("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _conninfo(self, database: str) -> str:
        return f"host={self.folder} port={self.port} user=postgres dbname={database}"

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        with psycopg.connect(self._conninfo(database), autocommit=True) as connection:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def make_database(self, template: str = "template1") -> str:
        """Return the name of a new database."""
        name = f"journal_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port={self.port}"

    def tcp_url(self, database: str, password: str = "not%3Aa%40secret%2F%25", user: str = "postgres") -> str:
        return f"postgresql+psycopg://{user}:{password}@127.0.0.1:{self.port}/{database}"


def _as_postgres() -> list[str | Path]:
    """Return what starts a command as an unprivileged user, which PostgreSQL insists on."""
    if os.geteuid() != 0:
        return ["setpriv"]
    user = pwd.getpwnam("postgres")
    return ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]


@contextmanager
def run_server(*options: str) -> Iterator[Server]:
    """Yield a running server; it and its folder are gone afterwards."""
    programs = find_programs()
    folder = Path(tempfile.mkdtemp(prefix="wg-pg-"))
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, user.pw_uid, user.pw_gid)
        server = Server(folder, programs, _free_port())
        command = [
            programs / "initdb",
            "-D",
            server.data,
            "-U",
            "postgres",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
        ]
        trust = ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={folder / 'password'}"]
        subprocess.run([*_as_postgres(), *command, *trust], check=True, capture_output=True, cwd="/")
        server.start(*options)
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
