"""The backup before a change in an S3 store: taken by a rollout, proven, and put back from there."""

from __future__ import annotations

import ipaddress
import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from tests.lab.balanced import Balanced
from tests.lab.test_role_rollouts import play
from tests.lab.test_rollouts import make_rollout

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

KEY = "it's the store's key"
MAKE = """set -eu
mkdir -p /srv/papers && cd /srv/papers && head -c 3000000 /dev/urandom >large && echo first >"it's a paper"
sha256sum * >/root/papers.sums"""
SPOIL = 'cd /srv/papers && rm large && echo second >"it\'s a paper"'
COMPARE = "cd /srv/papers && sha256sum --quiet --check /root/papers.sums"


@pytest.fixture
def store(balanced: Balanced) -> Iterator[str]:
    """Return the address of an S3 store that the lab's hosts reach."""
    gateway = next(ipaddress.ip_network(balanced.lab.subnet).hosts())
    server = ThreadedMotoServer(ip_address=str(gateway), port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def sh(fleet: Balanced, command: str) -> str:
    return fleet.engine.execute(fleet.lab.container("pilot-1"), "sh", "-c", command).decode()


def test_a_rollout_backs_up_into_an_s3_store_and_restore_brings_it_back_from_there(
    balanced: Balanced, store: str
) -> None:
    project = balanced.project
    settings: dict[str, Any] = {
        "wavegate_roles": ["backup"],
        "backup_repository": f"s3:{store}/backups",
        "backup_password": "what it is encrypted with",
        "backup_environment": {"AWS_ACCESS_KEY_ID": "lab", "AWS_SECRET_ACCESS_KEY": KEY},
        "backup_paths": ["/srv/papers"],
    }
    sh(balanced, MAKE)
    play(balanced, "install.yml", "pilot-1", settings)
    tasks = [{"name": "Change something", "ansible.builtin.command": {"argv": ["sh", "-c", SPOIL]}}]
    waves = [{"name": "pilot", "hosts": "pilot-1"}]
    procedures = {"backup": "playbooks/backup.yml", "verify": "playbooks/verify.yml"}
    file = make_rollout(project, "s3", tasks, hosts="pilot-1", waves=waves, **procedures)
    own = project.root / project.write("inventories/lab/host_vars/pilot-1/s3.yml", settings)
    try:
        talk = project.call("run", file, timeout=400)
    finally:
        own.unlink()  # other tests give this host other roles

    with urllib.request.urlopen(f"{store}/backups?list-type=2&prefix=snapshots/", timeout=10) as answer:
        assert answer.read().decode().count("<Key>snapshots/") == 1
    rollout = project.read("status")["id"]
    play(balanced, "restore.yml", "pilot-1", {**settings, "wavegate_rollout_id": rollout})
    sh(balanced, COMPARE)
    told = talk + json.dumps([project.read("events", rollout), project.read("report")])
    journal = b"".join(path.read_bytes() for path in (project.root / ".wavegate").glob("journal.db*"))
    for secret in (KEY, settings["backup_password"]):
        assert secret not in told
        assert secret.encode() not in journal
