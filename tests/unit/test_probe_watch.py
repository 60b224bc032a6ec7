"""`wavegate probe --watch` and `--hosts`: how a gate is written and debugged."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch, clean_environment


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """A project of three local hosts; a file in it makes a host ill."""
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    scratch.write("hosts.yml", f"all: {{hosts: {{one: , two: , three: }}, vars: {{{LOCAL}}}}}\n")
    scratch.write("site.yml", "- {hosts: all, tasks: [{ansible.builtin.ping: }]}\n")
    scratch.write(
        "x.yml",
        """
        name: x
        playbook: site.yml
        probes:
          well: {command: {argv: [test, "!", -e, "ill-{{ inventory_hostname }}"]}}
          other: {command: {argv: ["true"]}, scope: once}
        gates:
          healthy: {probes: [well], interval: 300ms, count: 2, initial_delay: 1h, failure_limit: 100}
        waves: [{name: all, hosts: all, after: healthy}]
        """,
    )
    return scratch


def watch(project: Scratch, *words: str, until: str) -> tuple[str, int]:
    """Watch on a terminal until it shows something, then press Ctrl-C; return all output and the code."""
    lead, follow = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wavegate", "probe", "x.yml", "--watch", *words],
        cwd=project.folder,
        env=clean_environment(TERM="xterm"),
        stdin=follow,
        stdout=follow,
        stderr=follow,
        start_new_session=True,
    )
    os.close(follow)
    shown, ends = "", time.monotonic() + 60
    try:
        while not re.search(until, shown):
            assert time.monotonic() < ends, shown
            shown += os.read(lead, 65536).decode()
        process.send_signal(signal.SIGINT)
        while True:
            try:
                shown += os.read(lead, 65536).decode()
            except OSError:
                break
        return shown, process.wait(20)
    finally:
        process.kill()
        os.close(lead)


def test_a_terminal_shows_a_table_and_what_the_gate_would_say(project: Scratch) -> None:
    shown, code = watch(project, "--gate", "healthy", until="PASS")
    assert code == 0
    assert "the gate would say: PASS" in shown
    assert "three" in shown
    (project.folder / "ill-two").touch()
    shown, code = watch(project, "--gate", "healthy", "--hosts", "two", until="ended with exit code 1")
    assert code == 30
    assert "three" not in shown


def test_hosts_are_an_ansible_pattern_and_a_delay_is_not_waited_for(project: Scratch) -> None:
    told = project.json("probe", "x.yml", "--gate", "healthy", "--hosts", "all:!two", "--json")
    [probe] = told["probes"]
    assert sorted(one["target"] for one in probe["measurements"]) == ["one", "three"]
    assert (
        "no host or group is called 'nobody'"
        in project.wavegate("probe", "x.yml", "--hosts", "nobody", code=40).stderr
    )
    project.wavegate("probe", "x.yml", "--watch", "--json", code=2)
    assert "did you mean healthy?" in project.wavegate("probe", "x.yml", "--gate", "helthy", code=40).stderr
