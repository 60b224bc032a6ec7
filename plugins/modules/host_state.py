#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module host_state: everything a gate asks about a host, measured in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: host_state
short_description: Measure how a host is, in one round trip
version_added: "0.1.0"
description:
  - Measures services, failed units, free disk space and inodes, load, memory, swap and whether a reboot is
    required.
  - Where it is asked, measures packages, security updates, whether a package manager is at work, time,
    listening ports, processes, entries of the journal and the age of files.
  - Measures and decides nothing. What could not be measured is not in its place in the answer, but is named
    in RV(errors) with the reason; the module itself does not fail for it.
  - Changes nothing on the host, and does the same in check mode.
author:
  - wavegate
options:
  services:
    description:
      - Names of systemd units; a name without a suffix is a service.
    type: list
    elements: str
    default: []
  paths:
    description:
      - Absolute paths; the file system that holds each is measured.
    type: list
    elements: str
    default: ["/"]
  packages:
    description: Names of Debian packages.
    type: list
    elements: str
    default: []
  ports:
    description: Numbers of TCP ports.
    type: list
    elements: int
    default: []
  processes:
    description: Names of programs, as C(ps -o comm) shows them or as the last part of their first argument.
    type: list
    elements: str
    default: []
  logs:
    description: What to look for in the journal, newest entries first, 1000 of them at the most.
    type: list
    elements: dict
    default: []
    suboptions:
      unit:
        description: The systemd unit; a name without a suffix is a service.
        type: str
        required: true
      pattern:
        description: A regular expression, in which the case of letters counts.
        type: str
        required: true
      seconds:
        description: How far to look back.
        type: float
        required: true
  fresh:
    description: Absolute paths of files, or of folders whose newest file counts, at any depth.
    type: list
    elements: str
    default: []
  also:
    description: What takes a program of its own to find out.
    type: list
    elements: str
    choices: [security_updates, package_manager, time]
    default: []
attributes:
  check_mode:
    description: Measures the same in check mode.
    support: full
requirements:
  - systemd, for services, failed units and logs
  - dpkg and apt, for packages, security updates and the package manager
  - chrony or systemd-timesyncd, for time
notes:
  - Needs no root, except for paths that only root may enter, and for logs, which the groups C(adm) and
    C(systemd-journal) may read too.
"""

EXAMPLES = r"""
- name: Measure a web server
  host_state:
    services: [nginx, backup.timer]
    paths: [/, /var/lib/postgresql]
  register: measured
"""

RETURN = r"""
services:
  description:
    - The active state of each unit as systemd says it (V(active), V(inactive), V(failed), V(activating) ...),
      V(not-found) where there is no such unit.
  type: dict
  returned: always
  sample: {"nginx": "active"}
failed_units:
  description: All units of the host that are in state failed.
  type: list
  elements: str
  returned: when it could be measured
  sample: []
disk:
  description:
    - Of each path, what an ordinary user may still write to its file system, and that in percent of its size.
      Inodes are told where the file system has a number of them.
  type: dict
  returned: always
  sample:
    "/":
      free_bytes: 4200000000
      total_bytes: 10000000000
      free_percent: 42.0
      inodes_free_percent: 81.5
load_per_core:
  description: Load average of the last minute, divided by the number of processors.
  type: float
  returned: when it could be measured
  sample: 0.3
memory_available_percent:
  description: Memory that can be had without swapping, in percent of all memory.
  type: float
  returned: when it could be measured
  sample: 60.1
swap_total_bytes:
  description: Size of all swap; 0 where there is none.
  type: int
  returned: when it could be measured
  sample: 1073741824
swap_used_percent:
  description: Used swap, in percent of all swap.
  type: float
  returned: when it could be measured
  sample: 2.5
packages:
  description: The version of each package, "" of one that is not installed.
  type: dict
  returned: when it was asked
  sample: {"openssl": "3.0.17-1~deb12u2", "nginx": ""}
security_updates:
  description: How many packages have a newer version in a security archive, which, and how old the lists are.
  type: dict
  returned: when it was asked and could be measured
  sample: {"count": 1, "names": ["openssl"], "lists_age": 3600.5}
package_manager:
  description: Who holds which lock of dpkg and apt.
  type: list
  elements: str
  returned: when it was asked and could be measured
  sample: ["/var/lib/dpkg/lock-frontend is held by apt-get (process 814)"]
time:
  description: Whether the clock is in sync, by how many seconds it is off (where that is known), who says so.
  type: dict
  returned: when it was asked and could be measured
  sample: {"synced": true, "offset": -0.0012, "source": "chrony"}
listening:
  description: Whether something listens on each port, on any address.
  type: dict
  returned: when it was asked and could be measured
  sample: {"22": true}
processes:
  description: How many processes have each name.
  type: dict
  returned: when it was asked and could be measured
  sample: {"nginx": 5}
logs:
  description: The ages in seconds of the entries that match, newest first, and the text of the newest.
  type: list
  elements: dict
  returned: when it was asked; what could not be looked at is left out
  sample: [{"unit": "intranet", "pattern": "ERROR", "ages": [3.1, 70.2], "newest": "ERROR: disk is full"}]
fresh:
  description: The age in seconds of each file, or of the newest file in each folder; without one, why not.
  type: dict
  returned: when it was asked; what could not be looked at is left out
  sample: {"/var/backups/db": {"age": 3600.2, "newest": "monday.sql"}, "/srv/none": {"why": "does not exist"}}
reboot_required:
  description: Whether a package asked for a reboot. Known on Debian and its relatives only.
  type: bool
  returned: when it could be measured
  sample: false
errors:
  description:
    - What could not be measured, and why; by the name of the unit, the path, or the key that is missing.
  type: dict
  returned: always
  sample: {"/mnt/archive": "no answer within 3 s"}
"""

import contextlib  # noqa: E402
import fcntl  # noqa: E402
import os  # noqa: E402
import re  # noqa: E402
import struct  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

SECONDS = 3.0
SECONDS_TO_READ = 10.0
MOST_ENTRIES = 1000
MOST_FILES = 100000
LONGEST = 300
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+")
UNIT_SUFFIX = re.compile(r"\.(service|socket|target|timer|mount|automount|path|slice|scope|swap|device)$")
PACKAGE_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9-]+)?")
LOCKS = (
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/lock",
    "var/lib/apt/lists/lock",
    "var/cache/apt/archives/lock",
)
LISTENS = "0A"
UNITS_OF_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


class NotMeasuredError(Exception):
    """Why a measurement could not be taken."""


def run_program(arguments, seconds):
    """Return exit code, output and errors of a program; raise NotMeasuredError."""
    environment = dict(os.environ, LC_ALL="C", SYSTEMD_COLORS="0", SYSTEMD_PAGER="", SYSTEMD_URLIFY="0")
    try:
        done = subprocess.run(
            arguments,
            capture_output=True,
            check=False,
            env=environment,
            errors="replace",
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        raise NotMeasuredError(f"{arguments[0]} gave no answer within {seconds:g} s") from None
    except OSError as error:
        raise NotMeasuredError(f"{arguments[0]} cannot be run: {error.strerror}") from None
    return done.returncode, done.stdout, done.stderr


def ask_program(arguments, seconds, good=(0,)):
    """Return what a program printed that must end well; raise NotMeasuredError."""
    code, output, errors = run_program(arguments, seconds)
    if code not in good:
        said = errors.strip() or f"exit code {code}"
        raise NotMeasuredError(f"{arguments[0]} failed: {said}")
    return output


def run_systemctl(*arguments):
    """Return what systemctl printed; raise NotMeasuredError."""
    return ask_program(["systemctl", *arguments], SECONDS)


def full_name(name):
    """Return the name of a unit with its suffix."""
    return name if UNIT_SUFFIX.search(name) else f"{name}.service"


def parse_states(text, names):
    """Return {name: state} from `systemctl show`, whose paragraphs come in the order of the question."""
    paragraphs = [paragraph for paragraph in re.split(r"\n\s*\n", text.strip()) if paragraph]
    if len(paragraphs) != len(names):
        raise NotMeasuredError(f"systemctl told of {len(paragraphs)} units, asked for {len(names)}")
    states = {}
    for position, name in enumerate(names):
        lines = paragraphs[position].splitlines()
        said = dict(line.split("=", 1) for line in lines if "=" in line)
        state = "not-found" if said.get("LoadState") == "not-found" else said.get("ActiveState")
        if not state:
            raise NotMeasuredError(f"systemctl named no state of {name}")
        states[name] = state
    return states


def parse_units(text):
    """Return the names in the first column of `systemctl list-units --plain`."""
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def parse_sizes(text):
    """Return {name: kB} from the text of /proc/meminfo."""
    return dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))


def parse_swap(text):
    """Return the size of the swap in bytes, and what is used of it in percent, from /proc/meminfo."""
    sizes = parse_sizes(text)
    try:
        total, free = int(sizes["SwapTotal"]), int(sizes["SwapFree"])
    except KeyError as error:
        raise NotMeasuredError(f"/proc/meminfo has no {error.args[0]}") from None
    return total * 1024, round(100.0 * (total - free) / total, 2) if total else 0.0


def parse_memory(text):
    """Return the available memory in percent of all, from the text of /proc/meminfo."""
    sizes = parse_sizes(text)
    try:
        total, available = int(sizes["MemTotal"]), int(sizes["MemAvailable"])
    except KeyError as error:
        raise NotMeasuredError(f"/proc/meminfo has no {error.args[0]}") from None
    if total <= 0:
        raise NotMeasuredError("/proc/meminfo says that there is no memory")
    return round(100.0 * available / total, 2)


def measure_services(names, errors):
    """Return {name: state}; a name that is none does not hide the others."""
    valid = [name for name in names if UNIT_NAME.fullmatch(name) and not name.startswith("-")]
    errors.update((name, "this is not the name of a unit") for name in names if name not in valid)
    if not valid:
        return {}
    units = [full_name(name) for name in valid]
    try:
        return parse_states(run_systemctl("show", "--property=LoadState,ActiveState", "--", *units), valid)
    except NotMeasuredError as reason:
        errors["services"] = str(reason)
        return {}


def measure_failed_units():
    """Return the names of all failed units."""
    return parse_units(run_systemctl("list-units", "--state=failed", "--plain", "--no-legend", "--full"))


def describe_space(status):
    """Return free and total bytes, and free inodes where they have a number, from what statvfs said."""
    if status.f_blocks <= 0:
        raise NotMeasuredError("its file system has no size")
    space = {
        "free_bytes": status.f_bavail * status.f_frsize,
        "total_bytes": status.f_blocks * status.f_frsize,
        "free_percent": round(100.0 * status.f_bavail / status.f_blocks, 2),
    }
    if status.f_files > 0:
        space["inodes_free_percent"] = round(100.0 * status.f_favail / status.f_files, 2)
    return space


def look_at_paths(paths, look, errors, name="{}"):
    """Return {path: what `look` says}; a file system that does not answer is given up after SECONDS."""
    found = {}

    def look_at(path):
        try:
            found[path] = look(path)
        except NotMeasuredError as reason:
            errors[name.format(path)] = str(reason)
        except (OSError, ValueError) as error:
            errors[name.format(path)] = getattr(error, "strerror", None) or str(error)

    absolute = [path for path in paths if os.path.isabs(path)]
    for path in paths:
        if path not in absolute:
            errors[name.format(path)] = "this is not an absolute path"
    threads = {path: threading.Thread(target=look_at, args=(path,), daemon=True) for path in absolute}
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + SECONDS
    for path, thread in threads.items():
        thread.join(max(deadline - time.monotonic(), 0))
        if thread.is_alive():
            errors[name.format(path)] = f"no answer within {SECONDS:g} s"
    return {path: found[path] for path in absolute if path in found and name.format(path) not in errors}


def measure_disk(paths, errors):
    """Return {path: free space}; paths whose inodes cannot be told are named under `inodes of PATH`."""
    found = look_at_paths(paths, lambda path: describe_space(os.statvfs(path)), errors)
    for path, space in found.items():
        if "inodes_free_percent" not in space:
            errors[f"inodes of {path}"] = "its file system has no fixed number of inodes"
    return found


def measure_load():
    """Return the load of the last minute per processor."""
    try:
        return round(os.getloadavg()[0] / (os.cpu_count() or 1), 3)
    except OSError as error:
        raise NotMeasuredError(f"the load cannot be had: {error}") from None


def read_file(path):
    """Return the text of a file under /proc; raise NotMeasuredError."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError as error:
        raise NotMeasuredError(f"{path} cannot be read: {error.strerror}") from None


def measure_memory(path="/proc/meminfo"):
    """Return the available memory in percent."""
    return parse_memory(read_file(path))


def measure_reboot_required(root="/"):
    """Return whether the file lies there with which Debian's packages ask for a reboot."""
    if not os.path.exists(os.path.join(root, "etc/debian_version")):
        raise NotMeasuredError("only Debian and its relatives tell whether a reboot is required")
    return any(
        os.path.exists(os.path.join(root, path))
        for path in ("run/reboot-required", "var/run/reboot-required")
    )


def measure_packages(names, errors):
    """Return {name: version}, "" for one that is not installed."""
    valid = [name for name in names if PACKAGE_NAME.fullmatch(name)]
    errors.update(
        (f"package {name}", "this is not the name of a package") for name in names if name not in valid
    )
    if not valid:
        return {}
    shape = "${Package}\\t${binary:Package}\\t${db:Status-Status}\\t${Version}\\n"
    try:
        # It ends with 1 where one of them is unknown, which is an answer.
        output = ask_program(
            ["dpkg-query", "--show", "--showformat", shape, "--", *valid], SECONDS, good=(0, 1)
        )
    except NotMeasuredError as reason:
        errors["packages"] = str(reason)
        return {}
    versions = dict.fromkeys(valid, "")
    for line in output.splitlines():
        short, full, status, version = (line.split("\t") + [""] * 4)[:4]
        if status == "installed":
            versions.update((name, version) for name in (short, full) if name in versions)
    return versions


def parse_policy(text):
    """Return the packages that `apt-cache policy` offers a newer version of from a security archive."""
    pending = []
    package = candidate = ""
    counts = False
    for line in text.splitlines():
        version = re.match(r" (\*\*\*|   ) (\S+) -?\d", line)
        if line and not line.startswith(" "):
            package, counts = line.rstrip(":"), False
        elif line.startswith("  Candidate: "):
            candidate = line.split(": ", 1)[1]
        elif version:
            # From the candidate down to the installed version: what an upgrade would go over.
            counts = version[1] != "***" and (counts or version[2] == candidate)
        elif counts and is_security(line.split()) and package not in pending:
            pending.append(package)
    return pending


def is_security(source):
    """Return whether a source (priority, address, suite/component ...) is a security archive."""
    _, address, suite = (source + [""] * 3)[:3]
    return suite.split("/")[0].endswith("-security") or "/debian-security" in address


def measure_security_updates(root="/"):
    """Return which packages wait for a security update, by apt's own lists as they are."""
    lists = os.path.join(root, "var/lib/apt/lists")
    try:
        names = [name for name in os.listdir(lists) if "_Packages" in name]
    except OSError as error:
        raise NotMeasuredError(f"there are no lists of apt: {error.strerror}") from None
    if not any("-security_" in name or "_debian-security_" in name for name in names):
        raise NotMeasuredError("apt has no list of a security archive")
    for path in [os.path.join(lists, name) for name in names] + sources_of_apt(root):
        if not os.access(path, os.R_OK):
            raise NotMeasuredError(f"this user may not read {path}")
    installed = ask_program(
        ["dpkg-query", "--show", "--showformat", "${db:Status-Status} ${binary:Package}\\n"], SECONDS
    )
    packages = [line.split()[1] for line in installed.splitlines() if line.startswith("installed ")]
    # Without its cache files apt writes nothing, not even as root.
    nothing_written = (
        ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="] if os.geteuid() == 0 else []
    )
    pending = parse_policy(ask_program(["apt-cache", *nothing_written, "policy", *packages], SECONDS_TO_READ))
    return {"count": len(pending), "names": pending[:20], "lists_age": round(age_of_lists(root), 1)}


def sources_of_apt(root):
    """Return the files that name apt's sources."""
    paths = [os.path.join(root, "etc/apt/sources.list")]
    folder = os.path.join(root, "etc/apt/sources.list.d")
    with contextlib.suppress(OSError):
        paths += [os.path.join(folder, name) for name in os.listdir(folder)]
    return [path for path in paths if path.endswith((".list", ".sources")) and os.path.exists(path)]


def age_of_lists(root):
    """Return how many seconds ago apt's lists were last brought up to date."""
    times = []
    for path in (
        "var/lib/apt/lists",
        "var/lib/apt/lists/partial",
        "var/lib/apt/periodic/update-success-stamp",
    ):
        with contextlib.suppress(OSError):
            times.append(os.stat(os.path.join(root, path)).st_mtime)
    return max(time.time() - max(times), 0)


def measure_package_manager(root="/"):
    """Return who holds which lock of dpkg and apt."""
    paths = [path for path in (os.path.join(root, lock) for lock in LOCKS) if os.path.exists(path)]
    if not os.path.isdir(os.path.join(root, "var/lib/dpkg")):
        raise NotMeasuredError("there is no dpkg here, and no other package manager is known")
    held, hidden = [], []
    for path in paths:
        try:
            holder = find_holder(path)
        except PermissionError:
            hidden.append(path)
            continue
        if holder is not None:
            held.append(describe_holder(path, holder))
    if hidden and not held:
        held = find_holders_of_all(hidden, os.path.join(root, "var/lib/dpkg/status"))
    return held


def find_holder(path):
    """Return the process that holds the lock on a file, None when nobody does, without taking it."""
    shape = "hhqqi"
    with open(path, "rb") as stream:
        question = struct.pack(shape, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack(shape, fcntl.fcntl(stream.fileno(), fcntl.F_GETLK, question))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def find_holders_of_all(paths, example):
    """Return who holds locks on files that only root may open, as the kernel's table of locks says.

    Its numbers of files are those of `stat` on most file systems, not on all: a lock of our own on a file
    that everybody may read shows whether they are here.
    """
    with open(example, "rb") as stream:
        fcntl.lockf(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        own = os.fstat(stream.fileno())
        table = parse_locks(read_file("/proc/locks"))
    device = next((place[0] for place, pid in table if pid == os.getpid() and place[1] == own.st_ino), None)
    if device is None:
        raise NotMeasuredError("only root can tell on this file system")
    held = []
    for path in paths:
        status = os.stat(path)
        numbers = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
        place = (device if status.st_dev == own.st_dev else numbers, status.st_ino)
        held += [describe_holder(path, pid) for where, pid in table if where == place]
    return held


def parse_locks(text):
    """Return ((device, inode), process) of every POSIX lock that is held, from the text of /proc/locks."""
    found = re.findall(r"^\d+: POSIX\s+\S+\s+\S+ (-?\d+) ([0-9a-f]+:[0-9a-f]+):(\d+) ", text, re.MULTILINE)
    return [((device, int(inode)), int(pid)) for pid, device, inode in found]


def describe_holder(path, pid):
    """Return one sentence about who holds a lock."""
    name = "a process that is not visible from here"
    with contextlib.suppress(NotMeasuredError):
        name = f"{read_file(f'/proc/{pid}/comm').strip()} (process {pid})"
    return f"{path} is held by {name}"


def measure_time(errors):
    """Return whether the clock is in sync, as chrony says, or else systemd."""
    try:
        return parse_chrony(ask_program(["chronyc", "-n", "-c", "tracking"], SECONDS))
    except NotMeasuredError as reason:
        why = str(reason)
    try:
        said = ask_program(["timedatectl", "show", "--property=NTPSynchronized", "--value"], SECONDS).strip()
    except NotMeasuredError as reason:
        raise NotMeasuredError(f"{why}; {reason}") from None
    if said not in ("yes", "no"):
        raise NotMeasuredError(f"timedatectl does not say whether time is in sync: {said}")
    found = {"synced": said == "yes", "source": "systemd"}
    try:
        found["offset"] = parse_offset(ask_program(["timedatectl", "timesync-status"], SECONDS))
    except NotMeasuredError as reason:
        errors["time_offset"] = str(reason)
    return found


def parse_chrony(text):
    """Return what `chronyc -c tracking` says."""
    fields = text.strip().split(",")
    try:
        return {"synced": fields[13] != "Not synchronised", "offset": float(fields[4]), "source": "chrony"}
    except (IndexError, ValueError):
        raise NotMeasuredError(f"chronyc said something else: {text[:80]!r}") from None


def parse_offset(text):
    """Return the seconds in the line `Offset: +1.234ms` of `timedatectl timesync-status`."""
    line = re.search(r"^\s*Offset: ([+-]?)(.+)$", text, re.MULTILINE)
    parts = re.findall(r"([0-9.]+)(us|ms|s|min|h|d)\b", line[2]) if line else []
    if not parts:
        raise NotMeasuredError("systemd-timesyncd names no offset")
    return sum(float(number) * UNITS_OF_TIME[unit] for number, unit in parts) * (-1 if line[1] == "-" else 1)


def measure_listening(ports, tables=("/proc/net/tcp", "/proc/net/tcp6")):
    """Return {port: whether something listens there}."""
    texts = [read_file(table) for table in tables if os.path.exists(table)]
    if not texts:
        raise NotMeasuredError(f"there is no {tables[0]}")
    rows = [(line.split() + [""] * 4)[:4] for text in texts for line in text.splitlines()[1:]]
    listening = {int(local.rpartition(":")[2], 16) for _, local, _, state in rows if state == LISTENS}
    return {str(port): port in listening for port in ports}


def measure_processes(names):
    """Return {name: number of processes}; zombies, and what serves this very question, do not count."""
    try:
        read_file("/proc/1/stat")
    except NotMeasuredError as reason:
        raise NotMeasuredError(f"other users' processes cannot be seen: {reason}") from None
    counts = dict.fromkeys(names, 0)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(NotMeasuredError):
            for name in names_of_process(pid).intersection(counts):
                counts[name] += 1
    return counts


def names_of_process(pid):
    """Return the names of a process: of its program, and of what it was called by."""
    status = read_file(f"/proc/{pid}/stat")
    name, _, rest = status.partition("(")[2].rpartition(")")
    state, _, _, session = rest.split()[:4]
    if state in ("Z", "X", "x") or int(session) == os.getsid(0):
        return set()
    called = read_file(f"/proc/{pid}/cmdline").split("\0")[0]
    return {name, os.path.basename(called)}


def measure_logs(looks, errors):
    """Return what the journal holds of what is looked for."""
    units = sorted({look["unit"] for look in looks})
    known = measure_services(units, errors)
    found = []
    for look in looks:
        unit = look["unit"]
        if unit not in known:
            errors[f"log of {unit}"] = errors.get(unit) or errors.get("services") or "it is not known"
            continue
        try:
            seen = look_into_journal(unit, look["pattern"], look["seconds"])
        except NotMeasuredError as reason:
            errors[f"log of {unit}"] = str(reason)
            continue
        # A unit that was started for once is gone when it ends, and has a log all the same.
        if seen["ages"] or known[unit] != "not-found":
            found.append(seen)
        else:
            errors[f"log of {unit}"] = "there is no such unit"
    return found


def look_into_journal(unit, pattern, seconds):
    """Return the ages of the newest entries that match, and the text of the newest one."""
    now = time.time()
    code, output, said = run_program(
        [
            "journalctl",
            f"--unit={full_name(unit)}",
            f"--since=@{now - seconds:.6f}",
            f"--lines={MOST_ENTRIES}",
            f"--grep={pattern}",
            "--case-sensitive=yes",
            "--reverse",
            "--output=short-unix",  # of JSON it would not say that this user sees only a part
            "--no-hostname",
            "--no-pager",
        ],
        SECONDS_TO_READ,
    )
    if said.strip():  # it also says so when it may see only a part, and ends well
        told = " ".join(said.split())
        hidden = "not seeing messages" in told or "insufficient permissions" in told
        raise NotMeasuredError(
            "this user may not read the journal" if hidden else f"journalctl: {told[:LONGEST]}"
        )
    if code not in (0, 1):  # 1 is: nothing matches
        raise NotMeasuredError(f"journalctl ended with exit code {code}")
    entries = re.findall(r"^(\d+\.\d+) (.*)$", output, re.MULTILINE)
    ages = [round(now - float(written), 3) for written, _ in entries]
    newest = entries[0][1].partition(": ")[2][:LONGEST] if entries else ""
    return {"unit": unit, "pattern": pattern, "ages": ages, "newest": newest}


def measure_fresh(paths, errors):
    """Return {path: age}, or why there is none, of files and of the newest files in folders."""
    return look_at_paths(paths, look_for_newest, errors, "fresh {}")


def look_for_newest(path):
    """Return the age of the file, or of the newest file in the folder; empty files do not count."""
    now = time.time()
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return {"why": "does not exist"}
    if not os.path.isdir(path):
        return {"age": round(now - status.st_mtime, 1)} if status.st_size else {"why": "is empty"}
    newest, name, seen = None, "", 0
    for folder, _, names in os.walk(path, onerror=refuse_folder):
        for entry in names:
            seen += 1
            if seen > MOST_FILES:
                raise NotMeasuredError(f"there are more than {MOST_FILES} files in it")
            with contextlib.suppress(FileNotFoundError):
                status = os.stat(os.path.join(folder, entry))
                if status.st_size and (newest is None or status.st_mtime > newest):
                    newest, name = status.st_mtime, os.path.relpath(os.path.join(folder, entry), path)
    return (
        {"why": "holds no file that is not empty"}
        if newest is None
        else {"age": round(now - newest, 1), "newest": name}
    )


def refuse_folder(error):
    """Have os.walk tell of a folder that may not be read, which it would leave out in silence."""
    raise error


def measure(services, paths, more=None):
    """Return all measurements; what could not be measured is named under `errors` only."""
    more = more or {}
    errors = {}
    state = {"services": measure_services(services, errors), "disk": measure_disk(paths, errors)}
    for key, take in measurements_of(more, errors).items():
        try:
            state[key] = take()
        except NotMeasuredError as reason:
            errors[key] = str(reason)
    try:
        state["swap_total_bytes"], state["swap_used_percent"] = parse_swap(read_file("/proc/meminfo"))
    except NotMeasuredError as reason:
        errors["swap_used_percent"] = str(reason)
    return dict(state, errors=errors)


def measurements_of(more, errors):
    """Return what is to be measured, by its key: what costs little always, the rest where it is asked."""
    asked = {
        "packages": lambda: measure_packages(more["packages"], errors),
        "listening": lambda: measure_listening(more["ports"]),
        "processes": lambda: measure_processes(more["processes"]),
        "logs": lambda: measure_logs(more["logs"], errors),
        "fresh": lambda: measure_fresh(more["fresh"], errors),
    }
    also = {
        "security_updates": measure_security_updates,
        "package_manager": measure_package_manager,
        "time": lambda: measure_time(errors),
    }
    arguments = {"listening": "ports"}
    return {
        "failed_units": measure_failed_units,
        "load_per_core": measure_load,
        "memory_available_percent": measure_memory,
        "reboot_required": measure_reboot_required,
        **{key: take for key, take in asked.items() if more.get(arguments.get(key, key))},
        **{key: take for key, take in also.items() if key in more.get("also", ())},
    }


def main():
    """Run the module."""
    texts = {"type": "list", "elements": "str", "default": []}
    log = {
        "unit": {"type": "str", "required": True},
        "pattern": {"type": "str", "required": True},
        "seconds": {"type": "float", "required": True},
    }
    also = ["security_updates", "package_manager", "time"]
    module = AnsibleModule(
        argument_spec={
            "services": texts,
            "paths": {**texts, "default": ["/"]},
            "packages": texts,
            "ports": {**texts, "elements": "int"},
            "processes": texts,
            "logs": {**texts, "elements": "dict", "options": log},
            "fresh": texts,
            "also": {**texts, "choices": also},
        },
        supports_check_mode=True,
    )
    values = module.params
    module.exit_json(changed=False, **measure(values["services"], values["paths"], values))


if __name__ == "__main__":
    main()
