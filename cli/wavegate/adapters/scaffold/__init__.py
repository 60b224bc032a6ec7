"""Writes a working project into an empty folder, or a rollout file beside somebody's Ansible project."""

from wavegate.adapters.scaffold.scaffold import Scaffolded, scaffold

__all__ = ["Scaffolded", "scaffold"]
