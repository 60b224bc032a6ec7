"""The environment of a batch's ansible-playbook: the user's own, plus what a batch needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.core.spec import Become
from wavegate.resources import plugins_dir

MARKER = "WAVEGATE_BATCH"
OWN_PLUGINS = Path(__file__).with_name("ansible_plugins")
_BIGGEST_RESULT = 60_000
_PATHS = {
    "DEFAULT_ROLES_PATH": "ANSIBLE_ROLES_PATH",
    "COLLECTIONS_PATHS": "ANSIBLE_COLLECTIONS_PATH",
}
_PASSWORD_FILES = {
    "DEFAULT_VAULT_PASSWORD_FILE": "ANSIBLE_VAULT_PASSWORD_FILE",
    "BECOME_PASSWORD_FILE": "ANSIBLE_BECOME_PASSWORD_FILE",
    "CONNECTION_PASSWORD_FILE": "ANSIBLE_CONNECTION_PASSWORD_FILE",
}
_MODULE_PATH = "~/.ansible/plugins/modules:/usr/share/ansible/plugins/modules"
_ACTION_PATH = "~/.ansible/plugins/action:/usr/share/ansible/plugins/action"
"""Ansible's own defaults, where the inspection did not name any."""
_NOBODY_ANSWERS = ("ANSIBLE_ASK_PASS", "ANSIBLE_BECOME_ASK_PASS", "ANSIBLE_ASK_VAULT_PASS")
_RUNNERS_OWN = (
    "ANSIBLE_STDOUT_CALLBACK",
    "ANSIBLE_CALLBACK_PLUGINS",
    "AD_HOC_COMMAND_ID",
    "AWX_LIB_DIRECTORY",
    # Not Ansible's business, and it may hold a password.
    "WAVEGATE_JOURNAL",
)


def marker_of(rollout_id: str, batch: str) -> str:
    """Return the value of WAVEGATE_BATCH by which a batch's processes are found."""
    return f"{rollout_id}/{batch}"


def task_marker(rollout_id: str, batch: str) -> str:
    """Return the template of WAVEGATE_TASK, by which a batch's tasks are found on the hosts themselves.

    Quoted for URLs, so that no shell on the way quotes it once more.
    """
    return f"{quote(rollout_id)}/{quote(batch)}@{{{{ inventory_hostname | urlencode }}}}"


def build_environment(
    launch: Launch, batch: str, folder: BatchFolder, sockets: Path, inherited: Mapping[str, str]
) -> dict[str, str]:
    """Return what is added to, or set anew in, the inherited environment."""
    env = {
        MARKER: marker_of(launch.rollout_id, batch),
        "WAVEGATE_ORDER": str(folder.order),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", os.defpath)]),
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets),
        "ANSIBLE_NOCOLOR": "1",
        "MAX_EVENT_RES": str(_BIGGEST_RESULT),
        **dict.fromkeys(_NOBODY_ANSWERS, "false"),
        **_search_paths(launch),
        **password_variables(launch.project, launch.settings),
        **_configuration(launch, inherited),
        **(_become(launch, launch.become) if launch.become else {}),
        **({"WAVEGATE_PAYLOADS": str(launch.payloads)} if launch.payloads else {}),
    }
    return env | _inventory(launch)


def inherited_environment() -> dict[str, str]:
    """Return this process's environment without what would bend ansible-runner."""
    return {name: value for name, value in os.environ.items() if name not in _RUNNERS_OWN}


def vault_arguments(launch: Launch) -> list[str]:
    """Return the command-line arguments that add the rollout's vault password files (paths, no secrets)."""
    return [
        argument
        for entry in launch.vault_password_files
        for argument in ("--vault-id", _identity(launch.project, entry))
    ]


def _identity(project: Path, entry: str) -> str:
    """Return `label@path` (or a path) as Ansible reads it, with an absolute path."""
    label, at, path = entry.partition("@")
    if not at or _absolute(project, entry).is_file():
        whole = str(_absolute(project, entry))
        return f"default@{whole}" if "@" in whole else whole
    return f"{label}@{path if path.startswith('prompt') else _absolute(project, path)}"


def _absolute(project: Path, path: str) -> Path:
    """Password files are never copied into the material: their paths are those of the project."""
    return project / Path(path).expanduser()


def _search_paths(launch: Launch) -> dict[str, str]:
    callbacks = _paths(launch, "DEFAULT_CALLBACK_PLUGIN_PATH")
    if not callbacks and (own := os.environ.get("ANSIBLE_CALLBACK_PLUGINS")):
        callbacks = own.split(os.pathsep)
    env = {"ANSIBLE_CALLBACK_PLUGINS": _joined(launch, [*callbacks, str(OWN_PLUGINS)])}
    for setting, variable in _PATHS.items():
        paths = _paths(launch, setting)
        if any(launch.rebase(path) != path for path in paths):
            env[variable] = _joined(launch, paths)
    if beside := _collections_beside(launch):
        configured = _joined(launch, _paths(launch, "COLLECTIONS_PATHS"))
        env["ANSIBLE_COLLECTIONS_PATH"] = os.pathsep.join(filter(None, [*beside, configured]))
    inherited = os.environ.get("ANSIBLE_LIBRARY", _MODULE_PATH)
    modules = _paths(launch, "DEFAULT_MODULE_PATH") or inherited.split(os.pathsep)
    env["ANSIBLE_LIBRARY"] = _joined(launch, [*modules, str(plugins_dir() / "modules")])
    inherited = os.environ.get("ANSIBLE_ACTION_PLUGINS", _ACTION_PATH)
    actions = _paths(launch, "DEFAULT_ACTION_PLUGIN_PATH") or inherited.split(os.pathsep)
    # Ours first: a project may hold copies of them, made by an older wavegate.
    env["ANSIBLE_ACTION_PLUGINS"] = _joined(launch, [str(plugins_dir() / "action"), *actions])
    return env


def _collections_beside(launch: Launch) -> list[str]:
    """Return the folders `collections` beside the playbooks: Ansible looks only beside the generated one."""
    names = [name for names in launch.playbooks.values() for name in names]
    folders = [(launch.material / launch.rebase(name)).parent / "collections" for name in names]
    return list(dict.fromkeys(str(folder) for folder in folders if folder.is_dir()))


def _inventory(launch: Launch) -> dict[str, str]:
    """Return what makes Ansible take the inventory from the snapshot, whatever the sources are."""
    if launch.snapshot is None:
        return {}
    plugins = [*_paths(launch, "DEFAULT_INVENTORY_PLUGIN_PATH"), str(plugins_dir() / "inventory")]
    return {
        "WAVEGATE_INVENTORY_SNAPSHOT": str(launch.snapshot),
        "WAVEGATE_INVENTORY_PROJECT": str(launch.material),
        "ANSIBLE_INVENTORY_ENABLED": "wavegate_snapshot",
        "ANSIBLE_INVENTORY_PLUGINS": _joined(launch, plugins),
    }


def _configuration(launch: Launch, inherited: Mapping[str, str]) -> dict[str, str]:
    config = launch.setting("CONFIG_FILE") or inherited.get("ANSIBLE_CONFIG", "")
    if not config and (launch.material / "ansible.cfg").is_file():
        config = str(launch.material / "ansible.cfg")
    if not config:
        return {}
    absolute = Path(config).expanduser() if Path(config).is_absolute() else launch.project / config
    return {"ANSIBLE_CONFIG": launch.rebase(str(absolute))}


def password_variables(project: Path, settings: Mapping[str, Any]) -> dict[str, str]:
    """Return what names the password files of the project's configuration where they are: no secrets.

    They are never copied, so that a relative path in the frozen ansible.cfg would lead to nothing.
    """
    env = {}
    for setting, variable in _PASSWORD_FILES.items():
        if value := settings.get(setting, {}).get("value"):
            env[variable] = str(_absolute(project, str(value)))
    entries = settings.get("DEFAULT_VAULT_IDENTITY_LIST", {}).get("value") or ()
    if identities := [_identity(project, str(entry)) for entry in entries]:
        env["ANSIBLE_VAULT_IDENTITY_LIST"] = ",".join(identities)
    return env


def _become(launch: Launch, become: Become) -> dict[str, str]:
    file = become.password_file and str(_absolute(launch.project, become.password_file))
    values = {
        "ANSIBLE_BECOME_USER": become.user,
        "ANSIBLE_BECOME_METHOD": become.method,
        "ANSIBLE_BECOME_PASSWORD_FILE": file,
    }
    return {"ANSIBLE_BECOME": str(become.enabled)} | {name: value for name, value in values.items() if value}


def _paths(launch: Launch, setting: str) -> list[str]:
    value: Any = launch.setting(setting)
    if value is None:
        return []
    return value.split(os.pathsep) if isinstance(value, str) else [str(item) for item in value]


def _joined(launch: Launch, paths: Iterable[str]) -> str:
    return os.pathsep.join(launch.rebase(path) for path in paths)
