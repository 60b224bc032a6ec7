"""Look at what hardens a host, set values of the kernel, and tell what is as wanted.

    host.py look  QUESTION     what the host allows, and the values of the kernel; changes nothing
    host.py set   QUESTION     set the values of the kernel that may be set here
    host.py audit QUESTION     one finding for each rule; changes nothing

QUESTION and answer are JSON: a finding has `id`, `title`, `status` (pass, fail or not-applicable),
`found`, `wanted` and `remedy`.
"""

import errno
import grp
import json
import os
import pwd
import socket
import stat
import subprocess
import sys

SYSTEM = "/"
NET_ADMIN = 12
AUDIT_CONTROL = 30
NETLINK_AUDIT = 9
TABLE = "hardening"
# Where nobody but the owner may write; below /proc and /sys, and in what is temporary, this has no meaning.
TREES = ("etc", "usr/bin", "usr/sbin", "usr/lib/systemd", "root")


def read(path):
    """Return the text of a file without blanks around it, None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def output(*command):
    """Return (exit status, text) of a command, (127, "") where it is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return 127, ""
    return done.returncode, done.stdout


def may(capability):
    """Return whether this program has the capability: in a container root has only some."""
    lines = (read("/proc/self/status") or "").splitlines()
    bits = next((int(line.split()[1], 16) for line in lines if line.startswith("CapEff")), 0)
    return bool(bits >> capability & 1)


def has_audit():
    """Return whether the kernel's audit is there and is this host's own."""
    if not may(AUDIT_CONTROL):
        return False
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_AUDIT).close()
    except OSError as error:
        if error.errno in (errno.EPROTONOSUPPORT, errno.EPERM, errno.EAFNOSUPPORT):
            return False
        raise
    return True


def kernel_path(name):
    """Return where the value of the kernel lies."""
    return "/proc/sys/" + name.replace(".", "/")


def kernel_value(name):
    """Return the value as sysctl writes it, None where this kernel has no such value."""
    value = read(kernel_path(name))
    return None if value is None else " ".join(value.split())


def may_set(name):
    """Return whether the value can be set here; /proc/sys is read-only in most containers."""
    return os.access(kernel_path(name), os.W_OK)


def look(question):
    return {
        "may_filter": may(NET_ADMIN),
        "has_audit": has_audit(),
        "loaded": output("nft", "list", "table", "inet", TABLE)[0] == 0,
        "kernel": {name: kernel_value(name) for name in question["kernel"]},
        "settable": [name for name in question["kernel"] if may_set(name)],
        "modes": {each["path"]: mode_of(each["path"]) for each in question["files"]},
        "wrong": [right for each in question["files"] if (right := put_right(each))],
    }


def put_right(wanted):
    """Return what the file must become; None where it is right, or not there. No mode becomes less strict."""
    found = mode_of(wanted["path"])
    if found is None or is_right(found, wanted):
        return None
    return {**wanted, "mode": f"{int(found['mode'], 8) & int(wanted['mode'], 8):04o}"}


def is_right(found, wanted):
    """Return whether owner and group are as wanted, and the mode gives no more than wanted."""
    too_open = int(found["mode"], 8) & ~int(wanted["mode"], 8)
    return (found["owner"], found["group"]) == (wanted["owner"], wanted["group"]) and not too_open


def mode_of(path):
    """Return owner, group and mode, None where there is nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    owner, group = name_of(pwd.getpwuid, status.st_uid), name_of(grp.getgrgid, status.st_gid)
    return {"owner": owner, "group": group, "mode": f"{stat.S_IMODE(status.st_mode):04o}"}


def name_of(find, number):
    """Return the name of a user or a group, its number where it has none."""
    try:
        return find(number)[0]
    except KeyError:
        return str(number)


def set_values(question):
    """Set what differs and may be set; say what may not."""
    differ = {
        name: value
        for name, value in question["kernel"].items()
        if kernel_value(name) not in (None, str(value)) and value is not None
    }
    done = [name for name in differ if may_set(name)]
    if not question["check"]:
        for name in done:
            with open(kernel_path(name), "w", encoding="ascii") as file:
                file.write(str(differ[name]))
    return {"changed": bool(done), "set": done, "refused": sorted(set(differ) - set(done))}


def finding(number, title, found, wanted, remedy, status=None):
    """Return a finding; it passes where what was found is what is wanted."""
    verdict = status or ("pass" if str(found) == str(wanted) else "fail")
    return {
        "id": number,
        "title": title,
        "status": verdict,
        "found": str(found),
        "wanted": str(wanted),
        "remedy": "" if verdict == "pass" else remedy,
    }


def audit_kernel(wanted):
    """Return a finding for each value of the kernel."""
    for name, value in sorted(wanted.items()):
        found, title = kernel_value(name), f"the kernel's {name}"
        if found is None:
            yield finding(
                f"kernel-{name}", title, "none", value, "this kernel has no such value", "not-applicable"
            )
        elif found != str(value) and not may_set(name):
            remedy = "it cannot be set in here (a container): set it on the machine that runs the container"
            yield finding(f"kernel-{name}", title, found, value, remedy, "not-applicable")
        else:
            yield finding(
                f"kernel-{name}", title, found, value, f"sysctl -w {name}={value}, or run configure"
            )


def audit_sshd(settings):
    """Return a finding for each setting of sshd, as sshd itself understands it."""
    status, text = output("/usr/sbin/sshd", "-T")
    if status != 0:
        yield finding(
            "sshd", "sshd's settings", "cannot be asked", "sshd -T", "look at what sshd -T says", "fail"
        )
        return
    effective = {}
    for line in text.splitlines():
        keyword, _, value = line.partition(" ")
        effective.setdefault(keyword, value)
    for keyword, value in sorted(settings.items()):
        found = effective.get(keyword.lower(), "not set")
        wanted = {"prohibit-password": "without-password"}.get(value, value)
        remedy = f"set {keyword} {value} in a file that sshd reads first, or run configure"
        yield finding(f"sshd-{keyword.lower()}", f"sshd's {keyword}", found.lower(), wanted.lower(), remedy)


def audit_files(wanted):
    """Return a finding for each file whose owner and mode matter; a mode may always be stricter."""
    for each in wanted:
        path, found = each["path"], mode_of(each["path"])
        told = f"{each['owner']}:{each['group']} {each['mode']}"
        if found is None:
            yield finding(f"file-{path}", f"owner and mode of {path}", "nothing", told, "", "not-applicable")
            continue
        yield finding(
            f"file-{path}",
            f"owner and mode of {path}",
            f"{found['owner']}:{found['group']} {found['mode']}",
            told,
            f"chown {each['owner']}:{each['group']} {path}; chmod {each['mode']} {path}; or run configure",
            "pass" if is_right(found, each) else "fail",
        )


def audit_trees(root=SYSTEM):
    """Return a finding about files that anybody may write."""
    odd = [path for tree in TREES for path in writable_below(os.path.join(root, tree))]
    remedy = "chmod o-w " + " ".join(odd[:5])
    yield finding(
        "file-writable", "files that anybody may write", ", ".join(odd[:5]) or "none", "none", remedy
    )


def writable_below(top):
    """Return the files and folders below that anybody may write."""
    for folder, folders, files in os.walk(top):
        for name in [*folders, *files]:
            path = os.path.join(folder, name)
            try:
                status = os.lstat(path)
            except OSError:
                continue
            sticky = status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode)
            if status.st_mode & stat.S_IWOTH and not stat.S_ISLNK(status.st_mode) and not sticky:
                yield path


def audit_accounts(root=SYSTEM):
    """Return findings about accounts."""
    passwd = rows(os.path.join(root, "etc/passwd"))
    second = [row[0] for row in passwd if row[2] == "0" and row[0] != "root"]
    remedy = "give them another uid, or remove them"
    yield finding(
        "account-root", "accounts besides root with uid 0", ", ".join(second) or "none", "none", remedy
    )
    open_to_all = [row[0] for row in rows(os.path.join(root, "etc/shadow")) if row[1] == ""]
    remedy = "passwd --lock " + " ".join(open_to_all)
    yield finding(
        "account-password", "accounts without a password", ", ".join(open_to_all) or "none", "none", remedy
    )


def rows(path):
    """Return the fields of each line of an account file."""
    return [line.split(":") for line in (read(path) or "").splitlines() if line]


def audit_firewall(wanted):
    """Return findings about the firewall."""
    if not wanted:
        return
    status, text = output("nft", "list", "chain", "inet", TABLE, "input")
    drops = "policy drop" in text
    yield finding(
        "firewall-loaded",
        "the firewall",
        "loaded" if status == 0 else "not loaded",
        "loaded",
        "run configure",
    )
    yield finding(
        "firewall-drop", "what no rule allows", "dropped" if drops else "let in", "dropped", "run configure"
    )
    _, enabled = output("systemctl", "is-enabled", "hardening-firewall.service")
    yield finding(
        "firewall-boot", "the firewall at boot", enabled.strip() or "missing", "enabled",
        "systemctl enable hardening-firewall.service",
    )  # fmt: skip


def audit_auditd(wanted):
    """Return a finding about the record of what is done on the host."""
    if not wanted:
        return
    if not has_audit():
        remedy = "the kernel gives no audit to this host (a container): record on the machine that runs it"
        yield finding("auditd-runs", "auditd", "not possible", "active", remedy, "not-applicable")
        return
    _, active = output("systemctl", "is-active", "auditd.service")
    yield finding("auditd-runs", "auditd", active.strip() or "missing", "active", "run install")


def audit(question):
    found = [
        *audit_sshd(question["sshd"]),
        *audit_firewall(question["firewall"]),
        *audit_kernel(question["kernel"]),
        *audit_files(question["files"]),
        *audit_trees(),
        *audit_accounts(),
        *audit_auditd(question["auditd"]),
    ]
    return {
        "findings": found,
        "failed": [each for each in found if each["status"] == "fail"],
        "table": table(found),
    }


def table(findings):
    """Return the findings as lines of a table, those that failed first."""
    order = {"fail": 0, "not-applicable": 1, "pass": 2}
    ordered = sorted(findings, key=lambda each: order[each["status"]])
    columns = ("status", "id", "found", "wanted", "remedy")
    width = {name: max(len(name), *(len(each[name]) for each in ordered)) for name in columns[:-1]}
    lines = [dict(zip(columns, columns, strict=True)), *ordered]
    return ["  ".join(line[name].ljust(width.get(name, 0)) for name in columns).rstrip() for line in lines]


if __name__ == "__main__":
    verbs = {"look": look, "set": set_values, "audit": audit}
    print(json.dumps(verbs[sys.argv[1]](json.loads(sys.argv[2]))))
