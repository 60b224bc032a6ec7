"""Bad input through the real command line: one clear error each, exit 40, and nothing started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from wavegate.adapters.journal import open_journal
from wavegate.config.load import SIZE_LIMIT

WAVEGATE = (sys.executable, "-m", "wavegate")
# Root reads and writes everything, unless it gives these rights up.
ORDINARY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")

FILES = {
    "ansible.cfg": "[defaults]\ninventory = hosts.yml\n",
    "hosts.yml": """\
        all:
          vars:
            ansible_connection: local
            ansible_python_interpreter: "{{ ansible_playbook_python }}"
            http_port: 8080
          children:
            pilot: {hosts: {a1: {}}}
            site_north: {hosts: {b1: {}, b2: {}}}
        """,
    "play.yml": """\
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.command: touch {{ playbook_dir }}/started
        """,
    "rollouts/good.yml": """\
        name: good
        playbook: play.yml
        probes:
          up: {command: {argv: ["true"]}}
        gates:
          healthy: {probes: [up], interval: 1s}
        waves:
          - {name: pilot, hosts: pilot, after: healthy}
          - {name: site, each: site_*}
        """,
}

Change = Callable[[Path], object]


@dataclass
class Answered:
    """What one verb said; `lines` are those of its only error."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        write(name, text)(tmp_path)
    return tmp_path


def write(name: str, text: str | bytes, mode: int = 0o644) -> Change:
    def change(root: Path) -> None:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        path.chmod(mode)

    return change


def replace(old: str, new: str, name: str = "rollouts/good.yml") -> Change:
    def change(root: Path) -> None:
        text = (root / name).read_text()
        assert old in text
        (root / name).write_text(text.replace(old, new))

    return change


def wavegate(root: Path, *arguments: str, prefix: tuple[str, ...] = (), **environment: str) -> Answered:
    done = subprocess.run(
        [*prefix, *WAVEGATE, *arguments],
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    return Answered(done.returncode, done.stdout, done.stderr)


def assert_one_error(answered: Answered, code: str, *fragments: str) -> None:
    assert answered.code == 40, answered
    assert answered.out == ""
    assert "Traceback" not in answered.err
    assert [line.partition(":")[0] for line in answered.lines if line.startswith("error")] == [
        f"error[{code}]"
    ]
    missing = [fragment for fragment in fragments if fragment not in answered.err]
    assert missing == [], answered.err


def assert_nothing_started(root: Path) -> None:
    assert not list(root.rglob("started"))
    folder = root / ".wavegate" / "rollouts"
    assert not folder.is_dir() or list(folder.iterdir()) == []
    path = root / ".wavegate" / "journal.db"
    if path.is_file() and path.read_bytes()[:6] == b"SQLite":
        with open_journal(str(path)) as journal:
            assert journal.rollouts() == []
    assert processes_in(root) == []


def processes_in(root: Path) -> list[str]:
    """Return the command lines of what goes on below `root`; a killed process may take a moment to go."""
    _, alive = psutil.wait_procs([one for one in psutil.process_iter() if is_in(one, root)], timeout=10)
    return [" ".join(process.cmdline()) for process in alive]


def is_in(process: psutil.Process, root: Path) -> bool:
    try:
        return process.cwd().startswith(str(root)) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


GOOD = "rollouts/good.yml"
SCRIPT = "inventory/hosts.sh"
WITH_SCRIPT = replace("hosts.yml", SCRIPT, "ansible.cfg")


def both(*changes: Change) -> Change:
    def change(root: Path) -> None:
        for one in changes:
            one(root)

    return change


# what is wrong -> change, code of the error, what it must say
CASES: dict[str, tuple[Change, str, tuple[str, ...]]] = {
    "no such file": (
        lambda root: (root / GOOD).rename(root / "rollouts/goods.yml"),
        "rollout-file-unreadable",
        (f"{GOOD}: there is no such file", "did you mean goods.yml?"),
    ),
    "a folder": (
        lambda root: ((root / GOOD).unlink(), (root / GOOD).mkdir()),
        "rollout-file-unreadable",
        (f"{GOOD}: it is a folder",),
    ),
    "not text": (write(GOOD, b"\xff\xfe\x00"), "rollout-file-unreadable", ("not UTF-8",)),
    "a whole disk image": (write(GOOD, b"#" * (SIZE_LIMIT + 1)), "rollout-file-unreadable", ("1 MiB",)),
    "empty": (write(GOOD, ""), "rollout-file-invalid", (f"{GOOD}:1:1: the file is empty",)),
    "a playbook": (write(GOOD, "- hosts: all\n"), "rollout-file-invalid", ("belongs under playbook:",)),
    "not YAML": (
        write(GOOD, "name: x\nplaybook: [a\nwaves: 3\n"),
        "rollout-file-invalid",
        (f"{GOOD}:3:6: this is not YAML", "got ':'"),
    ),
    "a tab": (write(GOOD, "name: x\n\tplaybook: y\n"), "rollout-file-invalid", (f"{GOOD}:2:1:",)),
    "a key twice": (
        replace("playbook: play.yml", "playbook: play.yml\nplaybook: play.yml"),
        "rollout-file-invalid",
        (f"{GOOD}:3:1: playbook:",),
    ),
    "misspelt keys": (
        both(replace("playbook:", "playbok:"), replace("hosts: pilot", "hots: pilot")),
        "rollout-file-invalid",
        (
            f"{GOOD}:2:1: playbok: unknown key",
            "did you mean playbook?",
            f"{GOOD}:8:19: waves[0].hots: unknown key",
            "did you mean hosts?",
        ),
    ),
    "another tool's key": (
        replace("hosts: pilot", "hosts: pilot, serial: 1"),
        "rollout-file-invalid",
        (f"{GOOD}:8:33: waves[0].serial: unknown key", "the word here is batch"),
    ),
    "wrong types, all at once": (
        both(
            replace("name: good", "name: [good]\nin_flight: many"), replace("interval: 1s", "interval: soon")
        ),
        "rollout-file-invalid",
        ("has 3 problems", f"{GOOD}:1:1: name:", f"{GOOD}:2:1: in_flight:", "gates.healthy.interval:"),
    ),
    "an unknown gate": (
        replace("after: healthy", "after: helthy"),
        "rollout-file-invalid",
        (f"{GOOD}:8:33: waves[0].after: no gate is called 'helthy'", "did you mean healthy?"),
    ),
    "an unknown probe": (
        replace("probes: [up]", "probes: [pu]"),
        "rollout-file-invalid",
        (f"{GOOD}:6:22: gates.healthy.probes[0]: no probe is called 'pu'",),
    ),
    "a budget over 100%": (
        replace("each: site_*", "each: site_*, failure_budget: 101%"),
        "rollout-file-invalid",
        (f"{GOOD}:9:32: waves[1].failure_budget:", "from 0% to 100%; got '101%'"),
    ),
    "a batch over 100%": (
        replace("each: site_*", "each: site_*, batch: [1, 200%]"),
        "rollout-file-invalid",
        (f"{GOOD}:9:", "waves[1].batch", "200%"),
    ),
    "negative numbers": (
        both(
            replace("hosts: pilot", "hosts: pilot, failure_budget: -1"),
            replace("site_*", "site_*, in_flight: -4, batch: -2"),
        ),
        "rollout-file-invalid",
        ("has 3 problems", "waves[0].failure_budget", "waves[1].in_flight", "waves[1].batch", "-4", "-2"),
    ),
    "a batch of nobody": (
        both(replace("hosts: pilot", "hosts: pilot, batch: 0"), replace("site_*", "site_*, batch: 0%")),
        "rollout-file-invalid",
        ("waves[0].batch: a batch cannot be empty", "waves[1].batch: a batch cannot be empty"),
    ),
    "an unknown playbook": (
        replace("play.yml", "plya.yml"),
        "plan-impossible",
        (f"{GOOD}:2:1: playbook: the playbook could not be found", "did you mean play.yml?"),
    ),
    "a playbook that Ansible refuses": (
        replace("tasks:", "tsks:", "play.yml"),
        "plan-impossible",
        (f"{GOOD}:2:1: playbook:", "play.yml:3:3: 'tsks' is not a valid attribute for a Play"),
    ),
    "an unknown inventory": (
        replace("playbook: play.yml", "playbook: play.yml\ninventory: nowhere"),
        "plan-impossible",
        (f"{GOOD}:3:1: inventory: ", "nowhere: there is no such inventory"),
    ),
    "an unknown group": (
        replace("hosts: pilot", "hosts: pilto"),
        "plan-impossible",
        (f"{GOOD}:8:19: waves[0].hosts: no host or group is called 'pilto'", "did you mean pilot?"),
    ),
    "an unknown glob": (
        replace("site_*", "sites_*"),
        "plan-impossible",
        (f"{GOOD}:9:18: waves[1].each: no group matches 'sites_*'", "groups: site_north"),
    ),
    "an unknown variable in a probe": (
        replace('["true"]', '["echo", "{{ http_prot }}"]'),
        "plan-impossible",
        (f"{GOOD}:4:33: probes.up.command.argv[1]: 'http_prot' is undefined", "did you mean http_port"),
    ),
    "an empty wave": (
        replace("each: site_*", "hosts: all:!all"),
        "plan-impossible",
        (f"{GOOD}:9:18: waves[1].hosts: wave 'site' is empty", "may_be_empty: true"),
    ),
    "hosts in no wave": (
        replace("  - {name: site, each: site_*}\n", ""),
        "plan-impossible",
        (f"{GOOD}:7:1: waves: 2 hosts are in the scope but in no wave: b1, b2", "leave_out:"),
    ),
    "an inventory script that fails": (
        both(WITH_SCRIPT, write(SCRIPT, "#!/bin/sh\necho 'no route to the CMDB' >&2\nexit 3\n", 0o755)),
        "plan-impossible",
        ("non-zero exit code 3", "no route to the CMDB"),
    ),
    "an inventory script that is no JSON": (
        both(WITH_SCRIPT, write(SCRIPT, "#!/bin/sh\necho hello\n", 0o755)),
        "plan-impossible",
        ("JSON",),
    ),
    "an inventory script that may not be executed": (
        both(WITH_SCRIPT, write(SCRIPT, "#!/bin/sh\necho '{}'\n")),
        "plan-impossible",
        ("it is a script that may not be executed", "chmod +x"),
    ),
    "an inventory script without its interpreter": (
        both(WITH_SCRIPT, write(SCRIPT, "#!/opt/none/python\nimport json\n", 0o755)),
        "plan-impossible",
        ("its first line names /opt/none/python, which is not there",),
    ),
    "an inventory without hosts": (
        both(WITH_SCRIPT, write(SCRIPT, "#!/bin/sh\necho '{}'\n", 0o755)),
        "plan-impossible",
        (f"{GOOD}: ", "hosts.sh: the inventory holds no host"),
    ),
    "an ansible.cfg that makes no sense": (
        write("ansible.cfg", "garbage\n"),
        "ansible-failed",
        ("ansible.cfg", "no section headers"),
    ),
    "a journal's folder that is a file": (
        write(".wavegate", ""),
        "journal-not-writable",
        (".wavegate/journal.db cannot be written",),
    ),
    "a journal that is none": (
        write(".wavegate/journal.db", "not a database at all, but long enough to look at\n" * 20),
        "journal-not-a-journal",
        (".wavegate/journal.db is not a wavegate journal",),
    ),
    "no room for the material": (
        write(".wavegate/material", ""),
        "material-not-written",
        (".wavegate", "nothing was started"),
    ),
    "no room for the rollout's folder": (
        write(".wavegate/rollouts", ""),
        "material-not-written",
        (".wavegate", "nothing was started"),
    ),
}


@pytest.mark.parametrize("wrong", CASES)
def test_bad_input_is_one_clear_error_and_nothing_is_started(project: Path, wrong: str) -> None:
    change, code, fragments = CASES[wrong]
    change(project)
    assert_one_error(wavegate(project, "run", GOOD), code, *fragments)
    assert_nothing_started(project)


def test_the_project_of_these_tests_is_good_input(project: Path) -> None:
    assert wavegate(project, "plan", GOOD).code == 0


def test_problems_of_ansible_and_of_planning_come_together_in_the_files_order(project: Path) -> None:
    both(
        replace("play.yml", "plya.yml"),
        replace('["true"]', '["{{ one }}", "{{ two }}"]'),
        replace("hosts: pilot", "hosts: pilto"),
        replace("  - {name: site", "  - {name: a, hosts: b1}\n  - {name: b, hosts: b1}\n  - {name: site"),
    )(project)
    answered = wavegate(project, "run", GOOD)
    assert_one_error(answered, "plan-impossible", "good cannot be planned: 5 problems")
    assert [line.split(": ")[0].strip() for line in answered.lines if line.startswith(f"  {GOOD}:")] == [
        f"{GOOD}:2:1",
        f"{GOOD}:4:25",
        f"{GOOD}:4:38",
        f"{GOOD}:8:19",
        f"{GOOD}:10:15",
    ]


@pytest.mark.parametrize(
    ("package", "code", "says"),
    [
        (
            {"__init__.py": "raise ModuleNotFoundError('No module named ansible')"},
            "ansible-missing",
            "install it:",
        ),
        (
            {"__init__.py": "", "release.py": "__version__ = '2.15.3'"},
            "ansible-too-old",
            "ansible-core 2.15.3",
        ),
    ],
)
def test_ansible_that_is_missing_or_too_old(
    project: Path, tmp_path_factory: pytest.TempPathFactory, package: dict[str, str], code: str, says: str
) -> None:
    folder = tmp_path_factory.mktemp("fake")
    for name, text in package.items():
        write(f"ansible/{name}", text)(folder)
    assert_one_error(wavegate(project, "run", GOOD, PYTHONPATH=str(folder)), code, says, "pip install")
    assert_nothing_started(project)


def test_an_inventory_script_that_hangs_is_blamed_and_ended(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wavegate.adapters.ansible import asking
    from wavegate.main import main

    both(WITH_SCRIPT, write(SCRIPT, "#!/bin/sh\nexec sleep 600\n", 0o755))(project)
    question_time = 5.0
    monkeypatch.setattr(asking.ask, "__defaults__", (question_time,))
    monkeypatch.setattr(sys, "argv", ["wavegate", "run", GOOD])
    monkeypatch.chdir(project)
    with pytest.raises(SystemExit) as left:
        main()
    monkeypatch.chdir("/")
    said = capsys.readouterr()
    answered = Answered(int(str(left.value.code)), said.out, said.err)
    assert_one_error(answered, "plan-impossible", "no answer within 5 seconds", "inventory script")
    assert_nothing_started(project)


@pytest.fixture
def ordinary() -> tuple[str, ...]:
    """What makes root an ordinary user, for whom rights count."""
    if os.geteuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("root reads and writes everything, and there is no setpriv to stop that")
    return ORDINARY


@pytest.mark.parametrize(
    ("name", "mode", "code", "says"),
    [
        (GOOD, 0, "rollout-file-unreadable", "it cannot be read: Permission denied"),
        ("hosts.yml", 0, "plan-impossible", "it may not be read"),
        (".wavegate", 0o500, "journal-not-writable", "you may not write the file or its folder"),
        (".wavegate/journal.db", 0o400, "journal-not-writable", "you may not write the file or its folder"),
    ],
)
def test_what_may_not_be_read_or_written(
    project: Path, ordinary: tuple[str, ...], name: str, mode: int, code: str, says: str
) -> None:
    open_journal(str(project / ".wavegate" / "journal.db")).close()
    (project / name).chmod(mode)
    answered = wavegate(project, "run", GOOD, prefix=ordinary)
    (project / name).chmod(0o700)
    assert_one_error(answered, code, says)
    assert_nothing_started(project)


def test_a_journal_from_a_newer_wavegate(project: Path) -> None:
    import sqlite3

    path = project / ".wavegate" / "journal.db"
    open_journal(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE journal_version SET version_num = '0999'")
    for verb in (["run", GOOD], ["status"], ["history"], ["events"], ["report"], ["resume"]):
        answered = wavegate(project, *verb)
        assert_one_error(answered, "journal-newer", "its schema is 0999", "upgrade wavegate")
    assert not (project / ".wavegate" / "rollouts").exists()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = Path(tempfile.mkdtemp())
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("no tmpfs can be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
    folder.rmdir()


@pytest.mark.parametrize(
    ("used", "code", "says"),
    [(256, "journal-disk-full", "disk is full"), (100, "material-not-written", "No space left on device")],
)
def test_a_full_disk(project: Path, small_disk: Path, used: int, code: str, says: str) -> None:
    write("big.bin", b"\1" * 200_000)(project)
    (project / ".wavegate").symlink_to(small_disk)
    with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as file:
        for _ in range(used):
            file.write(b"\0" * 1024)
    assert_one_error(wavegate(project, "run", GOOD), code, says)
    (small_disk / "filler").unlink()
    assert_nothing_started(project)


def test_a_rollout_that_could_not_begin_does_not_block_the_next_one(project: Path) -> None:
    write(".wavegate/material", "")(project)
    assert wavegate(project, "run", GOOD).code == 40
    (project / ".wavegate" / "material").unlink()
    assert wavegate(project, "run", GOOD).code == 0


@pytest.mark.parametrize("verb", [["plan", GOOD], ["probe", GOOD], ["validate", GOOD]])
def test_every_verb_that_reads_a_rollout_file_refuses_a_bad_one(project: Path, verb: list[str]) -> None:
    replace("playbook:", "playbok:")(project)
    answered = wavegate(project, *verb)
    assert answered.code == 40
    assert f"{GOOD}:2:1: playbok: unknown key" in answered.out + answered.err
    assert_nothing_started(project)
