#!/usr/bin/python
"""Documentation of the action `wavegate_obligation`, which runs on the controller and does the work."""

from __future__ import annotations

DOCUMENTATION = r"""
module: wavegate_obligation
short_description: Tell the rollout what is taken out, and what puts it back
description:
  - An obligation is something taken out that must be put back; a drained node, a silenced alert, a flag.
  - Announce it right before it is taken out. The task returns when it is durable in the journal, and fails
    when it cannot be, so that nothing is taken out that would be forgotten.
  - Announce it as C(closed) after it was put back. Where that does not happen (the host fails, the process
    is killed, a person stops the rollout) wavegate runs the playbook in O(undo) itself, limited to the host.
  - Announce only what you really take out; look first, and leave alone what was out before.
  - Changes nothing. Under plain ansible-playbook, and in check mode, it does nothing at all.
options:
  key:
    type: str
    required: true
    description:
      - What is taken out, unique for the host; at most 200 characters, no braces, no secrets.
      - The undo playbook gets it as C(wavegate_obligation_key).
  state:
    type: str
    choices: [open, closed]
    default: open
    description: Whether it is about to be taken out, or is back.
  undo:
    type: str
    description:
      - The playbook that puts it back, relative to the project's root, or a collection's by its full name.
      - Required to open. It must do no harm when nothing is out. A host that is down is no reason to fail;
        do not gather facts, and delegate what is done elsewhere.
author: wavegate
"""

EXAMPLES = r"""
- name: Announce that the host leaves the pool
  wavegate_obligation: {key: pool, undo: playbooks/undrain.yml}

- name: Announce that the host is back in the pool
  wavegate_obligation: {key: pool, state: closed}
"""

RETURN = r"""
announced:
  description: Whether a rollout was told; false under plain ansible-playbook and in check mode.
  returned: success
  type: bool
"""
