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
  - Measures services, failed units, free disk space, load, free memory and whether a reboot is required.
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
attributes:
  check_mode:
    description: Measures the same in check mode.
    support: full
requirements:
  - systemd, for services and failed units
notes:
  - Needs no root, except for paths that only root may enter.
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
  type: dict
  returned: always
  sample: {"/": {"free_bytes": 4200000000, "total_bytes": 10000000000, "free_percent": 42.0}}
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

import os  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import threading  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

SECONDS = 3.0
UNIT_NAME = re.compile(r"[A-Za-z0-9:_.\\@-]+")
UNIT_SUFFIX = re.compile(r"\.(service|socket|target|timer|mount|automount|path|slice|scope|swap|device)$")


class NotMeasuredError(Exception):
    """Why a measurement could not be taken."""


def run_systemctl(*arguments):
    """Return what systemctl printed; raise NotMeasuredError."""
    environment = dict(os.environ, LC_ALL="C", SYSTEMD_COLORS="0", SYSTEMD_PAGER="", SYSTEMD_URLIFY="0")
    try:
        done = subprocess.run(
            ["systemctl", *arguments],
            capture_output=True,
            check=False,
            env=environment,
            errors="replace",
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise NotMeasuredError(f"systemctl gave no answer within {SECONDS:g} s") from None
    except OSError as error:
        raise NotMeasuredError(f"systemctl cannot be run: {error.strerror}") from None
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise NotMeasuredError(f"systemctl failed: {said}")
    return done.stdout


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


def parse_memory(text):
    """Return the available memory in percent of all, from the text of /proc/meminfo."""
    sizes = dict(re.findall(r"^(\w+):\s+(\d+) kB$", text, re.MULTILINE))
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
    """Return free and total bytes from what statvfs said."""
    if status.f_blocks <= 0:
        raise NotMeasuredError("its file system has no size")
    return {
        "free_bytes": status.f_bavail * status.f_frsize,
        "total_bytes": status.f_blocks * status.f_frsize,
        "free_percent": round(100.0 * status.f_bavail / status.f_blocks, 2),
    }


def measure_disk(paths, errors):
    """Return {path: free space}; a file system that does not answer is given up after SECONDS."""
    found = {}

    def look(path):
        try:
            found[path] = describe_space(os.statvfs(path))
        except NotMeasuredError as reason:
            errors[path] = str(reason)
        except (OSError, ValueError) as error:
            errors[path] = getattr(error, "strerror", None) or str(error)

    absolute = [path for path in paths if os.path.isabs(path)]
    errors.update((path, "this is not an absolute path") for path in paths if path not in absolute)
    threads = {path: threading.Thread(target=look, args=(path,), daemon=True) for path in absolute}
    for thread in threads.values():
        thread.start()
    for path, thread in threads.items():
        thread.join(SECONDS)
        if thread.is_alive():
            errors[path] = f"no answer within {SECONDS:g} s"
    return {path: found[path] for path in absolute if path in found and path not in errors}


def measure_load():
    """Return the load of the last minute per processor."""
    try:
        return round(os.getloadavg()[0] / (os.cpu_count() or 1), 3)
    except OSError as error:
        raise NotMeasuredError(f"the load cannot be had: {error}") from None


def measure_memory(path="/proc/meminfo"):
    """Return the available memory in percent."""
    try:
        with open(path, encoding="ascii", errors="replace") as stream:
            return parse_memory(stream.read())
    except OSError as error:
        raise NotMeasuredError(f"{path} cannot be read: {error.strerror}") from None


def measure_reboot_required(root="/"):
    """Return whether the file lies there with which Debian's packages ask for a reboot."""
    if not os.path.exists(os.path.join(root, "etc/debian_version")):
        raise NotMeasuredError("only Debian and its relatives tell whether a reboot is required")
    return any(
        os.path.exists(os.path.join(root, path))
        for path in ("run/reboot-required", "var/run/reboot-required")
    )


def measure(services, paths):
    """Return all measurements; what could not be measured is named under `errors` only."""
    errors = {}
    state = {"services": measure_services(services, errors), "disk": measure_disk(paths, errors)}
    for key, take in (
        ("failed_units", measure_failed_units),
        ("load_per_core", measure_load),
        ("memory_available_percent", measure_memory),
        ("reboot_required", measure_reboot_required),
    ):
        try:
            state[key] = take()
        except NotMeasuredError as reason:
            errors[key] = str(reason)
    return dict(state, errors=errors)


def main():
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "services": {"type": "list", "elements": "str", "default": []},
            "paths": {"type": "list", "elements": "str", "default": ["/"]},
        },
        supports_check_mode=True,
    )
    module.exit_json(changed=False, **measure(module.params["services"], module.params["paths"]))


if __name__ == "__main__":
    main()
