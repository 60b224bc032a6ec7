#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module wavegate_guard: have the host take a risky change back, unless it is confirmed in time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: wavegate_guard
short_description: Have the host itself take a risky change back, unless it is confirmed in time
version_added: "0.1.0"
description:
  - A change of sshd or of a firewall can lock the controller out, and then nobody is left to take it back.
  - C(armed) keeps copies of the files on the host, before they are changed, and starts a systemd timer that
    leaves ten minutes for writing.
  - C(activated) lets C(seconds) begin and then runs the commands, which have the changed files take effect.
    It refuses where the guard is not armed, so that nothing takes effect without a way back.
  - When the time is over, the host puts the files back and runs the commands, also after a reboot and
    without the controller.
  - C(confirmed) stops that, after a new connection has proven that the host is still within reach.
  - C(taken_back) does not wait for the time to be over.
  - Where a guard of that name is already armed (a run was killed between change and proof), its copies are
    kept, because they are older than the change; only the time starts anew.
options:
  state:
    type: str
    required: true
    choices: [armed, activated, confirmed, taken_back, looked]
    description:
      - C(looked) only tells whether the guard is armed. C(confirmed) fails where the host was faster.
  name: {type: str, required: true, description: "The name of the guard: letters, digits, dashes."}
  seconds:
    type: int
    default: 60
    description: Time from C(activated) until the host takes the change back.
  paths: {type: list, elements: path, default: [], description: Files to keep and to put back, for C(armed).}
  commands:
    type: list
    elements: list
    default: []
    description: Programs with arguments that have the files take effect, for C(armed).
author:
  - wavegate
attributes:
  check_mode:
    description: Changes nothing in check mode.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Keep a way back
  wavegate_guard:
    state: armed
    name: sshd
    paths: [/etc/ssh/sshd_config.d/10-ours.conf]
    commands: [[systemctl, reload, ssh.service]]

- name: Have what was written there take effect, for a minute
  wavegate_guard: {state: activated, name: sshd, seconds: 60}
"""

RETURN = r"""
armed:
  description: Whether the guard was armed when the task began.
  returned: success
  type: bool
"""

ROOT = "/var/lib/wavegate/guard"
UNITS = "/etc/systemd/system"
WRITING = 600
STATES = ["armed", "activated", "confirmed", "taken_back", "looked"]
SERVICE = """[Unit]
Description=Take back what was not confirmed (%(name)s)

[Service]
Type=oneshot
ExecStart=%(python)s %(folder)s/take_back.py
"""
TIMER = """[Unit]
Description=Time to confirm a change (%(name)s)

[Timer]
OnActiveSec=%(seconds)d
AccuracySec=500ms

[Install]
WantedBy=timers.target
"""
# Runs on the host alone: it needs nothing but Python, and its own units are gone first, so that it runs once.
TAKE_BACK = r"""
import json, os, shutil, subprocess
folder = os.path.dirname(os.path.abspath(__file__))
guard = json.load(open(os.path.join(folder, "guard.json")))
for number, path in enumerate(guard["paths"]):
    copy = os.path.join(folder, str(number))
    if os.path.exists(copy):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        shutil.copy2(copy, path + ".wavegate-guard")
        status = os.stat(copy)
        os.chown(path + ".wavegate-guard", status.st_uid, status.st_gid)
        os.replace(path + ".wavegate-guard", path)
    elif os.path.lexists(path):
        os.unlink(path)
for command in guard["commands"]:
    subprocess.run(command, check=False)
for kind in ("timer", "service"):
    for path in (guard["unit"] + "." + kind, guard["wanted"]):
        if os.path.lexists(path):
            os.unlink(path)
shutil.rmtree(folder)
open(folder + ".taken-back", "w").close()
subprocess.run(["systemctl", "daemon-reload"], check=False)
subprocess.run(["systemctl", "stop", os.path.basename(guard["unit"]) + ".timer"], check=False)
"""


class Guard:
    """One guard of the host."""

    def __init__(self, name: str, root: str = ROOT, units: str = UNITS) -> None:
        self.name = name
        self.root = root
        self.folder = os.path.join(root, name)
        self.taken_back = self.folder + ".taken-back"
        self.units = units
        self.unit = "wavegate-guard-" + name
        self.wanted = os.path.join(units, "timers.target.wants", self.unit + ".timer")

    def is_armed(self) -> bool:
        """Return whether the host would take something back."""
        return os.path.exists(os.path.join(self.folder, "guard.json"))

    def keep(self, paths: list[str], commands: list[list[str]]) -> None:
        """Keep copies of the files and what is to be done, complete or not at all."""
        os.makedirs(self.root, mode=0o700, exist_ok=True)
        scratch = tempfile.mkdtemp(dir=self.root, prefix=".new-")
        for number, path in enumerate(paths):
            if os.path.lexists(path):
                copy = os.path.join(scratch, str(number))
                shutil.copy2(path, copy)
                status = os.stat(path)
                os.chown(copy, status.st_uid, status.st_gid)
        guard = {
            "paths": paths,
            "commands": commands,
            "unit": os.path.join(self.units, self.unit),
            "wanted": self.wanted,
        }
        write(os.path.join(scratch, "take_back.py"), TAKE_BACK)
        write(os.path.join(scratch, "guard.json"), json.dumps(guard))
        os.sync()
        shutil.rmtree(self.folder, ignore_errors=True)
        os.replace(scratch, self.folder)
        if os.path.exists(self.taken_back):
            os.unlink(self.taken_back)

    def start(self, seconds: int) -> None:
        """Start the time, and see to it that it starts again after a reboot."""
        values = {"name": self.name, "seconds": seconds, "folder": self.folder, "python": sys.executable}
        write(os.path.join(self.units, self.unit + ".service"), SERVICE % values)
        write(os.path.join(self.units, self.unit + ".timer"), TIMER % values)
        systemctl("daemon-reload")
        systemctl("enable", "--quiet", self.unit + ".timer")
        systemctl("restart", self.unit + ".timer")

    def activate(self, seconds: int) -> None:
        """Let the time begin and have the change take effect, in this order."""
        if not self.is_armed():
            raise OSError("it is not armed, so nothing takes effect")
        self.start(seconds)
        with open(os.path.join(self.folder, "guard.json"), encoding="utf-8") as file:
            commands = json.load(file)["commands"]
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise OSError(" ".join(command) + ": " + done.stderr.strip())

    def take_back(self) -> None:
        """Take the change back now, and wait until that is done."""
        systemctl("start", self.unit + ".service")
        if self.is_armed():
            raise OSError("it has not taken the change back; see journalctl -u " + self.unit)

    def stop(self) -> None:
        """Stop the time and forget the copies; a take-back that has begun is awaited, not cut off."""
        systemctl("disable", "--quiet", "--now", self.unit + ".timer")
        deadline = time.monotonic() + 30
        while is_busy(self.unit + ".service") and time.monotonic() < deadline:
            time.sleep(0.2)
        if not self.is_armed():
            return
        shutil.rmtree(self.folder)
        for kind in ("timer", "service"):
            path = os.path.join(self.units, self.unit + "." + kind)
            if os.path.exists(path):
                os.unlink(path)
        systemctl("daemon-reload")


def is_busy(unit: str) -> bool:
    """Return whether the unit is at work."""
    argv = ["systemctl", "show", "-p", "ActiveState", "--value", unit]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return done.stdout.strip() in ("activating", "active", "deactivating")


def systemctl(*arguments: str) -> None:
    """Ask systemd for something that must succeed."""
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError("systemctl " + " ".join(arguments) + ": " + done.stderr.strip())


def write(path: str, text: str) -> None:
    """Write a file that is complete or not there."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def act(guard: Guard, values: dict) -> bool:
    """Bring the guard into the state that is asked for; return whether that was a change."""
    armed = guard.is_armed()
    state = values["state"]
    if state == "armed":
        if not armed:
            guard.keep(values["paths"], values["commands"])
        guard.start(WRITING)
        return True
    if state == "activated":
        guard.activate(values["seconds"])
        return True
    if state == "taken_back":
        if armed:
            guard.take_back()
        return armed
    if armed:
        guard.stop()
    if os.path.exists(guard.taken_back):
        raise OSError("the host has taken the change back already, because it was not confirmed in time")
    return armed


def main() -> None:
    module = AnsibleModule(
        {
            "state": {"type": "str", "required": True, "choices": STATES},
            "name": {"type": "str", "required": True},
            "seconds": {"type": "int", "default": 60},
            "paths": {"type": "list", "elements": "path", "default": []},
            "commands": {"type": "list", "elements": "list", "default": []},
        },
        supports_check_mode=True,
    )
    values = module.params
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", values["name"]):
        module.fail_json(msg="a guard's name has only letters, digits and dashes: " + repr(values["name"]))
    guard = Guard(values["name"])
    armed = guard.is_armed()
    if values["state"] == "looked" or module.check_mode:
        module.exit_json(changed=False, armed=armed)
    try:
        changed = act(guard, values)
    except OSError as error:
        module.fail_json(msg="guard " + values["name"] + ": " + str(error))
    module.exit_json(changed=changed, armed=armed)


if __name__ == "__main__":
    main()
