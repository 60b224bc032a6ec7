#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module wavegate_patches: find out, record, install and take back patches of Debian packages."""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import functools
import glob
import json
import os
import platform
import re
import shutil
import struct
import subprocess
import time
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.respawn import has_respawned, respawn_module

try:
    import apt
    import apt_pkg
except ImportError:
    apt = apt_pkg = None

DOCUMENTATION = r"""
---
module: wavegate_patches
short_description: Find out, record, install and take back patches of Debian packages
version_added: "0.1.0"
description:
  - What the role os_patches does on a host, each state in one round trip. Needs python3-apt there.
  - V(looked) and V(compared) only look; in check mode no state changes anything.
options:
  state:
    description:
      - V(looked) resolves which versions the host should get, from the lists that it has.
      - V(ready) waits for a busy package manager, repairs an interrupted dpkg and fetches old lists anew.
      - V(recorded) writes the versions of all packages into O(record), once.
      - V(fetched) downloads the archives of O(transaction), and of the versions that they replace.
      - V(installed) installs O(transaction) in one transaction, and writes it down before.
      - V(restarted) restarts the services that run on files which were replaced, and awaits them.
      - V(compared) says what is to be done to take back what O(record) says was installed.
      - V(rolled_back) does it, in one transaction.
      - V(restored) has the same packages on hold as recorded.
      - V(held) puts O(hold) on hold.
    type: str
    required: true
    choices: [looked, ready, recorded, fetched, installed, compared, rolled_back, restarted, restored, held]
  record:
    description: The folder of the record of one change, absolute. Only V(looked) can do without.
    type: path
  scope:
    description: Which versions are wanted; those of a security archive, all, or those of O(versions).
    type: str
    choices: [security, all, list]
    default: security
  versions:
    description: Package to exact version, for the scope V(list).
    type: dict
    default: {}
  exclude:
    description: Patterns of packages, or of the source packages they are built from, that stay as they are.
    type: list
    elements: str
    default: []
  pins:
    description: What earlier hosts of the rollout got, as in C(wavegate_pins).
    type: dict
    default: {}
  tools:
    description: Packages that the role itself needs.
    type: list
    elements: str
    default: []
  transaction:
    description: The packages to install, each as name=version.
    type: list
    elements: str
    default: []
  lock_timeout:
    description: Seconds to wait for a busy package manager.
    type: int
    default: 300
  lists_age:
    description: Seconds after which V(ready) fetches the lists anew.
    type: int
    default: 3600
  hold:
    description: Packages to put on hold.
    type: list
    elements: str
    default: []
  bar:
    description: Whether V(rolled_back) bars the versions that it takes back.
    type: bool
    default: true
  lift:
    description: Whether V(ready) lifts what was barred.
    type: bool
    default: false
  keep_running:
    description: Patterns of units that V(restarted) never restarts.
    type: list
    elements: str
    default: []
  start_timeout:
    description: Seconds that a restarted service has to be active.
    type: int
    default: 60
author:
  - wavegate
attributes:
  check_mode:
    description: Says what would change, and changes nothing.
    support: full
  diff_mode:
    description: Shows the versions before and after a transaction.
    support: full
"""

EXAMPLES = r"""
- name: Which security updates are pending
  wavegate_patches: {state: looked}
  register: found
"""

RETURN = r"""
patches:
  description: What was found and done; the keys depend on the state.
  returned: always
  type: dict
"""

ARCHIVES = "/var/cache/apt/archives"
LISTS = "/var/lib/apt/lists"
LOCKS = ("/var/lib/dpkg/lock-frontend", "/var/lib/dpkg/lock", f"{LISTS}/lock", f"{ARCHIVES}/lock")
BARRED = "/etc/apt/preferences.d/wavegate-rolled-back"
LINE = re.compile(r"^(Inst|Remv|Purg) (\S+)", re.MULTILINE)
MANAGER = "systemd-manager"
"""What needrestart calls the first process."""
LOOK_EVERY = 0.3
PATIENCE = 3600


class PatchError(Exception):
    """What a person is told."""


# ---------------------------------------------------------------- programs, files


def run(*command, seconds=120):
    """Return what a program that only asks printed, "" where it could not be started or failed."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds, check=False, env=quiet()
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def must(command):
    """Return what the program printed; PatchError with its last lines where it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=quiet())
    if done.returncode:
        said = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise PatchError(f"{' '.join(command[:1])} failed ({done.returncode}): {' | '.join(said[-8:])}")
    return done.stdout


def quiet():
    """Return an environment in which nothing asks, and needrestart does nothing of its own."""
    own = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    return {**os.environ, "APT_LISTCHANGES_FRONTEND": "none", "UCF_FORCE_CONFFOLD": "1", **own}


def apt_get(timeout, *words):
    """Return the command line of apt-get: it asks nothing, keeps changed configuration, waits for locks."""
    options = [
        f"DPkg::Lock::Timeout={timeout}", "Dpkg::Use-Pty=0", "Dpkg::Options::=--force-confdef",
        "Dpkg::Options::=--force-confold", "APT::Keep-Downloaded-Packages=true",
    ]  # fmt: skip
    return [
        "apt-get",
        "-q",
        "-y",
        "--no-install-recommends",
        *(w for o in options for w in ("-o", o)),
        *words,
    ]


def read_json(path):
    """Return what the file holds, None where there is none."""
    try:
        return json.loads(Path(path).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise PatchError(f"{path} is damaged: {error}; take the record away, or use another id") from None


def write_file(path, text, mode):
    """Write the file as a whole, or not at all."""
    half = f"{path}.half"
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)


def write_json(path, content):
    """Write what only root may read."""
    write_file(path, json.dumps(content, indent=1, sort_keys=True) + "\n", 0o600)


def free_bytes(path):
    """Return the free bytes of the file system that holds the path, or would hold it."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def make_folder(path):
    """Make the folder and those above it that are not there, for root only."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for each in reversed(missing):
        os.mkdir(each, 0o700)


# ---------------------------------------------------------------- the package manager


def lock_holder():
    """Return who holds one of the package manager's locks, "" where nobody does."""
    for path in LOCKS:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
            ask = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            kind, _, _, _, pid = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, ask))
            if kind != fcntl.F_UNLCK:
                return f"{name_of(pid)} (process {pid})"
    return ""


def name_of(pid):
    """Return the command line of a process, as far as it can be read."""
    with contextlib.suppress(OSError):
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode(errors="replace")[:80]
            .strip()
        )
    return "a process"


def await_locks(seconds):
    """Return (who was waited for, how long); PatchError where the wait was in vain."""
    start, first = time.monotonic(), ""
    while True:
        holder = lock_holder()
        waited = time.monotonic() - start
        if not holder:
            return first, round(waited, 1)
        first = first or holder
        if waited > seconds:
            raise PatchError(
                f"the package manager is busy: {holder} held its lock for all of {seconds} s; wait for it, or"
                " raise os_patches_lock_timeout"
            )
        time.sleep(LOOK_EVERY)


def is_interrupted():
    """Return whether dpkg was cut off before it was done."""
    return bool(run("dpkg", "--audit").strip()) or any(os.scandir("/var/lib/dpkg/updates"))


def repair(timeout):
    """Let dpkg and apt end what was cut off."""
    must(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"])
    must(apt_get(timeout, "--fix-broken", "install"))
    if is_interrupted():
        raise PatchError(f"dpkg could not be repaired: {run('dpkg', '--audit').strip()}")


def lists_age():
    """Return the seconds since the oldest of the lists was fetched, None where a source has none."""
    if not glob.glob(f"{LISTS}/*_Packages*"):
        return None
    stamp = max(os.stat(path).st_mtime for path in (LISTS, f"{LISTS}/partial") if os.path.isdir(path))
    sources = [*glob.glob("/etc/apt/sources.list"), *glob.glob("/etc/apt/sources.list.d/*")]
    if any(os.stat(path).st_mtime > stamp for path in sources):
        return None
    return int(time.time() - stamp)


# ---------------------------------------------------------------- what is wanted


def open_cache():
    """Return apt's view of the host; PatchError where it has none."""
    try:
        return apt.Cache()
    except Exception as error:
        raise PatchError(f"apt cannot read its lists: {error}") from None


@functools.lru_cache(maxsize=2)
def installed_of(cache):
    """Return the installed packages; to go through all that a release has would take its time."""
    shown = run("dpkg-query", "-W", "-f", "${db:Status-Abbrev} ${binary:Package}\n")
    names = [words[-1] for words in map(str.split, shown.splitlines()) if words[0][1:2] not in ("n", "c")]
    return [cache[name] for name in names if name in cache and cache[name].is_installed]


def versions_of(cache):
    """Return the installed version of every package."""
    return {package.name: package.installed.version for package in installed_of(cache)}


def release():
    """Return the system's id, version_id, codename and architecture."""
    rows = (line.partition("=") for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    found = {key: value.strip('"') for key, _, value in rows}
    architecture = run("dpkg", "--print-architecture").strip()
    return {
        "id": found.get("ID", ""), "version_id": found.get("VERSION_ID", ""),
        "codename": found.get("VERSION_CODENAME", ""), "architecture": architecture,
    }  # fmt: skip


def is_security(version):
    """Return whether the version comes from a security archive."""
    return any(
        origin.archive.endswith("-security") or origin.label.endswith("-Security")
        for origin in version.origins
    )


def is_held(package):
    """Return whether somebody has put the package on hold."""
    return package._pkg.selected_state == apt_pkg.SELSTATE_HOLD  # noqa: SLF001 - python-apt has no other way


def is_excluded(package, patterns):
    """Return whether the package, or the source package it is built from, matches a pattern."""
    names = {package.shortname, package.name, package.installed.source_name}
    return any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)


def is_newer(one, other):
    """Return whether the first version is newer, as dpkg orders versions."""
    return apt_pkg.version_compare(one, other) > 0


def is_to_be_had(version):
    """Return whether a repository has the version."""
    return any(origin.component != "now" for origin in version.origins)


def archive_of(name, version, architecture):
    """Return the path of the archive in the local cache, under apt's own name for it."""
    return f"{ARCHIVES}/{name.partition(':')[0]}_{version.replace(':', '%3a')}_{architecture}.deb"


def has_archive(version):
    """Return whether the local cache has the archive."""
    return os.path.isfile(archive_of(version.package.shortname, version.version, version.architecture))


def find_version(package, text):
    """Return the package's version of that number that a repository has, None where there is none."""
    return next((each for each in package.versions if each.version == text and is_to_be_had(each)), None)


def newest(package, scope):
    """Return the version that the scope wants, None where that is the installed one."""
    if scope == "all":
        wanted = package.candidate
        return wanted if wanted and is_newer(wanted.version, package.installed.version) else None
    newer = [
        version
        for version in package.versions
        if version > package.installed and is_security(version) and version.policy_priority > 0
    ]
    return max(newer, default=None)


def pin_key(system, name):
    """Return under which name a rollout keeps the version of a package."""
    return f"os_patches {system['codename']}/{system['architecture']} {name}"


def choose(package, asked, found):
    """Return the version that the package should get, None where it should stay; tell why it cannot."""
    name, installed = package.name, package.installed.version
    pinned = str(asked["pins"].get(pin_key(asked["system"], name), "")).split()
    if asked["scope"] == "list":
        text = str(asked["versions"].get(name, ""))
        if text and is_newer(installed, text):
            found["older"].append(f"{name} {text} (installed is {installed})")
            return None
    else:
        version = newest(package, asked["scope"])
        text = version.version if version else ""
    if pinned and (text or asked["scope"] != "list"):
        text = pinned[0]
    if not text or not is_newer(text, installed):
        return None
    if is_held(package) or is_excluded(package, asked["exclude"]):
        found["held" if is_held(package) else "excluded"].append(f"{name} {text}")
        return None
    version = find_version(package, text)
    if version is None or pinned[1:] not in ([], [version.sha256]):
        why = "which the first host of this rollout got" if pinned else "which was asked for"
        found["missing"].append(f"{name} {text} ({why}{' with the same content' if version else ''})")
        return None
    return version


def resolve(cache, asked):
    """Return what should be changed and what stands against it; the cache is marked accordingly."""
    found = {key: [] for key in ("missing", "older", "held", "excluded", "kept_back", "unknown")}
    found["unknown"] = [name for name in asked["versions"] if name not in cache and asked["scope"] == "list"]
    chosen = [(package, choose(package, asked, found)) for package in installed_of(cache)]
    chosen = [(package, version) for package, version in chosen if version is not None]
    for package, version in chosen:
        package.candidate = version
    mark(chosen)
    if cache.broken_count or cache.delete_count:
        found["kept_back"] = mark_singly(cache, chosen)
    return found


def mark(chosen):
    """Mark all of them, and what they need besides."""
    for package, _ in chosen:
        package.mark_install(auto_fix=False, from_user=False)


def mark_singly(cache, chosen):
    """Mark those that go in without removing or breaking something; return the others."""
    cache.clear()
    good, bad = [], []
    for package, version in chosen:
        for each, wanted in [*good, (package, version)]:
            each.candidate = wanted
        mark([*good, (package, version)])
        fine = not cache.broken_count and not cache.delete_count
        (good if fine else bad).append((package, version))
        cache.clear()
    for each, wanted in good:
        each.candidate = wanted
    mark(good)
    return [f"{package.name} {version.version}" for package, version in bad]


def describe(package, system):
    """Return what is about to happen to a package."""
    new, old = package.candidate, package.installed
    return {
        "name": package.name, "to": new.version, "from": old.version if old else None,
        "security": is_security(new), "auto": package.is_auto_installed or old is None,
        "pin": pin_key(system, package.name), "digest": new.sha256 or "",
        "way_back": old is None or is_to_be_had(old) or has_archive(old),
    }  # fmt: skip


def look(params):
    """Return what the host should get, and everything that the role must know before."""
    cache, system = open_cache(), release()
    asked = {key: params[key] for key in ("scope", "versions", "exclude", "pins")}
    found = resolve(cache, {**asked, "system": system})
    changes = sorted((describe(p, system) for p in cache.get_changes()), key=lambda change: change["name"])
    tools = {name: cache[name].is_installed if name in cache else False for name in params["tools"]}
    return {
        **found, "os": system, "upgrade": changes, "tools": tools,
        "offered_tools": [name for name in params["tools"] if name in cache and cache[name].candidate],
        "transaction": [f"{change['name']}={change['to']}" for change in changes],
        "download": cache.required_download, "grows": cache.required_space,
        "installed": len(versions_of(cache)), "interrupted": is_interrupted(), "busy": lock_holder(),
        "free": {path: free_bytes(path) for path in (ARCHIVES, "/usr", "/var/lib")},
        "boot_free": free_bytes("/boot"),
        "lists_age": lists_age(), **boot_facts(), **plan_facts(params["record"], cache),
    }  # fmt: skip


# ---------------------------------------------------------------- the record of one change


def plan_facts(record, cache):
    """Return what the record says was to be done, and what of it is not so now."""
    plan = (record and read_json(f"{record}/plan.json")) or {"changes": {}, "undone": False}
    now = versions_of(cache)
    wrong = []
    for name, change in plan["changes"].items():
        wanted = change["from"] if plan["undone"] else change["to"]
        late = wanted and now.get(name) and not plan["undone"] and is_newer(now[name], wanted)
        if now.get(name) != wanted and not late:
            wrong.append(
                f"{name} is {now.get(name) or 'not installed'} instead of {wanted or 'not installed'}"
            )
    known = (record and read_json(f"{record}/before.json")) or {"failed": failed_units()}
    return {
        "planned": len(plan["changes"]), "undone": plan["undone"], "wrong": wrong,
        "restarts_done": plan.get("restarted", True),
        "new_failures": sorted(set(failed_units()) - set(known["failed"])),
    }  # fmt: skip


def record_before(params, check):
    """Write the versions of all packages, once for each change; say whether there was none."""
    path = f"{params['record']}/before.json"
    if read_json(path) is not None:
        return {"changed": False}
    cache = open_cache()
    if not check:
        make_folder(params["record"])
        write_json(
            path, {"at": stamp(), "packages": versions_of(cache), **states_of(cache), **services_before()}
        )
    return {"changed": True}


def states_of(cache):
    """Return which packages are there for others, and which are on hold."""
    installed = installed_of(cache)
    return {
        "auto": sorted(package.name for package in installed if package.is_auto_installed),
        "held": sorted(package.name for package in installed if is_held(package)),
    }


def services_before():
    """Return the services that are in a bad way already."""
    return {"outdated": {unit: invocation(unit) for unit in outdated()}, "failed": failed_units()}


def need_record(params):
    """Return the record of the versions before; PatchError where there is none."""
    before = read_json(f"{params['record']}/before.json")
    if before is None:
        raise PatchError(
            f"nothing is recorded in {params['record']}, so nothing was changed; the backup procedure"
            " writes the record before a change (is os_patches_backup_id the one of that change?)"
        )
    return before


def stamp():
    """Return the time, as people and programs read it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


# ---------------------------------------------------------------- changing packages


def archives_wanted(cache, transaction):
    """Return (path, name=version) of the new archives and of those that they replace."""
    wanted = []
    for name, _, text in (each.partition("=") for each in transaction):
        package = cache[name]
        versions = [find_version(package, text), package.installed]
        for version in versions:
            if version is not None and is_to_be_had(version):
                path = archive_of(package.shortname, version.version, version.architecture)
                wanted.append((path, f"{name}={version.version}"))
    return wanted


def fetch(params, check):
    """Download what is not there yet, into the local cache of apt."""
    missing = [
        word
        for path, word in archives_wanted(open_cache(), params["transaction"])
        if not os.path.isfile(path)
    ]
    if missing and not check:
        make_partial()
        command = [
            "apt-get",
            "-q",
            "-o",
            "Debug::NoLocking=true",
            "-o",
            "APT::Sandbox::User=root",
            "download",
        ]
        done = subprocess.run(
            [*command, *missing], cwd=f"{ARCHIVES}/partial", capture_output=True, text=True,
            timeout=PATIENCE, check=False, env=quiet(),
        )  # fmt: skip
        if done.returncode:
            raise PatchError(f"the download failed: {(done.stdout + done.stderr).strip()[-400:]}")
        for path in glob.glob(f"{ARCHIVES}/partial/*.deb"):
            os.replace(path, f"{ARCHIVES}/{os.path.basename(path)}")
    return {"changed": bool(missing), "fetched": missing}


def make_partial():
    """Have the folder in which downloads are made; they lie beside it when they are whole."""
    os.makedirs(f"{ARCHIVES}/partial", 0o700, exist_ok=True)
    for path in glob.glob(f"{ARCHIVES}/partial/*"):
        os.unlink(path)


def install(params, check):
    """Install the transaction; what is about to change is written down before."""
    before, cache = need_record(params) if not check else {}, open_cache()
    now = versions_of(cache)
    words = [
        word for word in params["transaction"] if now.get(word.partition("=")[0]) != word.partition("=")[2]
    ]
    if words and not check:
        names = {word.partition("=")[0] for word in words}
        extend_plan(params["record"], words, now)
        simulate(params, words, allowed=set())
        auto = [name for name in names if name not in now or name in before["auto"]]
        must(apt_get(params["lock_timeout"], "--no-remove", "install", *words))
        mark_auto(auto)
        after = versions_of(open_cache())
        write_json(f"{params['record']}/after.json", {"at": stamp(), "packages": after})
    return {
        "changed": bool(words),
        "diff": {"before": lines(words, now), "after": "".join(f"{w}\n" for w in words)},
    }


def lines(words, now):
    """Return the versions before, a line for each word that says a version after."""
    names = [word.partition("=")[0] for word in words]
    return "".join(f"{name}={now[name]}\n" for name in names if name in now)


def extend_plan(record, words, now):
    """Write down what this change is about to do; what it did before under the same id stays first."""
    plan = read_json(f"{record}/plan.json") or {"at": stamp(), "changes": {}}
    for name, _, version in (word.partition("=") for word in words):
        known = plan["changes"].setdefault(name, {"from": now.get(name)})
        known["to"] = version
    write_json(f"{record}/plan.json", {**plan, "undone": False, "restarted": False})


def simulate(params, words, allowed):
    """Refuse a transaction that would do more than it says."""
    said = must(apt_get(params["lock_timeout"], "--allow-downgrades", "--simulate", "install", *words))
    named = {os.path.basename(word).partition("=")[0].partition("_")[0].partition(":")[0] for word in words}
    for verb, name in LINE.findall(said):
        fine = name.partition(":")[0] in (named if verb == "Inst" else allowed)
        if not fine:
            act = "install" if verb == "Inst" else "remove"
            raise PatchError(f"apt would also {act} {name}; nothing was changed")


def mark_auto(names):
    """Have packages that are there only for others stay so; naming them to apt-get made them look wanted."""
    if names:
        must(["apt-mark", "auto", *sorted(names)])


# ---------------------------------------------------------------- the way back


def compare(params):
    """Return what has to be done so that the packages of the plan are as they were."""
    before = need_record(params)
    plan = read_json(f"{params['record']}/plan.json") or {"changes": {}}
    cache = open_cache()
    now = versions_of(cache)
    words, gone, kept = [], [], []
    for name, change in sorted(plan["changes"].items()):
        if change["from"] is not None and now.get(name) != change["from"]:
            word = source_of(cache, name, change["from"])
            (words if word else gone).append(word or f"{name} {change['from']}")
    new = [name for name, change in plan["changes"].items() if change["from"] is None and name in now]
    new += tools_since(cache, params["tools"], before["packages"])
    kept = [name for name in new if platform.release() in name]
    removed = sorted(set(new) - set(kept))
    holds = sorted(set(before["held"]) ^ set(states_of(cache)["held"]))
    return {"transaction": words, "remove": removed, "gone": gone, "kept": kept, "holds": holds}


def tools_since(cache, tools, before):
    """Return the role's own packages that came after the record, with what came only for them."""
    new = [cache[name] for name in tools if name in cache and cache[name].is_installed and name not in before]
    for package in new:
        package.mark_delete(auto_fix=False, purge=True)
    alone = [p.name for p in installed_of(cache) if p.name not in before and p.is_auto_removable]
    cache.clear()
    return [package.name for package in new] + (alone if new else [])


def source_of(cache, name, version):
    """Return how apt-get can get that version: from a repository, or as a file; "" where it is gone."""
    if name in cache and find_version(cache[name], version) is not None:
        return f"{name}={version}"
    architectures = [name.partition(":")[2] or release()["architecture"], "all"]
    paths = [archive_of(name, version, architecture) for architecture in architectures]
    return next((path for path in paths if os.path.isfile(path)), "")


def roll_back(params, check):
    """Take back what the plan says was installed, in one transaction; all of it or nothing."""
    found = compare(params)
    if found["gone"]:
        raise PatchError(
            f"no longer to be had: {', '.join(found['gone'])}; nothing was changed. Put the archives into"
            f" {ARCHIVES} and try again."
        )
    words = found["transaction"] + [f"{name}-" for name in found["remove"]]
    now = versions_of(open_cache())
    if check:
        return {**found, "changed": bool(words or found["holds"])}
    plan = read_json(f"{params['record']}/plan.json")
    before = need_record(params)
    # What is barred is written first: a rollback that is cut off must not be undone by the next apt-get.
    barred = params["bar"] and plan is not None and bar(plan["changes"], now)
    if words:
        simulate(params, words, allowed={name.partition(":")[0] for name in found["remove"]})
        must(apt_get(params["lock_timeout"], "--allow-downgrades", "--purge", "--allow-change-held-packages",
                     "install", *words))  # fmt: skip
    mark_auto([name for name in (plan or {"changes": {}})["changes"] if name in before["auto"]])
    put_back_holds(found["holds"], before["held"])
    if plan is not None and not plan["undone"]:
        write_json(f"{params['record']}/plan.json", {**plan, "undone": True, "restarted": False})
    changed = bool(words or found["holds"] or barred)
    return {**found, "changed": changed, "diff": {"before": lines(words, now), "after": "\n".join(words)}}


def restore(params, check):
    """Have the same packages on hold as recorded."""
    held = need_record(params)["held"]
    differing = sorted(set(held) ^ set(states_of(open_cache())["held"]))
    if not check:
        await_locks(params["lock_timeout"])
        put_back_holds(differing, held)
    return {"changed": bool(differing), "holds": differing}


def hold(params, check):
    """Put packages on hold that are installed and are not."""
    cache = open_cache()
    installed = [cache[name] for name in params["hold"] if name in cache and cache[name].is_installed]
    names = [package.name for package in installed if not is_held(package)]
    if names and not check:
        await_locks(params["lock_timeout"])
        put_back_holds(names, names)
    return {"changed": bool(names), "holds": names}


def put_back_holds(names, held):
    """Have the same packages on hold as before."""
    for verb, those in (("hold", set(names) & set(held)), ("unhold", set(names) - set(held))):
        if those:
            must(["apt-mark", verb, *sorted(those)])


def bar(changes, now):
    """Have apt pass over the versions that are taken back until there are newer ones; say if that is new."""
    known = read_bars()
    taken = {name: c["to"] for name, c in changes.items() if c["from"] and now.get(name) == c["to"]}
    merged = {**known, **taken}
    if merged == known:
        return False
    head = "# Taken back by a rollback of wavegate; os_patches_lift_barred lets them in again.\n"
    stanzas = [f"Package: {n}\nPin: version {v}\nPin-Priority: -1\n" for n, v in sorted(merged.items())]
    write_file(BARRED, head + "\n".join(stanzas), 0o644)
    return True


def read_bars():
    """Return package -> version of what is barred."""
    try:
        text = Path(BARRED).read_text()
    except FileNotFoundError:
        return {}
    return dict(re.findall(r"^Package: (\S+)\nPin: version (\S+)$", text, re.MULTILINE))


# ---------------------------------------------------------------- services, boot


def outdated():
    """Return the units that needrestart says run on replaced files, [] where it is not installed."""
    said = run("needrestart", "-b", "-r", "l", "-l")
    return re.findall(r"^NEEDRESTART-SVC: (\S+)$", said, re.MULTILINE)


def invocation(unit):
    """Return what tells one start of a unit from the next one."""
    return show(unit, "InvocationID")


def show(unit, name):
    """Return one property of a unit."""
    return run("systemctl", "show", "--value", "-p", name, "--", unit).strip()


def failed_units():
    """Return the units that have failed."""
    said = run("systemctl", "list-units", "--failed", "--plain", "--no-legend", "--full")
    return sorted(line.split()[0] for line in said.splitlines() if line.split())


def holds_deleted_files(unit):
    """Return whether a process of the unit runs on a file of the system that is not there any more."""
    if unit == MANAGER:
        return has_deleted(1)
    folder = f"/sys/fs/cgroup{show(unit, 'ControlGroup')}"
    for prefix in (folder, folder.replace("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", 1)):
        with contextlib.suppress(OSError):
            return any(has_deleted(pid) for pid in Path(prefix, "cgroup.procs").read_text().split())
    return True


def has_deleted(pid):
    """Return whether the process maps a deleted program or library."""
    with contextlib.suppress(OSError):
        maps = Path(f"/proc/{pid}/maps").read_text()
        return re.search(r" /(?:usr|lib|lib64|bin|sbin|opt)/.*\(deleted\)$", maps, re.MULTILINE) is not None
    return False


def restart(params, check):
    """Restart the services that need it since this change, once, and wait until each is active again."""
    before, path = need_record(params), f"{params['record']}/plan.json"
    plan = read_json(path)
    if plan is None or plan.get("restarted"):
        return {"changed": False, "restarted": [], "left": []}
    known = before["outdated"]
    # What was listed before and was not started since is a false alarm, unless files are seen to be gone.
    need = [u for u in outdated() if known.get(u) != invocation(u) or holds_deleted_files(u)]
    left = [unit for unit in need if any(fnmatch.fnmatchcase(unit, each) for each in params["keep_running"])]
    chosen = [unit for unit in need if unit not in left]
    if not check:
        for unit in chosen:
            restart_one(unit, params["start_timeout"])
        refuse_new_failures(before["failed"])
        write_json(path, {**plan, "restarted": True, "restarts": chosen, "left": left})
    return {"changed": bool(chosen), "restarted": chosen, "left": left}


def restart_one(unit, seconds):
    """Restart one unit and wait until it is active."""
    if unit == MANAGER:
        must(["systemctl", "daemon-reexec"])
        return
    must(["systemctl", "restart", "--", unit])
    deadline = time.monotonic() + seconds
    while show(unit, "ActiveState") != "active":
        done_well = show(unit, "Type") == "oneshot" and show(unit, "Result") == "success"
        if done_well and show(unit, "ActiveState") == "inactive":
            return
        if time.monotonic() > deadline or show(unit, "ActiveState") == "failed":
            raise PatchError(
                f"{unit} is {show(unit, 'ActiveState')} after its restart; see journalctl -u {unit}"
            )
        time.sleep(LOOK_EVERY)


def refuse_new_failures(before):
    """Refuse where a unit has failed that was well before."""
    new = sorted(set(failed_units()) - set(before))
    if new:
        raise PatchError(f"failed since the change: {', '.join(new)}; see journalctl -u {new[0]}")


def boot_facts():
    """Return what says whether the host must be started anew, and when it was started."""
    running = platform.release()
    flavour = running.rpartition("-")[2]
    kernels = [os.path.basename(path).partition("-")[2] for path in glob.glob(f"/boot/vmlinuz-*-{flavour}")]
    newer = [kernel for kernel in kernels if running in kernels and is_newer(kernel, running)]
    reasons = [f"kernel {kernel} is installed and {running} runs" for kernel in newer]
    if os.path.exists("/run/reboot-required"):
        asked = Path("/run/reboot-required.pkgs")
        names = sorted(set(asked.read_text().split())) if asked.exists() else []
        reasons.append(f"asked for by {', '.join(names) or '/run/reboot-required'}")
    boot = f"{os.stat('/proc/1').st_mtime:.0f} {Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    return {"reboot_required": bool(reasons), "reboot_reasons": reasons, "kernel": running, "boot": boot}


# ---------------------------------------------------------------- states


def make_ready(params, check):
    """Wait, repair, refresh, lift; say what was done."""
    waited_for, waited = await_locks(params["lock_timeout"])
    broken, age = is_interrupted(), lists_age()
    old = age is None or age >= params["lists_age"]
    lifted = params["lift"] and os.path.exists(BARRED)
    if not check:
        if broken:
            repair(params["lock_timeout"])
        if lifted:
            os.unlink(BARRED)
        if old:
            must(apt_get(params["lock_timeout"], "--error-on=any", "update"))
    done = {
        "repaired": broken,
        "refreshed": old,
        "lifted": lifted,
        "waited_for": waited_for,
        "waited": waited,
    }
    return {"changed": broken or lifted, **done}


STATES = {
    "looked": lambda params, _: {"changed": False, **look(params)},
    "ready": make_ready,
    "recorded": record_before,
    "fetched": fetch,
    "installed": install,
    "compared": lambda params, _: {"changed": False, **compare(params)},
    "rolled_back": roll_back,
    "restarted": restart,
    "restored": restore,
    "held": hold,
}

ARGUMENTS = {
    "state": {"type": "str", "required": True, "choices": list(STATES)},
    "record": {"type": "path"},
    "scope": {"type": "str", "choices": ["security", "all", "list"], "default": "security"},
    "versions": {"type": "dict", "default": {}},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "pins": {"type": "dict", "default": {}},
    "tools": {"type": "list", "elements": "str", "default": []},
    "transaction": {"type": "list", "elements": "str", "default": []},
    "lock_timeout": {"type": "int", "default": 300},
    "lists_age": {"type": "int", "default": 3600},
    "hold": {"type": "list", "elements": "str", "default": []},
    "bar": {"type": "bool", "default": True},
    "lift": {"type": "bool", "default": False},
    "keep_running": {"type": "list", "elements": "str", "default": []},
    "start_timeout": {"type": "int", "default": 60},
}


def main():
    """Do what the state says."""
    needing = [("state", each, ["record"]) for each in STATES if each not in ("looked", "ready", "held")]
    module = AnsibleModule(ARGUMENTS, supports_check_mode=True, required_if=needing)
    if apt is None:
        if not has_respawned() and os.path.exists("/usr/bin/python3"):
            respawn_module("/usr/bin/python3")
        module.fail_json(msg="python3-apt is not installed on this host; install it first")
    record = module.params["record"] or "/"
    if not record.startswith("/") or os.path.normpath(record) != record or "\n" in record:
        module.fail_json(msg=f"record is {record!r}; it must be an absolute path without dots, on one line")
    try:
        found = STATES[module.params["state"]](module.params, module.check_mode)
    except PatchError as error:
        module.fail_json(msg=str(error))
    except (OSError, subprocess.TimeoutExpired, apt_pkg.Error) as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}")
    diff = found.pop("diff", None)
    module.exit_json(changed=found.pop("changed"), patches=found, **({"diff": diff} if diff else {}))


if __name__ == "__main__":
    main()
