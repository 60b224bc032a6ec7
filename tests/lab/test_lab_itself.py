"""The lab against a real engine: one lab of its own in an odd folder, brought up once, broken and healed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wavegate.errors import WavegateError
from wavegate.lab.engine import Engine, detect_engine
from wavegate.lab.faults import break_host, heal_host
from wavegate.lab.inventory import ssh_options, ssh_path
from wavegate.lab.reach import answers
from wavegate.lab.state import Lab, LabFolder
from wavegate.lab.status import read_status
from wavegate.lab.up import bring_up, take_down

pytestmark = pytest.mark.lab

INSTALL = """set -e
mkdir -p /etc/apt/keyrings
python3 -c "import urllib.request as r; print(r.urlopen('$1wavegate-lab.asc').read().decode())" \
    >/etc/apt/keyrings/wavegate-lab.asc
list=/etc/apt/sources.list.d/wavegate-lab.list
echo "deb [signed-by=/etc/apt/keyrings/wavegate-lab.asc] $1 ./" >$list
apt-get -q update -o Dir::Etc::sourcelist=$list -o Dir::Etc::sourceparts=-
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y --allow-downgrades install intranet=$2 libintranet=$2
systemctl enable --now intranet
"""


# Prints the seconds that went by and the seconds that it was let work: equal on an idle machine.
WORK = "import time; t = time.time(); sum(range(10**7)); print(time.time() - t, time.process_time())"


class Fleet:
    """The lab under test."""

    def __init__(self, project: Path, lab: Lab, engine: Engine) -> None:
        self.project, self.lab, self.engine = project, lab, engine
        self.folder = LabFolder(project)
        self.address = {host.name: host.address for host in lab.hosts}

    def reach(self, host: str) -> str:
        """Return what ssh complains about, or nothing."""
        return answers(self.folder, self.address[host])

    def inside(self, host: str, script: str, *arguments: str) -> str:
        container = self.lab.container(host)
        return self.engine.execute(container, "sh", "-s", "--", *arguments, stdin=script.encode()).decode()

    def install(self, host: str, version: str) -> None:
        self.inside(host, INSTALL, f"http://{self.lab.package_host}/", version)

    def health(self, host: str, timeout: float = 3) -> tuple[int, dict[str, object]]:
        url = f"http://{self.address[host]}:8080/healthz"
        try:
            with urllib.request.urlopen(url, timeout=timeout) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def wait_for(question: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it never became true"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    try:
        engine = detect_engine()
    except WavegateError as error:
        if os.environ.get("WAVEGATE_LAB_REQUIRED"):
            raise
        pytest.skip(f"{error.what}: {error.hint}")
    project = tmp_path_factory.mktemp("a project, 50% odd")
    try:
        yield Fleet(project, bring_up(project, print, hosts=6), engine)
    finally:
        take_down(project, print)


def test_every_host_answers_to_ansible_through_the_generated_inventory(fleet: Fleet) -> None:
    ansible = Path(sys.executable).with_name("ansible")
    command = [str(ansible), "-i", str(fleet.folder.inventory), "all", "-b", "-m", "ping"]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert done.stdout.count("SUCCESS") == 6, done.stdout + done.stderr


def test_a_host_key_that_changed_is_refused(fleet: Fleet, tmp_path: Path) -> None:
    lines = fleet.folder.known_hosts.read_text().splitlines()
    keys = [line.split()[1:] for line in lines]
    swapped = tmp_path / "known_hosts"
    swapped.write_text(
        "".join(f"{line.split()[0]} {' '.join(keys[i - 1])}\n" for i, line in enumerate(lines))
    )
    address = fleet.address["pilot-1"]
    command = [
        "ssh",
        "-n",
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        *ssh_options(swapped),
        f"deploy@{address}",
        "true",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Host key verification failed" in done.stderr


def test_up_again_changes_nothing(fleet: Fleet) -> None:
    before = fleet.engine.containers(fleet.lab.id)
    assert bring_up(fleet.project, print) == fleet.lab
    after = fleet.engine.containers(fleet.lab.id)
    assert {name: each["Id"] for name, each in after.items()} == {
        name: each["Id"] for name, each in before.items()
    }


def test_up_repairs_what_was_removed_stopped_and_lost(fleet: Fleet) -> None:
    fleet.engine.run("rm", "-f", fleet.lab.container("sales-1"))
    fleet.engine.run("stop", "-t", "0", fleet.lab.container("north-1"))
    fleet.folder.inventory.unlink()
    fleet.folder.known_hosts.unlink()
    assert read_status(fleet.project)["state"] == "partial"
    bring_up(fleet.project, print)
    assert read_status(fleet.project)["state"] == "up"
    assert fleet.folder.inventory.exists()


def test_the_packages_upgrade_keep_their_data_and_turn_bad_as_promised(fleet: Fleet) -> None:
    fleet.install("finance-1", "1.0")
    assert fleet.health("finance-1") == (
        200,
        {"version": "1.0", "state": "ok", "documents": 1, "library": "1.0"},
    )
    assert "format" not in json.loads(fleet.inside("finance-1", "cat /var/lib/intranet/documents.json"))
    fleet.install("finance-1", "1.1")
    assert fleet.health("finance-1")[1]["version"] == "1.1"
    assert json.loads(fleet.inside("finance-1", "cat /var/lib/intranet/documents.json"))["format"] == 2
    fleet.install("finance-1", "1.2")
    assert fleet.health("finance-1")[0] == 200
    wait_for(lambda: fleet.health("finance-1")[0] == 503)
    assert fleet.health("finance-1")[1]["state"] == "failing"
    fleet.install("finance-1", "1.0")
    assert fleet.health("finance-1")[1]["state"] == "ok"


def test_service_cannot_be_broken_where_it_is_not(fleet: Fleet) -> None:
    with pytest.raises(WavegateError) as caught:
        break_host(fleet.project, "service", "south-1", print)
    assert caught.value.code == "no-service"
    assert read_status(fleet.project)["state"] == "up"


def test_full_disk_refuses_data_and_heal_brings_the_old_data_back(fleet: Fleet) -> None:
    fleet.inside("support-1", "mkdir -p /var/lib/intranet; echo precious >/var/lib/intranet/file")
    for _ in range(2):
        break_host(fleet.project, "full-disk", "support-1", print)
    write = "cat /var/lib/intranet/file; ! echo more >/var/lib/intranet/new 2>/dev/null && echo full"
    assert fleet.inside("support-1", write).split() == ["precious", "full"]
    heal_host(fleet.project, "support-1", print)
    assert fleet.inside("support-1", "cat /var/lib/intranet/*; ls /var/lib/intranet").split() == [
        "precious",
        "file",
    ]


def test_sshd_takes_ssh_and_open_sessions_but_not_the_host(fleet: Fleet) -> None:
    command = ["ssh", "-F", "none", "-o", f'IdentityFile="{ssh_path(fleet.folder.key)}"']
    login = f"deploy@{fleet.address['north-1']}"
    session = subprocess.Popen(
        [*command, *ssh_options(fleet.folder.known_hosts), login, "echo in; sleep 600"],
        stdout=subprocess.PIPE,
    )
    assert session.stdout is not None
    assert session.stdout.readline() == b"in\n"
    break_host(fleet.project, "sshd", "north-1", print)
    assert session.wait(10) == 255
    assert "refused" in fleet.reach("north-1")
    heal_host(fleet.project, "north-1", print)
    assert fleet.reach("north-1") == ""


def test_service_partition_hang_slow_and_stop_are_seen_from_outside_and_undone(fleet: Fleet) -> None:
    host = "finance-1"
    break_host(fleet.project, "service", host, print)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((fleet.address[host], 8080), timeout=3)
    assert fleet.reach(host) == ""

    break_host(fleet.project, "slow", host, print)
    wall, cpu = map(float, fleet.inside(host, f"python3 -c '{WORK}'").split())
    assert wall > 4 * cpu

    break_host(fleet.project, "partition", host, print)
    with pytest.raises(TimeoutError):
        socket.create_connection((fleet.address[host], 22), timeout=1)

    heal_host(fleet.project, host, print)
    assert fleet.health(host)[0] == 200

    with socket.create_connection((fleet.address[host], 8080), timeout=3) as open_connection:
        break_host(fleet.project, "hang", host, print)
        open_connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        open_connection.settimeout(1)
        with pytest.raises(TimeoutError):
            open_connection.recv(1)
        with pytest.raises(WavegateError) as caught:
            break_host(fleet.project, "sshd", host, print)
        assert caught.value.code == "host-is-down"
        break_host(fleet.project, "stop", host, print)
    found = next(each for each in read_status(fleet.project)["hosts"] if each["name"] == host)
    assert (found["state"], found["faults"]) == ("stopped", ["hang", "stop"])
    assert fleet.reach(host) != ""

    bring_up(fleet.project, print)
    assert read_status(fleet.project)["state"] == "up"
    wait_for(lambda: fleet.health(host)[0] == 200)


def test_down_leaves_nothing_and_touches_no_other_lab(fleet: Fleet, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert not take_down(other, print)
    assert read_status(fleet.project)["state"] == "up"
    assert take_down(fleet.project, print)
    assert fleet.engine.containers(fleet.lab.id) == {}
    assert not fleet.engine.try_run("network", "inspect", fleet.lab.network)
    assert not fleet.folder.path.exists()
    assert not fleet.folder.inventory.exists()
