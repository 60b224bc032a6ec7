#!/usr/bin/python
"""Documentation of the action `wavegate_pin`, which runs on the controller and does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wavegate_pin
short_description: Tell the rollout which version was resolved, so that later hosts get the same
description:
  - Announce what a host resolved (a package's candidate, an artifact's digest) before it is installed.
  - The first host that announces a key pins it for the whole rollout. Where another host announces another
    value the task fails, before anything was changed there.
  - Every batch that starts afterwards gets all pins as the variable C(wavegate_pins), a mapping of key to
    value, so that a role can install exactly that.
  - Changes nothing. Under plain ansible-playbook, and in check mode, it does nothing at all.
options:
  key:
    type: str
    required: true
    description:
      - What was resolved; hosts with the same key get the same value. Put into it all that versions may
        rightly differ by, such as the release. At most 200 characters, no braces, no secrets.
  value:
    type: str
    required: true
    description: What it was resolved to; at most 200 characters, no braces, no secrets.
author: wavegate
"""

EXAMPLES = r"""
- name: Announce the version before it is installed
  wavegate_pin: {key: intranet/bookworm, value: "1.1"}
"""

RETURN = r"""
announced:
  description: Whether a rollout was told; false under plain ansible-playbook and in check mode.
  returned: success
  type: bool
"""
