"""Snapshots of a host with restic: taken, checked, restored and compared file by file.

Sent to the host's Python on standard input, followed by one line `main(REQUEST)`, so that what a request holds is
never on a command line. The password of the repository lies in a file for root only, which restic reads itself.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys

MANIFEST = "manifest.json"


class Refused(Exception):
    """Something that a person must read; nothing was changed."""


def restic(request, *arguments, seconds=None, accepted=(0,)):
    """Run restic and return what it printed; Refused with what it complained about."""
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "RESTIC_REPOSITORY": request["repository"],
        "RESTIC_PASSWORD_FILE": f"{request['etc']}/password",
        "RESTIC_CACHE_DIR": "/var/cache/wavegate-restic",
        **read_environment(request),
    }
    options = []
    if request["repository"].startswith("sftp:"):
        options = ["-o", f"sftp.command={' '.join(ssh(request, '-s'))} sftp"]
    try:
        done = subprocess.run(
            ["restic", *options, *arguments],
            env=environment, capture_output=True, text=True, timeout=seconds, stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise Refused(f"the repository did not answer within {seconds} seconds: {request['repository']}") from None
    except FileNotFoundError:
        raise Refused("restic is not installed: run the install procedure first") from None
    if done.returncode not in accepted:
        said = " ".join((done.stderr or done.stdout).split())
        raise Refused(f"restic {arguments[0]}: {said}")
    return done.stdout


def read_environment(request):
    """Return the variables of the store (keys of an S3 account), which are kept like the password."""
    with open(f"{request['etc']}/environment.json", encoding="utf-8") as stream:
        return json.load(stream)


def place(request):
    """Return (user, host, path) of a repository over SFTP: sftp:user@host:/path."""
    found = re.fullmatch(r"sftp:([^@:/\s]+)@([^:/\s]+):(/\S+)", request["repository"])
    return found.groups() if found else (None, None, None)


def ssh(request, *arguments):
    """Return the command that reaches the host of the repository with the role's own key, and asks nobody."""
    user, host, _ = place(request)
    return [
        "ssh", "-F", "/dev/null", "-i", f"{request['etc']}/key", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
        "-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={request['etc']}/known_hosts",
        "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15", *arguments, f"{user}@{host}",
    ]  # fmt: skip


def free_bytes(request):
    """Return the bytes that are free where the repository is, None where that cannot be known."""
    repository = request["repository"]
    if repository.startswith("/"):
        while not os.path.exists(repository):
            repository = os.path.dirname(repository)
        return shutil.disk_usage(repository).free
    user, host, path = place(request)
    if not host:
        return None
    options = [option for option in ssh(request)[1:-1]]
    for folder in (path, os.path.dirname(path)):
        done = subprocess.run(
            ["sftp", "-q", "-b", "-", *options, f"{user}@{host}"],
            input=f'df "{folder}"\n', capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        numbers = done.stdout.split("\n")[-2].split() if done.stdout.count("\n") > 1 else []
        if done.returncode == 0 and len(numbers) >= 4 and numbers[2].isdigit():
            return int(numbers[2]) * 1024
    return None


def reach(request):
    """Refuse a repository that cannot be reached or has too little room; on a new host, what can be known."""
    repository = request["repository"]
    ready = shutil.which("restic") and os.path.exists(f"{request['etc']}/password")
    problems = []
    if not repository.startswith("/"):
        user, host, _ = place(request)
        address = re.match(r"s3:(https?)://([^/:]+)(?::(\d+))?", repository)
        where = (host, 22) if host else (address[2], int(address[3] or {"http": 80, "https": 443}[address[1]]))
        try:
            socket.create_connection(where, timeout=10).close()
        except OSError as error:
            problems.append(f"The repository cannot be reached ({where[0]} port {where[1]}: {error}).")
    if ready and not problems:
        try:
            # 10 is restic's own word for: there is no repository yet; older ones say it in words.
            restic(request, "cat", "config", "--no-lock", seconds=60)
        except Refused as refusal:
            if not is_missing(str(refusal)):
                problems.append(f"The repository cannot be used: {refusal}.")
    if not problems:
        with contextlib.suppress(FileNotFoundError, subprocess.TimeoutExpired):
            free = free_bytes(request)
            if free is not None and free < request["minimum_free"]:
                problems.append(f"The repository has only {free} bytes free, and {request['minimum_free']} are wanted.")
    return {"changed": False, "rules": [{"holds": False, "otherwise": problem} for problem in problems]}


def is_missing(said):
    """Return whether restic says that there is no repository in that place (and not that it is out of reach)."""
    return "Is there a repository at the following location" in said and "does not exist" in said or (
        "unable to open config file" in said
        and ("no such file" in said or "file does not exist" in said or "key does not exist" in said)
    )


def init(request):
    """Make the repository where there is none."""
    try:
        restic(request, "cat", "config", "--no-lock", seconds=60)
    except Refused as refusal:
        if not is_missing(str(refusal)):
            raise
        if not request["check"]:
            restic(request, "init", seconds=120)
        return {"changed": True}
    return {"changed": False}


def digest(path):
    """Return the SHA-256 of a file."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def mark(path):
    """Return what changes when a file changes."""
    status = os.lstat(path)
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def excluded(path, patterns):
    """Return whether the path, or a folder above it, is one that is left out (absolute paths)."""
    return any((path + "/").startswith(pattern.rstrip("/") + "/") for pattern in patterns)


def walk(paths, patterns):
    """Yield every entry at and below the paths that is to be saved."""
    for path in paths:
        if not os.path.lexists(path) or excluded(path, patterns):
            continue
        yield path
        if os.path.isdir(path) and not os.path.islink(path):
            yield from walk([os.path.join(path, name) for name in sorted(os.listdir(path))], patterns)


def describe(path):
    """Return type, owner, mode and content of one entry, None for what is neither file, folder nor link."""
    status = os.lstat(path)
    entry = [stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid]
    if stat.S_ISLNK(status.st_mode):
        return ["link", *entry, os.readlink(path)]
    if stat.S_ISDIR(status.st_mode):
        return ["folder", *entry, ""]
    if stat.S_ISREG(status.st_mode):
        return ["file", *entry, digest(path)]
    return None


def survey(paths, patterns):
    """Return {path: [description, mark]} of everything that is to be saved."""
    found = {}
    for path in walk(paths, patterns):
        with contextlib.suppress(FileNotFoundError):
            before = mark(path)
            if described := describe(path):
                found[path] = [described, before]
    return found


def run_hooks(request):
    """Run each hook; what it prints becomes a file that is saved too. One that fails stops everything."""
    folder = f"{request['state']}/dumps"
    os.makedirs(folder, 0o700, exist_ok=True)
    for name in set(os.listdir(folder)) - {hook["name"] for hook in request["hooks"]}:
        os.remove(f"{folder}/{name}")
    for hook in request["hooks"]:
        path = f"{folder}/{hook['name']}"
        with open(path + ".new", "wb") as stream:
            done = subprocess.run(
                hook["argv"], stdout=stream, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, cwd="/", check=False
            )
            os.fsync(stream.fileno())
        if done.returncode != 0:
            os.remove(path + ".new")
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise Refused(f"the hook {hook['name']} failed ({done.returncode}): {said}; no snapshot was taken")
        os.rename(path + ".new", path)
    return folder


def snapshots(request, *tags):
    """Return the snapshots of this host that have all of the tags, oldest first."""
    listed = restic(
        request, "snapshots", "--json", "--no-lock", "--host", request["host"], "--tag", ",".join(["wavegate", *tags]),
        seconds=300,
    )  # fmt: skip
    return sorted(json.loads(listed) or [], key=lambda one: one["time"])


def change_tag(request):
    return f"rollout={request['id']}"


def manifest_path(request, identity):
    return f"{request['state']}/manifests/{identity}.json"


def take(request):
    """Take one snapshot for each change, forget old ones, and check a part of what is kept."""
    if shutil.which("restic") is None:
        raise Refused("restic is not installed: run the install procedure first")
    taken = snapshots(request, change_tag(request))
    if taken and os.path.exists(manifest_path(request, taken[0]["id"])):
        return {"changed": False, "snapshot": taken[0]["id"]}
    missing = [path for path in request["paths"] if not os.path.lexists(path)]
    if missing:
        raise Refused(f"there is no {', '.join(missing)} to be saved: correct backup_paths")
    if request["check"]:
        return {"changed": True}
    # Locks of a run that was killed; those of one that is at work are left.
    restic(request, "unlock", seconds=120)
    paths = [*request["paths"], run_hooks(request)]
    found = survey(paths, request["exclude"])
    tags = ["wavegate", change_tag(request), f"host={request['host']}", *request["tags"]]
    said = restic(
        request, "backup", "--json", "--host", request["host"],
        *[word for tag in tags for word in ("--tag", tag)],
        *[word for path in request["exclude"] for word in ("--exclude", escape(path))], "--", *paths,
    )  # fmt: skip
    summary = json.loads(said.splitlines()[-1])
    identity = next(one["id"] for one in snapshots(request, change_tag(request)) if one["id"].startswith(summary["snapshot_id"]))
    stable = {path: described for path, (described, before) in found.items() if unchanged(path, before)}
    os.makedirs(f"{request['state']}/manifests", 0o700, exist_ok=True)
    content = {"snapshot": identity, "entries": stable, "changed_meanwhile": sorted(set(found) - set(stable))}
    path = manifest_path(request, identity)
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump(content, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(path + ".new", path)
    forget(request)
    restic(request, "check", f"--read-data-subset={request['subset']}")
    return {"changed": True, "snapshot": identity, "files": len(stable)}


def escape(path):
    """Return the path as a pattern that fits nothing else."""
    return re.sub(r"([\\*?\[])", r"\\\1", path)


def unchanged(path, before):
    """Return whether the file is still as it was when it was looked at."""
    try:
        return mark(path) == before
    except FileNotFoundError:
        return False


def forget(request):
    """Forget the snapshots that are not to be kept any more, and the manifests that belong to them."""
    keep = [word for span, count in sorted(request["keep"].items()) for word in (f"--keep-{span}", str(count))]
    if keep:
        restic(request, "forget", "--prune", "--host", request["host"], "--tag", "wavegate", "--group-by", "host", *keep)
    known = {one["id"] for one in snapshots(request)}
    folder = f"{request['state']}/manifests"
    for name in os.listdir(folder):
        if name.removesuffix(".json") not in known:
            os.remove(f"{folder}/{name}")


def chosen(request):
    """Return the manifest of the snapshot of this change, or of the newest that there is one for."""
    with_manifest = [
        one for one in snapshots(request, *([change_tag(request)] if request["verb"] == "restore" else []))
        if os.path.exists(manifest_path(request, one["id"]))
    ]  # fmt: skip
    if not with_manifest:
        what = f"of {request['id']!r}" if request["verb"] == "restore" else "of this host"
        raise Refused(f"the repository has no snapshot {what} that can be compared: run the backup procedure first")
    with open(manifest_path(request, with_manifest[-1]["id"]), encoding="utf-8") as stream:
        return json.load(stream)


def compare(entries, root):
    """Return what is not below `root` as the manifest says, with the reason."""
    differ = []
    for path, wanted in entries.items():
        try:
            found = describe(root + path)
        except FileNotFoundError:
            differ.append(f"{path} is missing")
            continue
        if found != wanted:
            what = [name for name, a, b in zip(("type", "mode", "owner", "group", "content"), found or [None] * 5, wanted) if a != b]
            differ.append(f"{path} differs in {', '.join(what)}")
    return differ


@contextlib.contextmanager
def restored(request, manifest):
    """Restore the snapshot to a scratch place and give it; it is gone afterwards, however that ends."""
    scratch = request["scratch"]
    os.makedirs(scratch, 0o700, exist_ok=True)
    with open(f"{scratch}/.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        target = f"{scratch}/restored"
        shutil.rmtree(target, ignore_errors=True)
        try:
            restic(request, "restore", manifest["snapshot"], "--target", target)
            yield target
        finally:
            shutil.rmtree(target, ignore_errors=True)


def prove(request):
    """Restore the newest snapshot to a scratch place and compare every file with what was saved."""
    if not snapshots(request):
        return {"changed": False, "snapshot": None, "compared": 0, "files": 0}
    manifest = chosen(request)
    with restored(request, manifest) as target:
        differ = compare(manifest["entries"], target)
    if differ:
        more = f" and {len(differ) - 10} more" if len(differ) > 10 else ""
        raise Refused(f"snapshot {manifest['snapshot'][:8]} is not what was saved: {'; '.join(differ[:10])}{more}")
    files = [entry for entry in manifest["entries"].values() if entry[0] == "file"]
    return {"changed": False, "snapshot": manifest["snapshot"], "compared": len(manifest["entries"]), "files": len(files)}


def restore(request):
    """Put what differs from the snapshot of this change back in its place, after it was proven in a scratch place."""
    manifest = chosen(request)
    under = request["only"] or request["paths"]
    entries = {
        path: entry for path, entry in manifest["entries"].items()
        if any(path == top or path.startswith(top.rstrip("/") + "/") for top in under)
    }  # fmt: skip
    if not entries:
        raise Refused(f"snapshot {manifest['snapshot'][:8]} has nothing of {', '.join(under)}")
    differ = [line for line in compare(entries, "")]
    if request["check"] or not differ:
        return {"changed": bool(differ), "restored": differ}
    with restored(request, manifest) as target:
        broken = compare(entries, target)
        if broken:
            raise Refused(f"snapshot {manifest['snapshot'][:8]} is not what was saved: {'; '.join(broken[:10])}")
        wrong = {path for path in entries if compare({path: entries[path]}, "")}
        for path in sorted(wrong):
            put(target + path, path, entries[path])
    left = compare(entries, "")
    if left:
        raise Refused(f"still not as saved: {'; '.join(left[:10])}")
    return {"changed": True, "restored": differ}


def put(source, path, entry):
    """Make `path` what the entry says; a file is replaced at once, never half-way."""
    kind, mode, uid, gid, content = entry
    os.makedirs(os.path.dirname(path), exist_ok=True)
    there = os.path.lexists(path)
    if there and (kind != "folder" or os.path.islink(path) or not os.path.isdir(path)):
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        elif kind != "file":
            os.remove(path)
    if kind == "folder":
        os.makedirs(path, exist_ok=True)
    elif kind == "link":
        os.symlink(content, path)
        os.lchown(path, uid, gid)
        return
    if kind == "file":
        shutil.copyfile(source, path + ".wavegate-new")
        os.chown(path + ".wavegate-new", uid, gid)
        os.chmod(path + ".wavegate-new", mode)
        os.rename(path + ".wavegate-new", path)
        return
    os.chown(path, uid, gid)
    os.chmod(path, mode)


VERBS = {"reach": reach, "init": init, "take": take, "prove": prove, "restore": restore}


def main(text):
    """Do what the request says; print the answer as JSON, or end with what a person must read."""
    request = json.loads(text)
    os.umask(0o077)
    try:
        print(json.dumps(VERBS[request["verb"]](request)))
    except (Refused, OSError) as error:
        sys.exit(f"{error}")
