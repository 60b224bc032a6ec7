#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module wavegate_look: what a role must know of a host before it acts, in one round trip."""

from __future__ import annotations

import os
import shutil
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: wavegate_look
short_description: Look at packages, services, room and ports of a host, in one round trip
version_added: "0.1.0"
description:
  - Tells what a role has to know before it acts. Changes nothing, and does the same in check mode.
  - What does not exist is null or empty in the answer; looking at it is no failure.
options:
  packages:
    description: Names of Debian packages.
    type: list
    elements: str
    default: []
  services:
    description: Names of systemd units.
    type: list
    elements: str
    default: []
  paths:
    description: Absolute paths, which need not exist, of which the free room is told.
    type: list
    elements: path
    default: []
  ports:
    description: Numbers of TCP ports.
    type: list
    elements: int
    default: []
author:
  - wavegate
attributes:
  check_mode:
    description: Changes nothing in either mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Look at the host
  wavegate_look:
    packages: [nginx]
    services: [nginx]
    paths: [/etc, /var/log]
    ports: [80, 443]
  register: __nginx_look
"""

RETURN = r"""
look:
  description:
    - C(os) (C(id), C(version_id), C(codename)) and C(boot_id).
    - C(interrupted), whether a package manager was killed before it had configured what it unpacked.
    - C(packages), name to installed version or null; C(offered), name to the versions that apt knows as its
      lists are, newest first.
    - C(services), name to C(active), C(enabled) and C(pid).
    - C(free), path to bytes that are free on its file system, or that of its nearest parent that exists.
    - C(ports), number to C(unit) and C(process) that listen there, null where nothing does.
  returned: success
  type: dict
"""

SECONDS = 30
TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENS = "0A"
UPDATES = "/var/lib/dpkg/updates"


def output(*command):
    """Return what the command printed, "" where it could not be started or took too long."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def read(path):
    """Return the text of a file, "" where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def listdir(path):
    """Return the names in a folder, none where it is not there."""
    try:
        return os.listdir(path)
    except OSError:
        return []


def look_at_system(text):
    """Return the distribution out of the text of os-release(5)."""
    found = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    keys = {"id": "ID", "version_id": "VERSION_ID", "codename": "VERSION_CODENAME"}
    return {name: found.get(key, "").strip("\"'") for name, key in keys.items()}


def look_at_packages(names):
    """Return the installed version of each package, None where it is not installed."""
    form = "${Package} ${Version} ${db:Status-Status}\n"
    rows = [line.split() for line in output("dpkg-query", "-W", "-f", form, "--", *names).splitlines()]
    installed = {row[0]: row[1] for row in rows if row[-1] == "installed"}
    return {name: installed.get(name) for name in names}


def look_at_offers(names):
    """Return the versions of each package that apt could install, newest first."""
    offered = {name: [] for name in names}
    for line in output("apt-cache", "madison", "--", *names).splitlines():
        name, version = (field.strip() for field in line.split("|")[:2])
        if version not in offered.setdefault(name, []):
            offered[name].append(version)
    return offered


def look_at_service(name):
    """Return the state of one unit."""
    shown = output("systemctl", "show", "-p", "ActiveState,UnitFileState,MainPID", "--", name)
    said = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {
        "active": said.get("ActiveState", "inactive"),
        "enabled": said.get("UnitFileState", ""),
        "pid": int(said.get("MainPID", "0") or 0),
    }


def free_bytes(path):
    """Return the bytes that are free where the path is, or would be."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return shutil.disk_usage(path).free


def find_listeners(tables=TABLES):
    """Return {port: inode of its socket} of everything that listens to TCP."""
    rows = [line.split() for table in tables for line in read(table).splitlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16): row[9] for row in rows if row[3] == LISTENS}


def find_owner(inode):
    """Return the pid of the process that holds the socket, None where it cannot be seen."""
    wanted = f"socket:[{inode}]"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        folder = f"/proc/{pid}/fd"
        try:
            if any(os.readlink(os.path.join(folder, name)) == wanted for name in os.listdir(folder)):
                return pid
        except OSError:
            continue
    return None


def unit_of(groups):
    """Return the systemd unit that the text of /proc/PID/cgroup names, "" where there is none."""
    lines = groups.splitlines()
    # Only one hierarchy is systemd's own: its named one, else (cgroup v2) the only one.
    own = [line for line in lines if ":name=systemd:" in line] or [
        line for line in lines if line.startswith("0::")
    ]
    parts = own[0].split("/") if own else []
    units = [part for part in parts if part.endswith((".service", ".socket", ".scope"))]
    return units[-1] if units else ""


def look_at_port(inode):
    """Return unit and program that listen on the socket, None where there is none."""
    if inode is None:
        return None
    pid = find_owner(inode)
    if pid is None:
        return {"unit": "", "process": ""}
    return {"unit": unit_of(read(f"/proc/{pid}/cgroup")), "process": read(f"/proc/{pid}/comm").strip()}


def look(packages, services, paths, ports):
    """Return everything that was asked for."""
    listeners = find_listeners() if ports else {}
    return {
        "os": look_at_system(read("/etc/os-release")),
        "boot_id": read("/proc/sys/kernel/random/boot_id").strip(),
        "interrupted": bool(output("dpkg", "--audit").strip()) or bool(listdir(UPDATES)),
        "packages": look_at_packages(packages) if packages else {},
        "offered": look_at_offers(packages) if packages else {},
        "services": {name: look_at_service(name) for name in services},
        "free": {path: free_bytes(path) for path in paths},
        "ports": {str(port): look_at_port(listeners.get(port)) for port in ports},
    }


def main():
    """Run as Ansible runs a module."""
    module = AnsibleModule(
        argument_spec={
            "packages": {"type": "list", "elements": "str", "default": []},
            "services": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "path", "default": []},
            "ports": {"type": "list", "elements": "int", "default": []},
        },
        supports_check_mode=True,
    )
    odd = [path for path in module.params["paths"] if not path.startswith("/")]
    if odd:
        module.fail_json(msg=f"{', '.join(odd)} must be absolute: give whole paths")
    module.exit_json(changed=False, look=look(**module.params))


if __name__ == "__main__":
    main()
