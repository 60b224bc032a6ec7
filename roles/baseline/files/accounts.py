"""Look at accounts, remove some, and put some back from copies of the account files.

    accounts.py look    QUESTION     what is known of the accounts and groups; changes nothing
    accounts.py remove  QUESTION     remove the accounts; what they own stays, closed to all but root
    accounts.py restore QUESTION     make the accounts as they are in the copies; no other account is touched

QUESTION is JSON: {"names": [account], "groups": [group], "keys": folder, "copies": folder,
"homes": {account: home as it was}, "check": bool}. The answer is JSON too.
"""

import ctypes
import json
import os
import signal
import stat
import subprocess
import sys
import time

# A line of these comes back with its account; where that stayed, a password that was changed since stays.
KEPT = ("shadow", "subuid", "subgid")
GROUPS = ("group", "gshadow")
PATIENCE = 5.0


class Refused(Exception):
    """Something that a person must read."""


class Files:
    """The account files of one folder, read as lists of fields."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return os.path.join(self.folder, name)

    def rows(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="surrogateescape") as file:
                return [line.rstrip("\n").split(":") for line in file if line.strip()]
        except FileNotFoundError:
            return []

    def row(self, name, account):
        return next((row for row in self.rows(name) if row[0] == account), None)

    def write(self, name, rows):
        """Replace the file as a whole, with the owner and the mode that it has."""
        path = self.path(name)
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return
        with open(path + ".wavegate", "w", encoding="utf-8", errors="surrogateescape") as file:
            os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fchmod(file.fileno(), stat.S_IMODE(status.st_mode))
            file.writelines(":".join(row) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())
        os.replace(path + ".wavegate", path)


def login():
    """Return the account that the controller came in with, before it became root."""
    import pwd

    return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name


def describe(files, name):
    """Return what the account files say of an account, None where there is none."""
    row = files.row("passwd", name)
    if row is None:
        return None
    groups = sorted(group[0] for group in files.rows("group") if name in members(group))
    return {"uid": int(row[2]), "gid": int(row[3]), "home": row[5], "shell": row[6], "groups": groups}


def home_of(row):
    """Return owner and mode of an account's home, None where it has none."""
    try:
        status = os.stat(row[5], follow_symlinks=False)
    except OSError:
        return None
    return {"uid": status.st_uid, "gid": status.st_gid, "mode": stat.S_IMODE(status.st_mode)}


def look(files, question):
    names = {row[0]: row for row in files.rows("passwd")}
    keys = question["keys"]
    return {
        "login": login(),
        "accounts": {name: describe(files, name) for name in question["names"]},
        "homes": {name: home_of(names[name]) if name in names else None for name in question["names"]},
        "groups": [row[0] for row in files.rows("group") if row[0] in question["groups"]],
        "keys": sorted(os.listdir(keys)) if os.path.isdir(keys) else [],
    }


def members(group):
    """Return the members in a line of group or gshadow."""
    return [name for name in group[3].split(",") if name]


def remove(files, question):
    """Remove accounts: first no login, then no process, and nobody who gets the uid later owns the home."""
    there = [name for name in question["names"] if files.row("passwd", name)]
    if question["check"]:
        return {"changed": bool(there), "removed": there}
    for name in there:
        row = files.row("passwd", name)
        home = home_of(row)
        done = subprocess.run(["userdel", "--force", name], capture_output=True, text=True, check=False)
        if files.row("passwd", name):
            raise Refused(f"the account {name} cannot be removed: {done.stderr.strip()}")
        end_processes(int(row[2]))
        if home is not None and home["uid"] == int(row[2]):
            os.chown(row[5], 0, 0, follow_symlinks=False)
            os.chmod(row[5], 0o700)
    return {"changed": bool(there), "removed": there}


def end_processes(uid):
    """Ask the processes of an account to end, then end them."""
    deadline = time.monotonic() + PATIENCE
    number = signal.SIGTERM
    while pids := processes_of(uid):
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        if time.monotonic() > deadline + PATIENCE:
            raise Refused(f"processes of the removed account do not end: {pids}")
        time.sleep(0.1)


def processes_of(uid):
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.stat("/proc/" + name).st_uid == uid and not is_zombie(name):
                found.append(int(name))
        except FileNotFoundError:
            continue
    return found


def is_zombie(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] == "Z"


def restore(files, question):
    """Make the named accounts as they were; one that was not there goes, with its home."""
    copies = Files(question["copies"])
    if not copies.rows("passwd"):
        raise Refused(f"there are no copies of the account files in {question['copies']}")
    names = question["names"]
    differing = [name for name in names if not is_same(files, copies, name)]
    if question["check"] or not differing:
        return {"changed": bool(differing), "restored": differing}
    for name in differing:
        row = files.row("passwd", name)
        if copies.row("passwd", name) is None and row is not None:
            leave = [] if question["homes"].get(name) else ["--remove"]
            done = subprocess.run(
                ["userdel", "--force", *leave, name], capture_output=True, text=True, check=False
            )
            if files.row("passwd", name):
                raise Refused(f"the account {name} cannot be removed: {done.stderr.strip()}")
            end_processes(int(row[2]))
    with account_files_locked():
        for file in KEPT:
            gone = [name for name in differing if files.row("passwd", name) is None]
            files.write(file, merged(files.rows(file), copies.rows(file), gone))
        files.write("passwd", merged(files.rows("passwd"), copies.rows("passwd"), differing))
        for file in GROUPS:
            files.write(file, merged_groups(files.rows(file), copies.rows(file), differing))
    for name in differing:
        row, home = files.row("passwd", name), question["homes"].get(name)
        if row is not None and home and os.path.isdir(row[5]):
            os.chown(row[5], home["uid"], home["gid"], follow_symlinks=False)
            os.chmod(row[5], home["mode"])
    return {"changed": True, "restored": differing}


def is_same(files, copies, name):
    """Return whether an account is as in the copies, with all of its groups."""
    if files.row("passwd", name) != copies.row("passwd", name):
        return False
    return groups_of(files, name) == groups_of(copies, name)


def groups_of(files, name):
    """Return the account's own group and the names of the others."""
    own = files.row("group", name)
    return own and own[:3], [row[0] for row in sorted(files.rows("group")) if name in members(row)]


def merged(now, then, names):
    """Return the lines of now, with the lines of these accounts as they were."""
    old = {row[0]: row for row in then if row[0] in names}
    kept = [old.pop(row[0], None) if row[0] in names else row for row in now]
    return [row for row in kept if row is not None] + list(old.values())


def merged_groups(now, then, names):
    """Return the groups of now, with the own groups and the memberships of these accounts as they were."""
    past = {row[0]: members(row) for row in then}
    rows = merged(
        now, [row for row in then if row[0] in names], [n for n in names if own_group(n, now, then)]
    )
    result = []
    for row in rows:
        stay = [name for name in members(row) if name not in names]
        back = [name for name in past.get(row[0], []) if name in names]
        result.append([*row[:3], ",".join(stay + back)])
    return result


def own_group(name, now, then):
    """Return whether a group with the account's name came or went with it."""
    return (name in [row[0] for row in now]) != (name in [row[0] for row in then])


class account_files_locked:
    """The lock that useradd, passwd and the others take too."""

    def __enter__(self):
        self.libc = ctypes.CDLL(None)
        if self.libc.lckpwdf() != 0:
            raise Refused("the account files are locked by another program; try again")

    def __exit__(self, *_):
        self.libc.ulckpwdf()


def main(verb, question, folder="/etc"):
    verbs = {"look": look, "remove": remove, "restore": restore}
    return verbs[verb](Files(folder), question)


if __name__ == "__main__":
    try:
        print(json.dumps(main(sys.argv[1], json.loads(sys.argv[2]))))
    except Refused as refused:
        sys.exit(str(refused))
