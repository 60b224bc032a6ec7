"""The module `host_state`: packages, updates, locks, time, ports, processes, logs and the age of files."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.programs import load_program

host_state = load_program("plugins/modules/host_state.py")
NotMeasured = host_state.NotMeasuredError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put programs on the PATH that do what a script says, and nothing else there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def make(**scripts: str) -> Path:
        for name, script in scripts.items():
            (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name.replace("_", "-")).chmod(0o755)
        return folder

    return make


def test_inodes_are_told_where_there_is_a_number_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: dict[str, str] = {}
    space = {"f_blocks": 100, "f_bavail": 42, "f_frsize": 4096}
    answers = {
        "/ext4": os.statvfs_result((4096, 4096, 100, 50, 42, 200, 60, 50, 0, 255)),
        "/btrfs": os.statvfs_result((4096, 4096, 100, 50, 42, 0, 0, 0, 0, 255)),
    }
    monkeypatch.setattr(os, "statvfs", answers.__getitem__)
    found = host_state.measure_disk(list(answers), errors)
    assert found["/ext4"]["inodes_free_percent"] == 25.0
    assert found["/btrfs"]["free_bytes"] == space["f_bavail"] * space["f_frsize"]
    assert errors == {"inodes of /btrfs": "its file system has no fixed number of inodes"}


@pytest.mark.parametrize(
    ("text", "swap"),
    [
        ("SwapTotal: 1000 kB\nSwapFree: 250 kB\n", (1024000, 75.0)),
        ("SwapTotal: 0 kB\nSwapFree: 0 kB\n", (0, 0.0)),
    ],
)
def test_swap_is_what_is_used_of_it(text: str, swap: tuple[int, float]) -> None:
    assert host_state.parse_swap(text) == swap


def test_swap_that_is_not_told_is_not_measured() -> None:
    with pytest.raises(NotMeasured, match="SwapTotal"):
        host_state.parse_swap("MemTotal: 1 kB\n")


def test_a_package_has_a_version_or_none(programs) -> None:
    programs(
        dpkg_query="printf 'a\\ta\\tinstalled\\t1.0-1\\nb\\tb:amd64\\tconfig-files\\t2.0\\n"
        "c\\tc:arm64\\tinstalled\\t3\\n'; echo 'no packages found matching d' >&2; exit 1"
    )
    errors: dict[str, str] = {}
    found = host_state.measure_packages(["a", "b", "c:arm64", "d", "--all", "B A"], errors)
    assert found == {"a": "1.0-1", "b": "", "c:arm64": "3", "d": ""}
    assert set(errors) == {"package --all", "package B A"}


@pytest.mark.parametrize("script", ["exit 2", None])
def test_without_dpkg_no_package_is_known(
    programs, monkeypatch: pytest.MonkeyPatch, script: str | None
) -> None:
    folder = programs(**({"dpkg_query": script} if script else {}))
    monkeypatch.setenv("PATH", str(folder))
    errors: dict[str, str] = {}
    assert host_state.measure_packages(["a"], errors) == {}
    assert "dpkg-query" in errors["packages"]


POLICY = """\
held:
  Installed: 1.0
  Candidate: 1.2
  Version table:
     1.2 500
        500 http://deb.example.org/debian bookworm/main amd64 Packages
     1.1 500
        500 http://deb.example.org/debian-security bookworm-security/main amd64 Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
current:
  Installed: 2.0
  Candidate: 2.0
  Version table:
 *** 2.0 500
        500 http://deb.example.org/debian-security bookworm-security/main amd64 Packages
        100 /var/lib/dpkg/status
pinned:
  Installed: 3.0
  Candidate: 3.0
  Version table:
     3.1 -1
        500 http://deb.example.org/debian-security bookworm-security/main amd64 Packages
 *** 3.0 100
        100 /var/lib/dpkg/status
     2.9 500
        500 http://deb.example.org/debian-security bookworm-security/main amd64 Packages
plain:
  Installed: 4.0
  Candidate: 4.1
  Version table:
     4.1 500 (phased 10%)
        500 http://deb.example.org/security-tools bookworm/main amd64 Packages
 *** 4.0 100
        100 /var/lib/dpkg/status
libc6:i386:
  Installed: 5.0
  Candidate: 5.1
  Version table:
     5.1 500 (phased 10%)
        500 http://archive.example.org/ubuntu jammy-security/main i386 Packages
 *** 5.0 100
        100 /var/lib/dpkg/status
"""


def test_a_security_update_that_an_upgrade_goes_over_counts_too() -> None:
    assert host_state.parse_policy(POLICY) == ["held", "libc6:i386"]


@pytest.mark.parametrize("text", ["", "N: Unable to locate package x\n", "rubbish \n *** \n"])
def test_a_policy_that_says_nothing_names_no_package(text: str) -> None:
    assert host_state.parse_policy(text) == []


def apt_root(tmp_path: Path, *lists: str) -> str:
    for folder in ("var/lib/apt/lists/partial", "etc/apt/sources.list.d"):
        (tmp_path / folder).mkdir(parents=True)
    for name in lists:
        (tmp_path / "var/lib/apt/lists" / name).touch()
    return str(tmp_path)


SECURITY_LIST = "deb.example.org_debian-security_dists_bookworm-security_main_binary-amd64_Packages"


def test_security_updates_are_counted_by_the_lists_as_they_are(programs, tmp_path: Path) -> None:
    (tmp_path / "policy").write_text(POLICY)
    programs(
        dpkg_query="printf 'installed held\\ninstalled plain\\nconfig-files gone\\n'",
        apt_cache=f'echo "$@" > {tmp_path}/asked; cat {tmp_path}/policy',
    )
    root = apt_root(tmp_path / "root", SECURITY_LIST)
    for path in ("var/lib/apt/lists", "var/lib/apt/lists/partial"):
        os.utime(Path(root, path), (time.time() - 500, time.time() - 500))
    found = host_state.measure_security_updates(root)
    assert found["count"] == 2
    assert found["names"] == ["held", "libc6:i386"]
    assert 499 <= found["lists_age"] < 600
    assert (tmp_path / "asked").read_text().split()[-3:] == ["policy", "held", "plain"]


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ((), "no list of a security archive"),
        (
            ("deb.example.org_debian_dists_bookworm_main_binary-amd64_Packages",),
            "no list of a security archive",
        ),
    ],
)
def test_lists_that_know_no_security_archive_tell_nothing(tmp_path: Path, lists: tuple, why: str) -> None:
    with pytest.raises(NotMeasured, match=why):
        host_state.measure_security_updates(apt_root(tmp_path, *lists))


def test_without_apt_security_updates_are_not_measured(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="no lists of apt"):
        host_state.measure_security_updates(str(tmp_path))


def test_a_source_that_may_not_be_read_makes_the_count_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = apt_root(tmp_path, SECURITY_LIST)
    (tmp_path / "etc/apt/sources.list.d/private.sources").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("private.sources"))
    with pytest.raises(NotMeasured, match=r"may not read .*private\.sources"):
        host_state.measure_security_updates(root)


LOCKER = (
    "import fcntl,sys; f=open(sys.argv[1],'w'); fcntl.lockf(f,fcntl.LOCK_EX); print('x',flush=True); input()"
)


@pytest.fixture
def dpkg_root(tmp_path: Path):
    for lock in ("var/lib/dpkg/status", *host_state.LOCKS):
        (tmp_path / lock).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / lock).touch()
    return tmp_path


@pytest.fixture
def locked(dpkg_root: Path):
    lock = dpkg_root / "var/lib/dpkg/lock-frontend"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", LOCKER, lock], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout.read(1) == b"x"
        yield dpkg_root, lock, holder.pid
        holder.communicate(b"\n")


def test_a_package_manager_at_work_is_named_and_its_lock_is_not_taken(locked) -> None:
    root, lock, pid = locked
    (held,) = host_state.measure_package_manager(str(root))
    assert held.startswith(f"{lock} is held by python")
    assert held.endswith(f"(process {pid})")


def test_locks_that_only_root_may_open_are_looked_up_in_the_kernels_table(
    locked, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, lock, pid = locked

    def refused(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(host_state, "find_holder", refused)
    (held,) = host_state.measure_package_manager(str(root))
    assert held.startswith(f"{lock} is held by")
    assert str(pid) in held


def test_a_table_of_locks_that_does_not_show_our_own_is_no_answer(
    dpkg_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_state, "parse_locks", lambda text: [])
    paths = [str(dpkg_root / host_state.LOCKS[0])]
    with pytest.raises(NotMeasured, match="only root"):
        host_state.find_holders_of_all(paths, str(dpkg_root / "var/lib/dpkg/status"))


def test_a_package_manager_that_rests_holds_nothing(dpkg_root: Path) -> None:
    assert host_state.measure_package_manager(str(dpkg_root)) == []
    with (dpkg_root / "var/lib/dpkg/lock-frontend").open("w") as stream:
        fcntl.lockf(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_without_dpkg_the_package_manager_is_not_known(tmp_path: Path) -> None:
    with pytest.raises(NotMeasured, match="no dpkg"):
        host_state.measure_package_manager(str(tmp_path))


CHRONY = "A9FEA97B,169.254.169.123,4,1732789.2,{},0.1,0.2,-9.1,0.0,0.1,0.2,0.3,16.1,{}"


@pytest.mark.parametrize(
    ("offset", "leap", "synced"),
    [("-0.000012", "Normal", True), ("3.5", "Insert second", True), ("0.0", "Not synchronised", False)],
)
def test_chrony_tells_of_time(programs, offset: str, leap: str, synced: bool) -> None:
    programs(chronyc=f"echo '{CHRONY.format(offset, leap)}'", timedatectl="exit 9")
    assert host_state.measure_time({}) == {"synced": synced, "offset": float(offset), "source": "chrony"}


@pytest.mark.parametrize(
    ("line", "offset"),
    [("+1.250ms", 0.00125), ("-17us", -0.000017), ("+1min 2.5s", 62.5), ("-2h 1min", -7260.0)],
)
def test_where_chrony_does_not_answer_systemd_does(programs, line: str, offset: float) -> None:
    programs(
        chronyc="echo '506 Cannot talk to daemon'; exit 1",
        timedatectl=f'[ "$1" = show ] && echo yes || echo "       Offset: {line}"',
    )
    found = host_state.measure_time({})
    assert found["synced"] is True
    assert found["offset"] == pytest.approx(offset)
    assert found["source"] == "systemd"


def test_an_offset_that_nobody_tells_is_an_error_of_its_own(programs) -> None:
    programs(chronyc="exit 1", timedatectl='[ "$1" = show ] && echo no || exit 1')
    errors: dict[str, str] = {}
    assert host_state.measure_time(errors) == {"synced": False, "source": "systemd"}
    assert "timedatectl failed" in errors["time_offset"]


@pytest.mark.parametrize(("chronyc", "timedatectl"), [("echo a,b", "exit 1"), ("exit 1", "echo maybe")])
def test_time_that_nobody_tells_is_not_measured(programs, chronyc: str, timedatectl: str) -> None:
    programs(chronyc=chronyc, timedatectl=timedatectl)
    with pytest.raises(NotMeasured):
        host_state.measure_time({})


def test_ports_are_those_that_are_listened_on(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    (tmp_path / "tcp").write_text(
        head + "   0: 0100007F:1F90 00000000:0000 0A\n   1: 00000000:0016 01020304:AAAA 01\n rubbish\n"
    )
    (tmp_path / "tcp6").write_text(head + "   0: 00000000000000000000000000000000:0050 0:0 0A\n")
    tables = (str(tmp_path / "tcp"), str(tmp_path / "tcp6"), str(tmp_path / "none"))
    found = host_state.measure_listening([8080, 22, 80], tables)
    assert found == {"8080": True, "22": False, "80": True}
    with pytest.raises(NotMeasured):
        host_state.measure_listening([22], (str(tmp_path / "none"),))


def test_processes_count_by_program_and_by_call_and_not_ourselves() -> None:
    name = "a-program-with-a-long-name"
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [name, "-c", "print('x',flush=True); input()"],
        executable=sys.executable,
        stdin=pipe,
        stdout=pipe,
        start_new_session=True,
    ) as other:
        assert other.stdout.read(1) == b"x"
        assert host_state.measure_processes([name, "no-such-program"]) == {name: 1, "no-such-program": 0}
        other.communicate(b"\n")
    assert host_state.names_of_process(os.getpid()) == set()


def test_processes_that_are_hidden_are_not_counted_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def hidden(path):
        raise NotMeasured(f"{path} cannot be read")

    monkeypatch.setattr(host_state, "read_file", hidden)
    with pytest.raises(NotMeasured, match="cannot be seen"):
        host_state.measure_processes(["nginx"])


KNOWN = "printf 'LoadState=loaded\\nActiveState=active\\n'"


def entry(age: float, message: str) -> str:
    return f"{time.time() - age:.6f} web[7]: {message}"


def look(unit: str = "intranet", pattern: str = "ERR|WARN", seconds: float = 60.0) -> dict[str, object]:
    return {"unit": unit, "pattern": pattern, "seconds": seconds}


def test_a_log_tells_the_ages_of_what_matches(programs, tmp_path: Path) -> None:
    (tmp_path / "entries").write_text(
        "\n".join([entry(5, "ERR: full\n    and more"), entry(50, "WARN"), "-- No entries --"])
    )
    programs(
        systemctl=KNOWN,
        journalctl=f'for one in "$@"; do echo "$one"; done > {tmp_path}/asked; cat {tmp_path}/entries',
    )
    errors: dict[str, str] = {}
    (found,) = host_state.measure_logs([look()], errors)
    assert found["newest"] == "ERR: full"
    assert found["ages"] == [pytest.approx(5, abs=2), pytest.approx(50, abs=2)]
    assert errors == {}
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == "--unit=intranet.service"
    assert "--grep=ERR|WARN" in asked


@pytest.mark.parametrize(
    ("systemctl", "journalctl", "why"),
    [
        ("printf 'LoadState=not-found\\nActiveState=inactive\\n'", "exit 0", "there is no such unit"),
        (KNOWN, "echo 'Hint: You are currently not seeing messages from other users' >&2", "may not read"),
        (
            KNOWN,
            "echo 'No journal files were opened due to insufficient permissions.' >&2; exit 1",
            "may not",
        ),
        (KNOWN, "echo 'Bad pattern: missing )' >&2; exit 1", "missing )"),
        (KNOWN, "exit 7", "exit code 7"),
        ("exit 1", "exit 0", "systemctl failed"),
    ],
)
def test_a_log_that_cannot_be_looked_at_is_never_one_without_entries(
    programs, systemctl: str, journalctl: str, why: str
) -> None:
    programs(systemctl=systemctl, journalctl=journalctl)
    errors: dict[str, str] = {}
    assert host_state.measure_logs([look()], errors) == []
    assert why in errors["log of intranet"]


def test_a_unit_that_is_gone_has_a_log_all_the_same(programs, tmp_path: Path) -> None:
    (tmp_path / "entries").write_text(entry(5, "ERR"))
    gone = "printf 'LoadState=not-found\\nActiveState=inactive\\n'"
    programs(systemctl=gone, journalctl=f"cat {tmp_path}/entries")
    errors: dict[str, str] = {}
    assert host_state.measure_logs([look()], errors)[0]["newest"] == "ERR"
    assert errors == {}


def test_a_log_in_which_nothing_matches_has_no_entries(programs) -> None:
    programs(systemctl=KNOWN, journalctl="echo '-- No entries --'; exit 1")
    errors: dict[str, str] = {}
    assert host_state.measure_logs([look()], errors)[0]["ages"] == []
    assert errors == {}


def test_a_folder_is_as_old_as_its_newest_file_that_is_not_empty(tmp_path: Path) -> None:
    now = time.time()
    for name, size, age in (("a/monday.sql", 1, 7200), ("b/c/tuesday.sql", 1, 3600), ("today.sql", 0, 1)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (now - age, now - age))
    found = host_state.look_for_newest(str(tmp_path))
    assert found == {"age": pytest.approx(3600, abs=5), "newest": "b/c/tuesday.sql"}
    assert host_state.look_for_newest(str(tmp_path / "today.sql")) == {"why": "is empty"}
    (tmp_path / "none").mkdir()
    assert host_state.look_for_newest(str(tmp_path / "none")) == {"why": "holds no file that is not empty"}


def test_what_is_not_there_is_told_and_what_may_not_be_seen_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: dict[str, str] = {}
    found = host_state.measure_fresh([str(tmp_path / "none"), "relative", "/a\0b"], errors)
    assert found == {str(tmp_path / "none"): {"why": "does not exist"}}
    assert set(errors) == {"fresh relative", "fresh /a\0b"}

    def refused(folder):
        raise PermissionError(13, "Permission denied", folder)

    monkeypatch.setattr(os, "scandir", refused)
    assert host_state.measure_fresh([str(tmp_path)], errors) == {}
    assert errors[f"fresh {tmp_path}"] == "Permission denied"


def test_what_nobody_asks_about_is_not_measured() -> None:
    state = host_state.measure([], ["/"])
    assert not {"packages", "security_updates", "package_manager", "time", "logs", "fresh"} & state.keys()
