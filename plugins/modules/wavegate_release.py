#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module wavegate_release: releases of an application side by side, one of them current."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: wavegate_release
short_description: Releases of an application side by side, one of them current
version_added: "0.1.0"
description:
  - What the role app_release does on a host, each state in one round trip.
  - Releases lie in C(releases/VERSION) under O(root), and the link C(current) names one of them. A release is
    complete, with a mark that holds the checksum of its artifact, or it does not count.
options:
  state:
    description:
      - V(looked) tells which releases there are, which is current, and whether the service was started since.
      - V(placed) unpacks O(artifact) as O(version), once.
      - V(switched) makes O(version) the current one, in one step. With O(run) the service runs it at once,
        now and at boot, and is waited for as for V(healthy); between the steps is no round trip.
      - V(begun) and V(migrated) write down that the migration to O(version) begins, and that it is done.
      - V(healthy) waits until the service is active and gives a good answer.
      - V(pruned) removes all but the newest O(keep) releases, the current one and those in O(needed).
    type: str
    required: true
    choices: [looked, placed, switched, begun, migrated, healthy, pruned]
  root:
    description: The application's folder, absolute.
    type: path
    required: true
  version:
    description: The release. For V(switched), empty for none.
    type: str
    default: ""
  artifact:
    description: The path of the artifact on the host.
    type: path
  kind:
    description: What the artifact is; a wheel gets a virtual environment of its own.
    type: str
    choices: [tarball, wheel, deb]
    default: tarball
  checksum:
    description: The SHA-256 of the artifact, as sha256 with a colon and 64 digits.
    type: str
    default: ""
  strip:
    description: How many leading folders of a tarball are left out.
    type: int
    default: 0
  pip_options:
    description: What pip is told besides when a wheel is installed.
    type: list
    elements: str
    default: []
  run:
    description: For V(switched), whether O(unit) is to run the release at once.
    type: bool
    default: false
  anew:
    description: For O(run), whether the unit is restarted even where nothing was switched.
    type: bool
    default: false
  way_back:
    description: For V(begun), whether the release before works with what the migration leaves.
    type: bool
    default: false
  unit:
    description: The systemd unit of the application.
    type: str
    default: ""
  files:
    description: Files that the service reads when it starts.
    type: list
    elements: path
    default: []
  url:
    description: For V(healthy), the address that answers 200 when the service is well.
    type: str
    default: ""
  port:
    description: For V(healthy) without O(url), the port of this host that takes a connection.
    type: int
    default: 0
  contains:
    description: For V(healthy), a text that the answer must contain.
    type: str
    default: ""
  timeout:
    description: For V(healthy), seconds to wait.
    type: int
    default: 30
  keep:
    description: For V(pruned), how many releases are kept.
    type: int
    default: 3
  needed:
    description: For V(pruned), releases that are kept besides.
    type: list
    elements: str
    default: []
author:
  - wavegate
attributes:
  check_mode:
    description: Says what would change, and changes nothing.
    support: full
  diff_mode:
    description: Shows which release is current before and after.
    support: partial
"""

EXAMPLES = r"""
- name: Which release is current
  wavegate_release:
    state: looked
    root: /opt/shop
  register: found
"""

RETURN = r"""
release:
  description: What was found and done; the keys depend on the state.
  returned: success
  type: dict
"""

MARK = ".release.json"
MIGRATIONS = "migrations.json"
LOOK_EVERY = 0.2
PATIENCE = 1800
READ_AT_MOST = 1_000_000


class ReleaseError(Exception):
    """What a person is told."""


# ---------------------------------------------------------------- programs, files


def must(command):
    """Run a program; ReleaseError with its last lines where it fails."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, umask=0o022)
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise ReleaseError(
            f"{os.path.basename(command[0])} failed ({done.returncode}): {' | '.join(said[-6:])}"
        )


def read_json(path):
    """Return what the file holds, None where there is none or it was cut off."""
    try:
        return json.loads(Path(path).read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None


def write_json(path, content):
    """Write the file as a whole, or not at all."""
    half = f"{path}.half"
    with open(half, "w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)


def digest_of(path):
    """Return the SHA-256 of a file."""
    with open(path, "rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def show(unit, *names):
    """Return properties of a unit, in the order of the names."""
    command = ["systemctl", "show", "-p", ",".join(names), "--", unit]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return [found.get(name, "") for name in names]


# ---------------------------------------------------------------- what there is


def releases_of(root):
    """Return the complete releases, the oldest first."""
    try:
        names = os.listdir(f"{root}/releases")
    except FileNotFoundError:
        return []
    marks = [(name, read_json(f"{root}/releases/{name}/{MARK}")) for name in names]
    found = [{**mark, "version": name} for name, mark in marks if mark is not None]
    return sorted(found, key=lambda release: release["placed"])


def current_of(root):
    """Return the current release, "" where there is none."""
    try:
        return os.path.basename(os.readlink(f"{root}/current"))
    except OSError:
        return ""


def service_of(root, unit, files):
    """Return how the service stands, and which of what it runs on was replaced since it was started."""
    active, enabled, started = show(unit, "ActiveState", "UnitFileState", "ExecMainStartTimestampMonotonic")
    began = time.time() - (time.monotonic() - int(started or 0) / 1e6)
    # The time of the change, not that of the content: files that were put back have their old one.
    there = [path for path in [f"{root}/current", *files] if os.path.lexists(path)]
    outdated = [path for path in there if os.lstat(path).st_ctime > began]
    return {"active": active, "enabled": enabled, "outdated": outdated}


def look(params, _):
    """Return what there is."""
    root = params["root"]
    return {
        "changed": False,
        "current": current_of(root),
        "releases": releases_of(root),
        "migrations": read_json(f"{root}/{MIGRATIONS}") or {},
        "service": service_of(root, params["unit"], params["files"]) if params["unit"] else {},
    }


# ---------------------------------------------------------------- changing releases


def place(params, check):
    """Unpack the artifact as a release; what was cut off before it was complete is made anew."""
    folder = f"{params['root']}/releases/{params['version']}"
    mark = read_json(f"{folder}/{MARK}")
    if mark is not None:
        if mark["checksum"] != params["checksum"]:
            raise ReleaseError(
                f"{folder} was made from {mark['checksum']}, and wanted is {params['checksum']}; one version"
                " must have one content: give the new one another version"
            )
        return {"changed": False}
    if check:
        return {"changed": True}
    found = digest_of(params["artifact"])
    if found != params["checksum"]:
        raise ReleaseError(
            f"{params['artifact']} is {found}, and wanted is {params['checksum']}; nothing was unpacked"
        )
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, 0o755)
    unpack(params, folder)
    write_json(f"{folder}/{MARK}", {"checksum": found, "kind": params["kind"], "placed": time.time()})
    return {"changed": True}


def unpack(params, folder):
    """Unpack by the kind of the artifact."""
    if params["kind"] == "deb":
        must(["dpkg-deb", "--extract", params["artifact"], folder])
    elif params["kind"] == "wheel":
        must(["/usr/bin/python3", "-m", "venv", folder])
        options = ["--disable-pip-version-check", "--no-input", *params["pip_options"]]
        must([f"{folder}/bin/pip", "install", *options, "--", params["artifact"]])
    else:
        options = ["--no-same-owner", "--no-same-permissions", f"--strip-components={params['strip']}"]
        must(["tar", "-x", *options, "-C", folder, "-f", params["artifact"]])
    os.chmod(folder, 0o755)


def switch(params, check):
    """Make the release the current one, and run it where that is wanted."""
    done = replace_link(params, check)
    if not params["run"] or check:
        return done
    unit, service = params["unit"], service_of(params["root"], params["unit"], params["files"])
    anew = done["changed"] or params["anew"] or bool(service["outdated"])
    must(["systemctl", "daemon-reload"])
    if service["enabled"] != "enabled":
        must(["systemctl", "--quiet", "enable", "--", unit])
    must(["systemctl", "restart" if anew else "start", "--", unit])
    wait_healthy(params, check)
    as_wanted = service["enabled"] == "enabled" and service["active"] == "active"
    return {**done, "changed": anew or not as_wanted}


def replace_link(params, check):
    """Have the link name the release: it is replaced in one step."""
    root, wanted, before = params["root"], params["version"], current_of(params["root"])
    if before == wanted:
        return {"changed": False, "before": before}
    if wanted and not check and read_json(f"{root}/releases/{wanted}/{MARK}") is None:
        raise ReleaseError(f"{root}/releases/{wanted} is not there, or not complete; nothing was switched")
    if not check:
        if wanted:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{root}/current.next")
            os.symlink(f"releases/{wanted}", f"{root}/current.next")
            os.replace(f"{root}/current.next", f"{root}/current")
        else:
            os.unlink(f"{root}/current")
        sync(root)
    diff = {"before": f"current: {before or 'none'}\n", "after": f"current: {wanted or 'none'}\n"}
    return {"changed": True, "before": before, "diff": diff}


def sync(folder):
    """Have the folder's entries on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def begin(params, check):
    """Write down that a migration begins: from here on the data may be new."""
    path = f"{params['root']}/{MIGRATIONS}"
    known = read_json(path) or {}
    entry = known.get(
        params["version"], {"begun": time.time(), "done": None, "from": current_of(params["root"])}
    )
    if not check:
        write_json(path, {**known, params["version"]: {**entry, "way_back": params["way_back"]}})
    return {"changed": entry["done"] is None}


def end(params, check):
    """Write down that a migration is done."""
    path = f"{params['root']}/{MIGRATIONS}"
    known = read_json(path) or {}
    entry = known.get(params["version"])
    if entry is None:
        raise ReleaseError(f"no migration to {params['version']} was begun")
    if not check:
        write_json(path, {**known, params["version"]: {**entry, "done": time.time()}})
    return {"changed": entry["done"] is None}


def prune(params, check):
    """Remove releases that nobody needs."""
    root, every = params["root"], [release["version"] for release in releases_of(params["root"])]
    kept = {*every[-params["keep"] :], *params["needed"], current_of(root)}
    removed = [version for version in every if version not in kept]
    for version in removed:
        if not check:
            os.unlink(f"{root}/releases/{version}/{MARK}")
            shutil.rmtree(f"{root}/releases/{version}")
    return {"changed": bool(removed), "removed": removed}


# ---------------------------------------------------------------- health


def wait_healthy(params, _):
    """Wait for a good answer of an active service; ReleaseError says what the last one was."""
    start = time.monotonic()
    while True:
        said = ask(params)
        if not said:
            return {"changed": False, "waited": round(time.monotonic() - start, 1)}
        if time.monotonic() - start > params["timeout"]:
            raise ReleaseError(
                f"{params['unit']} is not well after {params['timeout']} s: {said};"
                f" see journalctl -u {params['unit']} on the host"
            )
        time.sleep(LOOK_EVERY)


def ask(params):
    """Return "" where the service is well, else why not."""
    (active,) = show(params["unit"], "ActiveState")
    if active != "active":
        return f"it is {active or 'unknown'}"
    try:
        return ask_address(params) if params["url"] else ask_port(params["port"])
    except (OSError, ValueError) as error:
        return f"{params['url'] or params['port']}: {error}"


def ask_address(params):
    """Return "" where the address gives the answer that is wanted."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(params["url"], timeout=5) as answer:
        text = answer.read(READ_AT_MOST).decode(errors="replace")
    return (
        ""
        if params["contains"] in text
        else f"the answer does not contain {params['contains']!r}: {text[:100]!r}"
    )


def ask_port(port):
    """Return "" where the port takes a connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return ""


# ---------------------------------------------------------------- states

STATES = {
    "looked": look,
    "placed": place,
    "switched": switch,
    "begun": begin,
    "migrated": end,
    "healthy": wait_healthy,
    "pruned": prune,
}

ARGUMENTS = {
    "state": {"type": "str", "required": True, "choices": list(STATES)},
    "root": {"type": "path", "required": True},
    "version": {"type": "str", "default": ""},
    "artifact": {"type": "path"},
    "kind": {"type": "str", "choices": ["tarball", "wheel", "deb"], "default": "tarball"},
    "checksum": {"type": "str", "default": ""},
    "strip": {"type": "int", "default": 0},
    "pip_options": {"type": "list", "elements": "str", "default": []},
    "run": {"type": "bool", "default": False},
    "anew": {"type": "bool", "default": False},
    "way_back": {"type": "bool", "default": False},
    "unit": {"type": "str", "default": ""},
    "files": {"type": "list", "elements": "path", "default": []},
    "url": {"type": "str", "default": ""},
    "port": {"type": "int", "default": 0},
    "contains": {"type": "str", "default": ""},
    "timeout": {"type": "int", "default": 30},
    "keep": {"type": "int", "default": 3},
    "needed": {"type": "list", "elements": "str", "default": []},
}


def main():
    """Do what the state says."""
    module = AnsibleModule(
        ARGUMENTS, supports_check_mode=True, required_if=[("state", "placed", ["artifact"])]
    )
    root, version = module.params["root"], module.params["version"]
    if not root.startswith("/") or os.path.normpath(root) != root or root == "/":
        module.fail_json(msg=f"root is {root!r}; it must be an absolute path of its own")
    if not re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9._+~-]*)?", version):
        module.fail_json(msg=f"version is {version!r}; it must be a plain name")
    try:
        found = STATES[module.params["state"]](module.params, module.check_mode)
    except ReleaseError as error:
        module.fail_json(msg=str(error))
    except (OSError, subprocess.TimeoutExpired) as error:
        module.fail_json(msg=f"{type(error).__name__}: {error}")
    diff = found.pop("diff", None)
    module.exit_json(changed=found.pop("changed"), release=found, **({"diff": diff} if diff else {}))


if __name__ == "__main__":
    main()
