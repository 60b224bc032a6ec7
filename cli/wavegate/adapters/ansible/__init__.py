"""Asking Ansible, with its own code in a process of its own: who the hosts are and what they mean."""

from wavegate.adapters.ansible.asking import ask
from wavegate.adapters.ansible.remembering import Memory

__all__ = ["Memory", "ask"]
