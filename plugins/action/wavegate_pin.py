"""Ansible action: tells the rollout which version a host resolved, before it is installed.

The first host of a rollout pins it for all others: a task that announces another one fails. Runs on the
controller, changes nothing itself, and outside of a batch of wavegate it does nothing.
"""

from __future__ import annotations

from ansible.plugins.loader import action_loader

# The other action's module is loaded by Ansible under a name of its own: its class is the way to its code.
Announcing = action_loader.get("wavegate_obligation", class_only=True).__mro__[1]


class ActionModule(Announcing):
    """`wavegate_pin`."""

    def run(self, tmp=None, task_vars=None):
        """Announce what was resolved; fail when another host got something else."""
        super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(
            {"key": {"type": "str", "required": True}, "value": {"type": "str", "required": True}}
        )
        return self.announce(task_vars, {"kind": "pin", **given})
