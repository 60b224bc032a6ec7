#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module wavegate_record: what a change needs to be undone, recorded before it acts."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: wavegate_record
short_description: Record the state of a host before a change, and put files back from it
version_added: "0.1.0"
description:
  - Records versions of packages, states of services, and files and folders with owner, mode and SHA-256.
  - A record is complete or not there. The first one of a path is kept, so that a change that is done again
    after a crash cannot record what it changed itself.
  - C(compared) says what differs from the record and changes nothing; C(restored) makes the paths as
    recorded.
    Packages and services are for the caller to put back; RV(to_install) and RV(to_remove) say how.
options:
  state:
    description: What to do.
    type: str
    choices: [recorded, compared, restored]
    required: true
  path:
    description: The folder of the record, absolute, for root only.
    type: path
    required: true
  packages:
    description: Names of Debian packages whose versions are recorded.
    type: list
    elements: str
    default: []
  services:
    description: Names of systemd units whose states are recorded.
    type: list
    elements: str
    default: []
  paths:
    description:
      - Absolute paths of files and folders. That there is nothing is recorded too.
      - With C(compared) and C(restored), only these; all that were recorded where it is not given.
    type: list
    elements: path
  facts:
    description: What else is needed to undo the change; it comes back in RV(record).
    type: dict
    default: {}
author:
  - wavegate
attributes:
  check_mode:
    description: Says what would be recorded or restored and does nothing.
    support: full
  diff_mode:
    description: Names the paths that differ from the record.
    support: full
"""

EXAMPLES = r"""
- name: Record what the change may break
  wavegate_record:
    state: recorded
    path: /var/backups/wavegate/2026-11-patch/nginx
    packages: [nginx]
    services: [nginx]
    paths: [/etc/nginx]

- name: Put the files back
  wavegate_record:
    state: restored
    path: /var/backups/wavegate/2026-11-patch/nginx
"""

RETURN = r"""
record:
  description:
    - What was recorded. C(recorded_at), C(packages) (name to version or null), C(services) (name to C(active)
      and C(enabled)) and C(facts).
  returned: success
  type: dict
installed:
  description: The versions of the recorded packages now, null where one is not installed.
  returned: success
  type: dict
services:
  description: The states of the recorded services now.
  returned: success
  type: dict
differ:
  description: The paths that are not as recorded; with C(restored), those that were not.
  returned: success
  type: list
  elements: str
to_install:
  description: What apt has to be told to be at the recorded versions, as C(name=version).
  returned: success
  type: list
  elements: str
to_remove:
  description: Packages that were not installed when the record was made, and are now.
  returned: success
  type: list
  elements: str
"""


class RefusedError(Exception):
    """Something that a person must read; nothing was changed."""


def package_versions(names):
    """Return the installed version of each package, None where it is not installed."""
    form = "${Package} ${Version} ${db:Status-Status}\n"
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", form, *names], capture_output=True, text=True, check=False
    )
    rows = [line.split() for line in done.stdout.splitlines() if line.endswith(" installed")]
    installed = {name: version for name, version, _ in rows}
    return {name: installed.get(name) for name in names}


def digest(path):
    """Return the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe(path):
    """Return type, owner, mode and content of one entry, {"type": "absent"} where there is none."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"type": "absent"}
    entry = {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode)}
    if stat.S_ISLNK(status.st_mode):
        return {**entry, "type": "link", "target": os.readlink(path)}
    if stat.S_ISDIR(status.st_mode):
        return {**entry, "type": "directory"}
    if stat.S_ISREG(status.st_mode):
        return {**entry, "type": "file", "sha256": digest(path)}
    raise RefusedError(f"{path} is neither file, directory nor link: it cannot be recorded")


def walk(path):
    """Yield the path and, where it is a directory, everything below it, parents first."""
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from walk(os.path.join(path, name))


def survey(paths, root=""):
    """Return {path: description} of all entries at and below the paths, as they lie under `root`."""
    found = (entry for path in paths for entry in walk(root + path))
    return {entry[len(root) :]: describe(entry) for entry in found}


def put(entry, source, target):
    """Make `target` what `entry` says; the content of a file comes from `source`, and is on disk after."""
    if entry["type"] == "link":
        os.symlink(entry["target"], target)
        os.lchown(target, entry["uid"], entry["gid"])
        return
    if entry["type"] == "directory":
        os.makedirs(target, exist_ok=True)
    else:
        shutil.copyfile(source, target)
        with open(target, "rb") as stream:
            os.fsync(stream.fileno())
    os.chown(target, entry["uid"], entry["gid"])
    os.chmod(target, entry["mode"])


def copy_paths(paths, into, attempts=5):
    """Copy the paths below `into` and return their survey; a file that changes meanwhile is copied again."""
    for _ in range(attempts):
        shutil.rmtree(into, ignore_errors=True)
        os.makedirs(into, 0o700)
        try:
            entries = survey(paths)
            for path, entry in entries.items():
                if entry["type"] != "absent":
                    os.makedirs(os.path.dirname(into + path), exist_ok=True)
                    put(entry, path, into + path)
            present = [path for path in paths if entries[path]["type"] != "absent"]
            copied = {path: entry for path, entry in entries.items() if entry["type"] != "absent"}
            if survey(present, into) == copied:
                return entries
        except FileNotFoundError:
            pass
        time.sleep(0.2)
    raise RefusedError(
        f"{', '.join(paths)} changed again and again while being copied: stop what writes there"
    )


def read_record(folder):
    """Return the manifest of a record whose files are as they were written; refuse any other."""
    try:
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as stream:
            manifest = json.load(stream)
    except FileNotFoundError:
        raise RefusedError(
            f"nothing was recorded in {folder}: run the backup procedure before a change"
        ) from None
    except ValueError:
        raise RefusedError(f"{folder}/manifest.json is damaged: it is no JSON") from None
    for path, entry in manifest["entries"].items():
        kept = os.path.join(folder, "tree") + path
        if entry["type"] == "file" and describe(kept).get("sha256") != entry["sha256"]:
            raise RefusedError(f"{kept} is not as it was recorded (checksum): the record cannot be used")
    return manifest


def differences(manifest, paths):
    """Return the entries at and below the paths that are not as recorded."""
    recorded = {
        path: entry
        for path, entry in manifest["entries"].items()
        if any(path == top or path.startswith(top + "/") for top in paths)
    }
    now = survey(paths)
    return sorted(path for path in {*recorded, *now} if recorded.get(path) != now.get(path))


def remove(path):
    """Remove the entry, whatever it is."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def service_states(names):
    """Return what systemd says of each unit: {"active": ActiveState, "enabled": UnitFileState}."""
    return {name: service_state(name) for name in names}


def service_state(name):
    """Return the two states of one unit, "inactive" and "" where systemd does not know it."""
    command = ["systemctl", "show", "-p", "ActiveState,UnitFileState", "--", name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return {"active": "inactive", "enabled": ""}
    said = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    return {"active": said.get("ActiveState", "inactive"), "enabled": said.get("UnitFileState", "")}


def record(folder, wanted, *, check):
    """Write a complete record or none; keep an earlier one as it is. Return (changed, manifest)."""
    if os.path.exists(folder):
        return False, read_record(folder)
    manifest = {
        "recorded_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "packages": package_versions(wanted["packages"]),
        "services": service_states(wanted["services"]),
        "facts": wanted["facts"],
        "entries": {},
    }
    if check:
        return True, manifest
    scratch = folder + ".incomplete"
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
    os.makedirs(scratch, 0o700)
    manifest["entries"] = copy_paths(wanted["paths"] or [], os.path.join(scratch, "tree"))
    with open(os.path.join(scratch, "manifest.json"), "w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.sync()
    os.rename(scratch, folder)
    return True, manifest


def tops_of(manifest):
    """Return the recorded paths that lie in no other recorded path."""
    entries = manifest["entries"]
    return [path for path in entries if os.path.dirname(path) not in entries]


def restore(folder, manifest, paths):
    """Make the paths as recorded; a directory keeps its place (it may be a mount), not its content."""
    differ = differences(manifest, paths)
    for path in reversed(differ):
        kinds = {describe(path)["type"], manifest["entries"].get(path, {}).get("type")}
        if kinds != {"directory"}:
            remove(path)
    for path in differ:
        entry = manifest["entries"].get(path, {"type": "absent"})
        if entry["type"] != "absent":
            os.makedirs(os.path.dirname(path), exist_ok=True)
            put(entry, os.path.join(folder, "tree") + path, path)
    left = differences(manifest, paths)
    if left:
        raise RefusedError(f"still not as recorded: {', '.join(left)}")


def answer_for(manifest, differ):
    """Return what every state returns about the record and how the host differs from it."""
    packages = manifest["packages"]
    installed = package_versions(packages)
    services = manifest.get("services", {})
    return {
        "record": {
            "recorded_at": manifest["recorded_at"],
            "packages": packages,
            "services": services,
            "facts": manifest.get("facts", {}),
        },
        "installed": installed,
        "services": service_states(services),
        "differ": differ,
        "to_install": [
            f"{name}={version}" for name, version in packages.items() if moved(version, installed[name])
        ],
        "to_remove": [name for name, version in packages.items() if version is None and installed[name]],
    }


def moved(recorded, installed):
    """Return whether a package was there and is not at its recorded version."""
    return recorded is not None and recorded != installed


def act(wanted, *, check):
    """Do what the state says; return the module's answer."""
    folder = wanted["path"].rstrip("/")
    if wanted["state"] == "recorded":
        changed, manifest = record(folder, wanted, check=check)
        return {"changed": changed, **answer_for(manifest, [])}
    manifest = read_record(folder)
    paths = tops_of(manifest) if wanted["paths"] is None else wanted["paths"]
    differ = differences(manifest, paths)
    answer = answer_for(manifest, differ)
    changes = wanted["state"] == "restored" and bool(differ)
    if changes and not check:
        restore(folder, manifest, paths)
    return {"changed": changes, **answer}


def is_whole(path):
    """Return whether the path is absolute and written in the one plain way, but for a slash at its end."""
    return path.startswith("/") and os.path.normpath(path) == (path.rstrip("/") or "/")


def main():
    """Run as Ansible runs a module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["recorded", "compared", "restored"], "required": True},
            "path": {"type": "path", "required": True},
            "packages": {"type": "list", "elements": "str", "default": []},
            "services": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "path"},
            "facts": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    os.umask(0o077)
    # An id of a change with `..` in it would have root write, and take files, somewhere else.
    odd = [path for path in [module.params["path"], *(module.params["paths"] or [])] if not is_whole(path)]
    if odd:
        module.fail_json(msg=f"{', '.join(odd)} must be absolute, with no . or .. in it: give whole paths")
    try:
        answer = act(module.params, check=module.check_mode)
    except (RefusedError, OSError) as error:
        module.fail_json(msg=str(error))
    lines = "".join(f"{path}\n" for path in answer["differ"])
    module.exit_json(diff={"before": lines, "after": ""}, **answer)


if __name__ == "__main__":
    main()
