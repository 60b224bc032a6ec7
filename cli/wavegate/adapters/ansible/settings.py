"""Ansible's effective settings, as far as running a batch must keep or extend them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812 - its name everywhere in Ansible
from ansible.errors import AnsibleError

_KEPT = (
    "DEFAULT_MODULE_PATH",
    "DEFAULT_ACTION_PLUGIN_PATH",
    "DEFAULT_CALLBACK_PLUGIN_PATH",
    "CALLBACKS_ENABLED",
    "DEFAULT_INVENTORY_PLUGIN_PATH",
    "INVENTORY_ENABLED",
    "DEFAULT_ROLES_PATH",
    "COLLECTIONS_PATHS",
    "HOST_KEY_CHECKING",
    "DEFAULT_FORKS",
    "DEFAULT_VAULT_PASSWORD_FILE",
    "DEFAULT_VAULT_IDENTITY_LIST",
    "BECOME_PASSWORD_FILE",
    "CONNECTION_PASSWORD_FILE",
    "DEFAULT_STDOUT_CALLBACK",
)


def effective_settings(sources: Sequence[str], *, asked: bool) -> dict[str, dict[str, Any]]:
    """Return each setting's value and origin (`default`, a file, an environment variable).

    DEFAULT_HOST_LIST holds the inventory sources, relative to the project where they lie inside it.
    """
    settings = {"CONFIG_FILE": {"value": C.CONFIG_FILE, "origin": "ansible"}}
    for name in _KEPT:
        try:
            value, origin = C.config.get_config_value_and_origin(name)
        except AnsibleError:
            continue
        # The constants hold the defaults with Ansible's own templates in them filled in.
        settings[name] = {"value": _plain(getattr(C, name, value)), "origin": str(origin)}
    origin = "rollout file" if asked else str(C.config.get_config_value_and_origin("DEFAULT_HOST_LIST")[1])
    settings["DEFAULT_HOST_LIST"] = {"value": [_relative(source) for source in sources], "origin": origin}
    return settings


def _relative(source: str) -> str:
    inside = not _is_host_list(source) and Path(source).is_relative_to(Path.cwd())
    return str(Path(source).relative_to(Path.cwd())) if inside else source


def _is_host_list(source: str) -> bool:
    return "," in source and not os.path.exists(source)  # noqa: PTH110 - Ansible's own test


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else str(value)
