"""A project full of secrets, rolled out by the real command line; then a search for them everywhere."""

from __future__ import annotations

import http.server
import json
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from tests.unit.scratch import LOCAL, Scratch, clean_environment, indent
from wavegate.adapters.executor.processes import find_processes

MARKERS = {
    "password of the vault": "MARK01-vault-password",
    "second password": "MARK02-second-password",
    "encrypted group_vars": "MARK03-in-group-vars",
    "inline in the inventory": "MARK04 in \"inventory\" 'quoted'",
    "inline in the rollout file": "MARK05-in-rollout-file",
    "vars_files": "MARK06-in-vars-files",
    "no_log result": "MARK07-no-log",
    "become password": "MARK08-become",
    "connection password": "MARK09-connection",
    "header of a probe": "MARK10-header",
    "part of a URL": "MARK11 url/part?ü&",
    "several lines": "MARK12-line-one\nMARK13-line-two\n",
    "encrypted inventory source": "MARK14-inventory-source",
    "become password file": "MARK15-become-file",
}
STEMS = sorted({f"MARK{number:02d}" for number in range(1, 16)})


class Listener(http.server.BaseHTTPRequestHandler):
    """Repeats what it was asked, secrets and all, with an error."""

    heard: ClassVar[list[str]] = []

    def do_GET(self):
        self.heard.append(f"{self.path} {self.headers.get('X-Key')}")
        body = f"refused: {self.path} {self.headers.get('X-Key')}".encode()
        self.send_response(403 if "fail" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def port():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def make_project(folder: Path, port: int) -> Scratch:
    scratch = Scratch(folder)
    folder.mkdir()
    scratch.write("keys/first", MARKERS["password of the vault"] + "\n", 0o600)
    scratch.write("keys/second", MARKERS["second password"] + "\n", 0o600)
    scratch.write("keys/become", MARKERS["become password file"] + "\n", 0o600)
    scratch.write("ansible.cfg", "[defaults]\ninventory = stock\nvault_password_file = keys/first\n" + BECOME)

    def inline(marker: str, by: int, key: str = "keys/first") -> str:
        return "!vault |\n" + indent(scratch.vault(MARKERS[marker], key), by)

    scratch.write(
        "stock/hosts.yml",
        f"all:\n  hosts:\n    a: {{{LOCAL}}}\n    b: {{{LOCAL}}}\n  vars:\n    from_inventory: "
        + inline("inline in the inventory", 6),
    )
    locked = json.dumps({"all": {"vars": {"from_source": MARKERS["encrypted inventory source"]}}})
    scratch.write("stock/locked.yml", scratch.vault(locked, "keys/first"))
    group = {
        "from_group": MARKERS["encrypted group_vars"],
        "unlogged": MARKERS["no_log result"],
        "ansible_password": MARKERS["connection password"],
        "ansible_become_password": MARKERS["become password"],
        "api_key": MARKERS["header of a probe"],
        "api_path": MARKERS["part of a URL"],
        "certificate": MARKERS["several lines"],
    }
    scratch.write("group_vars/all/locked.yml", scratch.vault(json.dumps(group), "keys/first"))
    extra = json.dumps({"from_file": MARKERS["vars_files"]})
    scratch.write("vars/extra.yml", scratch.vault(extra, "keys/second"))
    scratch.write("site.yml", PLAYBOOK)
    scratch.write(
        "back.yml", "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: {msg: '{{ from_group }}'}\n"
    )
    scratch.write(
        "rollouts/leak.yml", ROLLOUT.replace("PORT", str(port)) + inline("inline in the rollout file", 4)
    )
    return scratch


BECOME = "become_password_file = keys/become\n"
PLAYBOOK = """
- hosts: all
  gather_facts: false
  vars_files: [vars/extra.yml]
  tasks:
    - name: Say {{ from_group }} as {{ from_rollout }}
      debug:
        msg: "{{ [from_group, from_inventory, from_rollout, from_file, from_source, certificate] }}"
    - debug: {var: ansible_become_password}
    - debug: {var: ansible_password}
    - name: Hide what it says
      command: echo {{ unlogged }}
      no_log: true
      register: hidden
    - command: echo {{ from_group }} {{ certificate | quote }}
      loop: ["{{ from_inventory }}", two]
    - name: Fail with all of it
      shell: |
        read secret; echo "$secret"; echo "$secret" >&2; exit {{ {'a': 0, 'b': 3}[inventory_hostname] }}
      args:
        stdin: "{{ from_group }} {{ from_inventory }} {{ from_rollout }} {{ from_file }} {{ certificate }}"
    - set_fact: {kept: "{{ from_file }}"}
"""
ROLLOUT = """
name: leak
playbook: site.yml
rollback: back.yml
on_breach: rollback_wave
vault: {password_files: [keys/second]}
probes:
  refused:
    http: {url: "http://127.0.0.1:PORT/fail/{{ api_path }}", headers: {X-Key: "{{ api_key }}"}}
    interval: 1s
    dry_run: true
  said:
    command:
      argv: [sh, -c, 'echo "$SECRET" >&2; echo "$SECRET"; exit 1']
      env: {SECRET: "{{ from_group }} {{ from_rollout }} {{ certificate }}"}
    interval: 1s
    dry_run: true
  up:
    tcp: {host: 127.0.0.1, port: PORT}
gates:
  looks: {probes: [refused, said, up], soak: 1s}
waves:
  - {name: first, hosts: a, after: looks}
  - {name: rest, hosts: all}
vars:
  from_rollout: """


@dataclass
class Aftermath:
    """A rollout that failed and was rolled back: its project, its folders, what was printed and seen."""

    scratch: Scratch
    environment: dict[str, str]
    printed: str
    command_lines: set[str]

    @property
    def state(self) -> Path:
        return self.scratch.folder / ".wavegate"

    def say(self, *words: str) -> str:
        done = self.scratch.wavegate(*words, code=None, **self.environment)
        assert "Traceback" not in done.stderr
        assert done.stdout
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory, port):
    scratch = make_project(tmp_path_factory.mktemp("secrets") / "project", port)
    with tempfile.TemporaryDirectory(prefix="run-", dir="/tmp") as runtime:
        folders = {name: str(Path(runtime, name)) for name in ("XDG_RUNTIME_DIR", "TMPDIR", "HOME")}
        for folder in folders.values():
            Path(folder).mkdir(0o700)
        command_lines: set[str] = set()
        printed = run_watched(scratch, folders, command_lines)
        yield Aftermath(scratch, folders, printed, command_lines)


def run_watched(scratch: Scratch, environment: dict[str, str], command_lines: set[str]) -> str:
    process = subprocess.Popen(
        [sys.executable, "-m", "wavegate", "run", "rollouts/leak.yml"],
        cwd=scratch.folder,
        env=clean_environment(**environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    watcher = threading.Thread(target=watch, args=(process, command_lines), daemon=True)
    watcher.start()
    printed = process.communicate(timeout=200)[0]
    watcher.join()
    assert process.returncode == 31, printed
    return printed


def watch(process: subprocess.Popen[str], command_lines: set[str]) -> None:
    """Collect the command line of every process until the rollout ended."""
    while process.poll() is None:
        for other in psutil.process_iter(["cmdline"]):
            command_lines.add(" ".join(other.info["cmdline"] or ()))


def markers_in(data: str | bytes) -> list[str]:
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogateescape")
    return [stem for stem in STEMS if stem.encode() in raw]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]


def test_the_secrets_were_really_used(aftermath):
    assert any("MARK10" in line and "MARK11" in line for line in Listener.heard)
    assert "failed at task 'Fail with all of it" in aftermath.printed
    assert "********" in aftermath.printed


def test_what_is_printed_shows_none(aftermath):
    assert markers_in(aftermath.printed) == []


@pytest.mark.parametrize(
    "words",
    [
        "status",
        "status --json",
        "history",
        "history --json",
        "events",
        "events --json",
        "report",
        "report --format json",
        "report --format junit",
        "report --format html",
        "plan rollouts/leak.yml",
        "plan rollouts/leak.yml --json",
        "validate rollouts/leak.yml --json",
        "probe rollouts/leak.yml",
        "probe rollouts/leak.yml --json",
    ],
)
def test_no_command_shows_any(aftermath, words):
    assert markers_in(aftermath.say(*words.split())) == []


def test_no_command_line_holds_any(aftermath):
    assert any("ansible-playbook" in line for line in aftermath.command_lines)
    guilty = {line for line in aftermath.command_lines if markers_in(line)}
    # What somebody's task starts on a host is its own affair.
    guilty = {line for line in guilty if not line.startswith(("echo MARK03", "echo MARK07"))}
    assert guilty == set()


def test_no_file_of_the_rollout_holds_any(aftermath):
    files = files_below(aftermath.state)
    assert {"journal.db", "output.txt", "rollout.yml"} <= {path.name for path in files}
    leaks = {str(path): markers_in(path.read_bytes()) for path in files}
    assert {path: found for path, found in leaks.items() if found} == {}


def test_only_the_owner_can_read_the_rollout(aftermath):
    assert stat.S_IMODE(aftermath.state.stat().st_mode) == 0o700
    ours = [path for path in aftermath.state.rglob("*") if "material" not in path.parts]
    modes = {str(path): stat.S_IMODE(path.lstat().st_mode) for path in ours if not path.is_symlink()}
    assert {path: oct(mode) for path, mode in modes.items() if mode & 0o077} == {}


def test_password_files_are_not_copied(aftermath):
    copied = [path.relative_to(aftermath.state) for path in (aftermath.state / "material").rglob("*")]
    assert any(path.name == "site.yml" for path in copied)
    assert [
        path for path in copied if "keys" in path.parts and path.name in {"first", "second", "become"}
    ] == []


def test_nothing_stays_behind_elsewhere(aftermath):
    assert list(Path(aftermath.environment["XDG_RUNTIME_DIR"]).iterdir()) == []
    for name in ("TMPDIR", "HOME"):
        left = {
            str(path): markers_in(path.read_bytes())
            for path in files_below(Path(aftermath.environment[name]))
        }
        assert {path: found for path, found in left.items() if found} == {}
    assert list(Path(aftermath.environment["TMPDIR"]).iterdir()) == []
    assert list(aftermath.state.glob("rollouts/*/inventory.json")) == []
    assert list(aftermath.state.glob("rollouts/*/batches/*/runner")) == []


def start_and_wait_for_a_task(scratch: Scratch) -> subprocess.Popen[str]:
    """Start a rollout and return when its first host has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wavegate", "run", "rollouts/wait.yml"],
        cwd=scratch.folder,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not (scratch.folder.parent / "begun").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)
    return process


@pytest.fixture
def waiting(tmp_path):
    """Return a project with secrets whose playbook waits for a file `go` beside the project."""
    scratch = Scratch(tmp_path / "project")
    scratch.folder.mkdir()
    for name in ("first", "second"):
        scratch.write(f"keys/{name}", f"password {name}\n", 0o600)
    scratch.write("ansible.cfg", "[defaults]\ninventory = stock.yml\nvault_password_file = keys/first\n")
    hosts = (
        f"{{all: {{hosts: {{a: {{{LOCAL}}}, b: {{{LOCAL}}}}}, vars: {{plain: {MARKERS['vars_files']}}}}}}}"
    )
    scratch.write("stock.yml", scratch.vault(hosts, "keys/first"))
    scratch.write("group_vars/all.yml", scratch.vault("locked: MARK03-in-group-vars\n", "keys/second"))
    scratch.write("site.yml", WAITING.replace("FOLDER", str(tmp_path)))
    waves = "waves: [{name: first, hosts: a}, {name: rest, hosts: all}]"
    scratch.write("rollouts/wait.yml", f"name: wait\nplaybook: site.yml\nvault: keys/second\n{waves}\n")
    return scratch


WAITING = """
- hosts: all
  gather_facts: false
  tasks:
    - copy: {content: x, dest: FOLDER/begun, mode: "0600"}
    - wait_for: {path: FOLDER/go, timeout: 60, sleep: 1}
    - assert: {that: [plain is match('MARK06'), locked is match('MARK03')]}
    - debug: {msg: "{{ plain }} {{ locked }}"}
"""


def test_an_open_rollout_keeps_what_resume_needs_and_forgets_it_at_the_end(waiting):
    process = start_and_wait_for_a_task(waiting)
    process.send_signal(signal.SIGINT)
    (waiting.folder.parent / "go").touch()
    assert process.wait(60) == 130
    (snapshot,) = waiting.folder.glob(".wavegate/rollouts/*/inventory.json")
    assert stat.S_IMODE(snapshot.stat().st_mode) == 0o600
    password = waiting.folder / "keys/second"
    password.rename(password.with_name("gone"))
    refused = waiting.wavegate("resume", code=40).stderr
    assert "resume-impossible" in refused
    assert "keys/second" in "".join(refused.split())
    password.with_name("gone").rename(password)
    resumed = waiting.wavegate("resume")
    assert markers_in(resumed.stdout + resumed.stderr) == []
    (output,) = waiting.folder.glob(".wavegate/rollouts/*/batches/rest.1/output.txt")
    assert "********" in output.read_text()
    assert markers_in(output.read_bytes()) == []
    assert not snapshot.exists()
    assert waiting.json("status", "--json")["status"] == "completed"


def test_an_aborted_rollout_leaves_neither_secrets_nor_processes(waiting):
    process = start_and_wait_for_a_task(waiting)
    process.kill()
    process.wait()
    work = next((waiting.folder / ".wavegate/rollouts").iterdir())
    (private,) = work.glob("batches/*/runner")
    waiting.wavegate("abort", "--reason", "enough")
    assert not private.exists()
    assert not (work / "inventory.json").exists()
    assert not (work / "runtime-folder").exists()
    assert [path for path in files_below(work) if markers_in(path.read_bytes())] == []
    assert find_processes(f"{work.name}/first.1") == []
