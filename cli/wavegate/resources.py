"""Where the material that travels with wavegate lies: plugins, roles, playbooks and rollouts."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def content_dir() -> Path:
    """Return the folder of plugins/, roles/, playbooks/ and rollouts/: of the wheel, or of the checkout."""
    installed = _PACKAGE / "content"
    return installed if installed.is_dir() else _PACKAGE.parent.parent


def plugins_dir() -> Path:
    """Return the folder of wavegate's own Ansible plugins (`modules`, `inventory`, `callback`, ...)."""
    return content_dir() / "plugins"
