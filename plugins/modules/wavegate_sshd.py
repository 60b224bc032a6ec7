#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Ansible module wavegate_sshd: compare what sshd does with what a file of settings asks for."""

from __future__ import annotations

import os
import subprocess

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
---
module: wavegate_sshd
short_description: Compare what sshd does with what a file of settings asks for
version_added: "0.1.0"
description:
  - In sshd the first value that it reads wins, so a file of settings may be there and have no effect.
  - Asks sshd for its settings as a whole, and for those of the file alone, so that both are written in one
    way (C(prohibit-password) and C(without-password) are one). Changes nothing.
options:
  file: {type: path, required: true, description: "A file of settings, such as one of sshd_config.d."}
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
- name: Compare sshd with our settings
  wavegate_sshd: {file: /etc/ssh/sshd_config.d/10-ours.conf}
  register: found
"""

RETURN = r"""
differ:
  description: What differs, one sentence for each keyword; empty where the file has its full effect.
  returned: success
  type: list
  elements: str
"""

SSHD = "/usr/sbin/sshd"


def keywords_of(path: str) -> list[str]:
    """Return the keywords of a file of settings, in small letters."""
    with open(path, encoding="utf-8") as file:
        words = [line.replace("=", " ").split() for line in file if not line.lstrip().startswith("#")]
    return sorted({line[0].lower() for line in words if line})


def effective(*options: str) -> dict[str, list[str]]:
    """Return the values of each keyword, as sshd writes them."""
    done = subprocess.run([SSHD, "-T", *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(done.stderr.strip() or "sshd says nothing of its settings")
    values: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        values.setdefault(keyword.lower(), []).append(value)
    return values


def compare(keywords: list[str], wanted: dict[str, list[str]], found: dict[str, list[str]]) -> list[str]:
    """Return one sentence for each keyword whose wanted values are not all in effect."""
    return [
        keyword + " is " + told(found.get(keyword)) + ", wanted is " + told(wanted.get(keyword))
        for keyword in keywords
        if not set(wanted.get(keyword, [])) <= set(found.get(keyword, []))
    ]


def told(values: list[str] | None) -> str:
    """Return values as a person reads them."""
    return repr(", ".join(values)) if values else "not set"


def main() -> None:
    module = AnsibleModule({"file": {"type": "path", "required": True}}, supports_check_mode=True)
    path = module.params["file"]
    if not os.path.exists(path):
        module.exit_json(changed=False, differ=[path + " is not there"])
    try:
        differ = compare(keywords_of(path), effective("-f", path), effective())
    except OSError as error:
        module.fail_json(msg="sshd cannot be asked for its settings: " + str(error))
    module.exit_json(changed=False, differ=differ)


if __name__ == "__main__":
    main()
