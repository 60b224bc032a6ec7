"""Record the state of a host before a change, and put files back from what was recorded.

    snapshot.py record  FOLDER REQUEST     once per folder: a complete record is never overwritten
    snapshot.py compare FOLDER REQUEST     what differs from the record; changes nothing
    snapshot.py restore FOLDER REQUEST     make the paths of the request as recorded

REQUEST is JSON: {"packages": [name], "paths": [path], "check": bool}. The answer is JSON too. A folder holds
`manifest.json` (package versions; type, owner, mode and SHA-256 of every entry) and the files under `tree/`.
"""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import time


class Refused(Exception):
    """Something that a person must read; nothing was changed."""


def package_versions(names):
    """Return the installed version of each package, None where it is not installed."""
    form = "${Package} ${Version} ${db:Status-Status}\n"
    done = subprocess.run(["dpkg-query", "-W", "-f", form, *names], capture_output=True, text=True, check=False)
    rows = [line.split() for line in done.stdout.splitlines()]
    installed = {row[0]: row[1] for row in rows if len(row) == 3 and row[2] == "installed"}
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
    raise Refused(f"{path} is neither file, directory nor link: it cannot be recorded")


def walk(path):
    """Yield the path and, where it is a directory, everything below it, parents first."""
    yield path
    if os.path.isdir(path) and not os.path.islink(path):
        for name in sorted(os.listdir(path)):
            yield from walk(os.path.join(path, name))


def survey(paths, root=""):
    """Return {path: description} of all entries at and below the paths, as they lie under `root`."""
    found = (entry for path in paths for entry in walk(root + path))
    return {entry[len(root):]: describe(entry) for entry in found}


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
    raise Refused(f"{', '.join(paths)} changed again and again while being copied: stop what writes there")


def read_record(folder):
    """Return the manifest of a record whose files are as they were written; refuse any other."""
    try:
        with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as stream:
            manifest = json.load(stream)
    except FileNotFoundError:
        raise Refused(f"nothing was recorded in {folder}: run the backup procedure before a change") from None
    except ValueError:
        raise Refused(f"{folder}/manifest.json is damaged: it is no JSON") from None
    for path, entry in manifest["entries"].items():
        kept = os.path.join(folder, "tree") + path
        if entry["type"] == "file" and describe(kept).get("sha256") != entry["sha256"]:
            raise Refused(f"{kept} is not as it was recorded (checksum): the record cannot be used")
    return manifest


def record(folder, request):
    """Write a complete record or none; keep an earlier one as it is."""
    if os.path.exists(folder):
        manifest = read_record(folder)
        return {"changed": False, "recorded_at": manifest["recorded_at"], "packages": manifest["packages"]}
    manifest = {
        "recorded_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "packages": package_versions(request["packages"]),
    }
    answer = {"changed": True, **manifest}
    if request["check"]:
        return answer
    scratch = folder + ".incomplete"
    shutil.rmtree(scratch, ignore_errors=True)
    os.makedirs(os.path.dirname(folder), 0o700, exist_ok=True)
    os.makedirs(scratch, 0o700)
    manifest["entries"] = copy_paths(request["paths"], os.path.join(scratch, "tree"))
    with open(os.path.join(scratch, "manifest.json"), "w", encoding="utf-8") as stream:
        json.dump(manifest, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    os.sync()
    os.rename(scratch, folder)
    return answer


def differences(manifest, paths):
    """Return the entries at and below the paths that are not as recorded."""
    recorded = {
        path: entry
        for path, entry in manifest["entries"].items()
        if any(path == top or path.startswith(top + "/") for top in paths)
    }
    now = survey(paths)
    return sorted(path for path in {*recorded, *now} if recorded.get(path) != now.get(path))


def compare(folder, request):
    """Return what was recorded and what differs from it."""
    manifest = read_record(folder)
    now = package_versions(manifest["packages"])
    return {
        "changed": False,
        "recorded_at": manifest["recorded_at"],
        "packages": manifest["packages"],
        "installed": now,
        "differ": differences(manifest, request["paths"]),
    }


def remove(path):
    """Remove the entry, whatever it is."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.remove(path)


def restore(folder, request):
    """Make the paths as recorded; a directory keeps its place (it may be a mount), its content is replaced."""
    manifest = read_record(folder)
    differ = differences(manifest, request["paths"])
    answer = {"changed": bool(differ), "packages": manifest["packages"], "restored": differ}
    if request["check"]:
        return answer
    for path in reversed(differ):
        kinds = {describe(path)["type"], manifest["entries"].get(path, {}).get("type")}
        if kinds != {"directory"}:
            remove(path)
    for path in differ:
        entry = manifest["entries"].get(path, {"type": "absent"})
        if entry["type"] != "absent":
            os.makedirs(os.path.dirname(path), exist_ok=True)
            put(entry, os.path.join(folder, "tree") + path, path)
    left = differences(manifest, request["paths"])
    if left:
        raise Refused(f"still not as recorded: {', '.join(left)}")
    return answer


VERBS = {"record": record, "compare": compare, "restore": restore}

if __name__ == "__main__":
    os.umask(0o077)
    try:
        print(json.dumps(VERBS[sys.argv[1]](sys.argv[2], json.loads(sys.argv[3]))))
    except (Refused, OSError) as error:
        sys.exit(f"{error}")
