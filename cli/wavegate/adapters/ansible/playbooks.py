"""Load playbooks with Ansible's own code, so that their mistakes are found before anything starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ansible.playbook import Playbook
from ansible.plugins.loader import action_loader, add_all_plugin_dirs, module_loader
from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import (
    _get_collection_name_from_path,
    _get_collection_playbook_path,
)

from wavegate.adapters.ansible.reading import describe
from wavegate.ports import AnsibleProblem, PlayFact
from wavegate.resources import plugins_dir


class Playbooks:
    """The playbooks of a question: `folders` are where those that are files lie, in order."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self.folders: list[str] = []
        self.problems: list[AnsibleProblem] = []
        self.facts: list[PlayFact] = []
        self.plays: list[Any] = []

    def announce(self) -> None:
        """Let Ansible find plugins and collections beside the playbooks, and ours, as a batch does."""
        action_loader.add_directory(str(plugins_dir() / "action"))
        module_loader.add_directory(str(plugins_dir() / "modules"))
        for name in self._names:
            if _get_collection_playbook_path(name) is None and Path(name).is_file():
                folder = os.path.realpath(Path(name).parent)
                if not _get_collection_name_from_path(name) and folder not in self.folders:
                    add_all_plugin_dirs(folder)
                    self.folders.append(folder)
        if self.folders:
            AnsibleCollectionConfig.playbook_paths = list(self.folders)

    def load(self, loader: Any, variables: Any) -> None:
        """Load them all; fill `plays`, `facts` and `problems`."""
        for name in self._names:
            self._load(name, loader, variables)

    def _load(self, name: str, loader: Any, variables: Any) -> None:
        resource = _get_collection_playbook_path(name)
        if resource is None and not Path(name).is_file():
            self.problems.append(_missing(name))
            return
        path, collection = resource[1:] if resource else (name, _get_collection_name_from_path(name))
        before = loader.get_basedir()
        AnsibleCollectionConfig.default_collection = collection or None
        try:
            plays = Playbook.load(path, variable_manager=variables, loader=loader).get_plays()
        except Exception as error:  # noqa: BLE001 - Ansible raises anything for a malformed playbook
            problem = AnsibleProblem(kind="playbook", subject=name, message=describe(error))
            self.problems.append(problem)
        else:
            self.plays.extend(plays)
            self.facts.extend(_facts(name, plays))
        finally:
            loader.set_basedir(before)


def _facts(playbook: str, plays: Iterable[Any]) -> Iterator[PlayFact]:
    for play in plays:
        yield PlayFact(
            playbook=playbook,
            name=str(play.get_name()),
            hosts=",".join(_texts(play.hosts)),
            serial=tuple(_texts(play.serial)),
            prompts=tuple(str(prompt.get("name", "")) for prompt in play.vars_prompt or ()),
        )


def _texts(value: Any) -> list[str]:
    items = value if isinstance(value, list | tuple) else [value]
    return [str(item) for item in items if item is not None]


def _missing(name: str) -> AnsibleProblem:
    folder = Path(name).parent
    names = [str(path) for pattern in ("*.yml", "*.yaml") for path in folder.glob(pattern)]
    close = get_close_matches(name, names, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(close)}?" if close else _where_looked(name)
    return AnsibleProblem(kind="playbook", subject=name, message="the playbook could not be found", hint=hint)


def _where_looked(name: str) -> str:
    if "/" not in name and name.count(".") > 1:
        return "is the collection installed where ansible.cfg's `collections_path` looks?"
    return "paths are relative to the project's root"
