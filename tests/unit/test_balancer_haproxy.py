"""The balancer role's program against a HAProxy that answers as the real one does, and as it must not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.programs import load_program

HEAD = "1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight\n"


class Balancer:
    """A HAProxy with two servers: `admin` and `sessions` are what it has of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.admin = {"a": 0, "b": 0}
        self.sessions = {"a": 0, "b": 0}
        self.asked: list[str] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:
                return
            with line:
                line.sendall(self._answer(line.recv(4096).decode().strip()).encode())

    def _answer(self, command: str) -> str:
        self.asked.append(command)
        match command.split():
            case ["show", "servers", "state", "web"] | ["show", "servers", "state"]:
                rows = (f"3 web 1 {name} 10.0.0.1 2 {admin} 1\n" for name, admin in self.admin.items())
                return HEAD + "".join(rows)
            case ["show", "servers", "state", _]:
                return "Can't find backend.\n"
            case ["show", "stat"]:
                rows = (f"web,{name},0,{count},\n" for name, count in self.sessions.items())
                return "# pxname,svname,qcur,scur,\nweb,FRONTEND,,9,\n" + "".join(rows)
            case ["set", "server", target, "state", state]:
                self.admin[target.partition("/")[2]] = {"drain": 8, "ready": 0}[state]
                return "\n"
        return "Permission denied\n"

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join()


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Balancer]:
    balancer = Balancer(tmp_path / "s")
    yield balancer
    balancer.close()


@pytest.fixture
def program() -> ModuleType:
    return load_program("roles/balancer/files/haproxy.py")


def act(program: ModuleType, balancer: Balancer, *words: str, backend: str = "web") -> dict[str, object]:
    return dict(program.act(str(balancer.path), f"{balancer.path}.kept", backend, *words))


def test_drain_and_undrain_change_one_server_and_write_down_who_is_drained(
    program: ModuleType, balancer: Balancer
) -> None:
    said = act(program, balancer, "drain", "a", "5")
    assert (said["drained"], said["changed"], balancer.admin) == (True, True, {"a": 8, "b": 0})
    kept = Path(f"{balancer.path}.kept")
    assert "a 10.0.0.1 2 8" in kept.read_text()
    assert act(program, balancer, "drain", "a", "5")["changed"] is False
    said = act(program, balancer, "undrain", "a")
    assert (said["drained"], said["changed"], balancer.admin) == (False, True, {"a": 0, "b": 0})
    assert "a 10.0.0.1 2 0" in kept.read_text()


def test_a_server_in_which_requests_stay_is_drained_and_it_is_said(
    program: ModuleType, balancer: Balancer
) -> None:
    balancer.sessions["a"] = 2
    with pytest.raises(program.Refused, match="there are still 2 requests in it"):
        act(program, balancer, "drain", "a", "0.2")
    assert balancer.admin["a"] == 8
    assert "a 10.0.0.1 2 8" in Path(f"{balancer.path}.kept").read_text()


def test_what_somebody_put_into_maintenance_meanwhile_is_left_alone(
    program: ModuleType, balancer: Balancer
) -> None:
    balancer.admin["a"] = 1 + 8
    said = act(program, balancer, "undrain", "a")
    assert (said["changed"], said["maintenance"]) == (False, True)
    assert "maintenance" in str(said["left_alone"])
    assert not [command for command in balancer.asked if command.startswith("set")]


def test_a_server_or_backend_that_is_not_there_is_named(program: ModuleType, balancer: Balancer) -> None:
    with pytest.raises(program.Refused, match="no server 'c' in 'web'; it has a, b"):
        act(program, balancer, "drain", "c", "1")
    with pytest.raises(program.Refused, match="does not know 'shop'"):
        act(program, balancer, "look", "a", backend="shop")


def test_a_change_that_is_refused_is_an_error(
    program: ModuleType, balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(balancer, "_answer", lambda command: "Permission denied\n")
    with pytest.raises(program.Refused, match="refused 'set server web/a state drain': Permission denied"):
        program.drain(str(balancer.path), "web", "a", 1.0)
