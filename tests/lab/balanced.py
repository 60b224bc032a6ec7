"""A lab of its own with a balancer in front of two hosts, and a package repository that can move."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.lab.conftest import CONTENT, ROOT, Project
from wavegate.lab.engine import Engine, detect_engine
from wavegate.lab.packages import pack
from wavegate.lab.state import Lab, LabFolder

HOSTS = ("pilot-1", "finance-1")
SOCKET, KEPT = "/run/haproxy/admin.sock", "/var/lib/haproxy/server-state"
ASK = """
import socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
line.sendall(sys.argv[2].encode() + b"\\n")
print(line.recv(65536).decode())
"""
MAKE_STATES = """set -eu
mkdir -p /tmp/debs /tmp/states
tar -xf - -C /tmp/debs
export GNUPGHOME=$(mktemp -d)
gpg --batch --quiet --pinentry-mode loopback --passphrase '' \
    --quick-generate-key 'moving lab <lab@wavegate.invalid>' ed25519 sign never >&2
publish() { # state, versions...
    mkdir "/tmp/states/$1"; cd "/tmp/states/$1"; shift
    for version; do cp /tmp/debs/*_"$version"_all.deb .; done
    apt-ftparchive packages . >Packages
    apt-ftparchive -o APT::FTPArchive::Release::Origin=wavegate-lab release . >Release.new
    mv Release.new Release
    gpg --batch --quiet --armor --export >wavegate-lab.asc
    gpg --batch --quiet --clearsign --output InRelease Release
}
publish before 1.0 1.1
publish newer 1.0 1.1 1.2
publish withdrawn 1.0 1.2
dpkg-deb -R /tmp/debs/intranet_1.1_all.deb /tmp/rebuilt
echo '# built again' >>/tmp/rebuilt/usr/share/intranet/intranet.conf
dpkg-deb --root-owner-group -b /tmp/rebuilt /tmp/debs/intranet_1.1_all.deb >&2
publish rebuilt 1.0 1.1
gpgconf --kill all
tar -C /tmp/states -cf - .
"""


class ProjectOfFiles(Project):
    """A project whose rollout files are adapted for a test."""

    def adapt(self, file: str, **changes: Any) -> str:
        """Return a copy of the rollout file with other keys."""
        data = yaml.safe_load((self.root / file).read_text(encoding="utf-8"))
        return self.write(f"rollouts/{changes['name']}.yml", {**data, **changes})

    def read_any(self, *arguments: str) -> Any:
        """Return what a command answers as JSON, whatever its exit code is."""
        process = self.start(*arguments, "--json")
        out, _ = process.communicate(timeout=120)
        return json.loads(out)


@dataclass(frozen=True)
class Balanced:
    """A project whose lab has a balancer; what is told about that is asked of the balancer itself."""

    project: ProjectOfFiles
    lab: Lab
    engine: Engine

    def ask(self, command: str) -> str:
        container = self.lab.container("balancer-1")
        return self.engine.execute(container, "python3", "-c", ASK, SOCKET, command).decode()

    def servers(self) -> dict[str, dict[str, bool]]:
        program = (ROOT / "roles/balancer/files/haproxy.py").read_bytes()
        argv = ("python3", "-", SOCKET, "/tmp/nobody-reads-this", "intranet", "servers")
        said = self.engine.execute(self.lab.container("balancer-1"), *argv, stdin=program)
        return dict(json.loads(said)["servers"])

    def faults(self, host: str) -> list[str]:
        hosts = self.project.read("lab", "status")["hosts"]
        return next(list(entry["faults"]) for entry in hosts if entry["name"] == host)

    @property
    def states(self) -> Path:
        """Where what the repository can be is kept, a folder for each state."""
        return self.project.root / ".wavegate" / "states"

    def publish(self, state: str) -> None:
        """Have the package host serve `before`, `newer`, `withdrawn` or `rebuilt`: all signed by one key."""
        archive = pack((path.name, path.read_bytes()) for path in sorted((self.states / state).iterdir()))
        replace = "rm -f /srv/repository/*; tar -xf - --no-same-owner -C /srv/repository"
        self.engine.execute(self.lab.container("packages"), "sh", "-ec", replace, stdin=archive)

    def make_states(self) -> None:
        self.states.mkdir()
        debs = LabFolder(self.project.root).repository.glob("*.deb")
        archive = pack((path.name, path.read_bytes()) for path in sorted(debs))
        made = self.engine.execute(self.lab.container("packages"), "sh", "-c", MAKE_STATES, stdin=archive)
        subprocess.run(["tar", "-xf", "-", "-C", str(self.states)], input=made, check=True)

    def versions(self) -> tuple[str, ...]:
        """Return what the service says of itself on the two hosts behind the balancer."""
        return tuple(str(self.project.health(host)["version"]) for host in HOSTS)

    def put_back(self) -> None:
        """Bring both hosts to 1.0."""
        packages = "name: [intranet=1.0, libintranet=1.0], allow_downgrade: true"
        play = (
            "- hosts: pilot:department_finance\n  become: true\n  gather_facts: false\n"
            f"  tasks:\n    - ansible.builtin.apt: {{{packages}}}\n"
        )
        (self.project.root / "playbooks" / "put-back.yml").write_text(play, encoding="utf-8")
        done = self.shell("ansible-playbook playbooks/put-back.yml")
        assert done.returncode == 0, done.stdout + done.stderr
        assert self.versions() == ("1.0", "1.0")

    def shell(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of Ansible as a person would type it."""
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            command,
            shell=True,
            cwd=self.project.root,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


@contextmanager
def bring_up_balanced(root: Path) -> Iterator[Balanced]:
    """Yield a lab in which the intranet runs on two hosts behind a balancer."""
    for name in CONTENT:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, root / name)
    project = ProjectOfFiles(root)
    try:
        project.call("lab", "up", "--hosts", "6", "--balancer", timeout=540)
        lab = LabFolder(root).require()
        fleet = Balanced(project, lab, detect_engine(lab.engine))
        fleet.make_states()
        fleet.publish("before")
        scope = "pilot:department_finance:balancer"
        waves = [{"name": "all", "hosts": scope}]
        changes = {"hosts": scope, "waves": waves, "probes": {}, "gates": {}}
        project.call("run", project.adapt("rollouts/install-intranet.yml", name="begin", **changes))
        yield fleet
    finally:
        project.call("lab", "down", code=None)
