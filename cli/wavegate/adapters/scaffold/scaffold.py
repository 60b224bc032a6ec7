"""Copies templates; never overwrites or changes a file that is already there."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from string import Template

from msgspec import Struct

from wavegate.errors import WavegateError
from wavegate.resources import content_dir

_TEMPLATES = Path(__file__).parent / "templates"
_NEW_PROJECT = {
    "ansible.cfg": "ansible.cfg",
    "gitignore": ".gitignore",
    "hosts.yml": "inventories/first/hosts.yml",
    "hello.yml": "playbooks/hello.yml",
    "rollout-new.yml": "rollouts/hello.yml",
}
_DEMO = ("roles", "playbooks", "rollouts")
_PLUGINS = ("wavegate_obligation.py", "wavegate_pin.py")
"""What playbooks may call by name: a copy of them lets bare ansible-playbook find them, too."""
_USUAL_PLAYBOOKS = ("site.yml", "site.yaml", "playbooks/site.yml", "main.yml", "playbook.yml")
_USUAL_INVENTORIES = (
    *("inventory", "inventories", "hosts", "inventory.yml", "inventory.yaml", "inventory.ini"),
    *("hosts.yml", "hosts.yaml", "hosts.ini", "production", "environments"),
)
_USUAL_FLEETS = ("production", "prod", "live")
_MOST_PLAYBOOKS = 200
_PLAIN = re.compile(r"[A-Za-z0-9_][\w./-]*")


class Scaffolded(Struct, frozen=True):
    """What was written (relative to the folder), what was left alone, and the rollout file to start with.

    `advice` says what a person still has to do before that file can be planned.
    """

    written: tuple[str, ...]
    kept: tuple[str, ...]
    rollout: str
    advice: tuple[str, ...] = ()


def scaffold(folder: Path, *, demo: bool = False) -> Scaffolded:
    """Make `folder` a project whose rollout can be planned at once; raise WavegateError when it cannot be.

    With `demo`, write the built-in demo instead: role, playbooks and rollout files for a lab.
    """
    if demo:
        return _write_demo(folder)
    playbook = find_playbook(folder)
    if playbook:
        return _sit_beside(folder, playbook)
    texts = {target: _fill(template, {}) for template, target in _NEW_PROJECT.items()} | _read_plugins()
    return _write(folder, texts, "rollouts/hello.yml")


def find_playbook(folder: Path) -> str:
    """Return the playbook of an existing Ansible project that most likely is its main one, or ""."""
    usual = [folder / name for name in _USUAL_PLAYBOOKS]
    others = sorted([*folder.glob("*.y*ml"), *folder.glob("playbooks/*.y*ml")])[:_MOST_PLAYBOOKS]
    for path in (*usual, *others):
        if path.is_file() and _is_playbook(path):
            return path.relative_to(folder).as_posix()
    return ""


def _is_playbook(path: Path) -> bool:
    import yaml

    class Loader(yaml.SafeLoader):
        """Takes any tag (!vault, !unsafe): only the shape matters here."""

    Loader.add_multi_constructor("!", lambda *_: None)
    try:
        with path.open(encoding="utf-8") as file:
            plays = yaml.load(file, Loader)  # noqa: S506 - a SafeLoader with tags ignored
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return False
    keys = {"hosts", "import_playbook", "ansible.builtin.import_playbook"}
    return isinstance(plays, list) and any(isinstance(play, dict) and keys & play.keys() for play in plays)


def _sit_beside(folder: Path, playbook: str) -> Scaffolded:
    plain = unicodedata.normalize("NFKD", Path(playbook).stem).encode("ascii", "ignore").decode().lower()
    name = "-".join(re.findall(r"[a-z0-9]+", plain)) or "rollout"
    rollout = f"rollouts/{name}.yml"
    inventory, advice = _find_inventory(folder)
    line = f"inventory: {_quote(inventory)}" if inventory else "# inventory: as ansible.cfg says"
    if advice:
        line = "# inventory: inventories/production   # where your hosts are listed"
        advice = f"{advice}: name yours at `inventory:` in {rollout}"
    values = {"name": _quote(name), "file": rollout, "playbook": _quote(playbook), "inventory": line}
    texts = {rollout: _fill("rollout-beside.yml", values)}
    if not (folder / "ansible.cfg").exists():
        texts = {"ansible.cfg": _fill("ansible-beside.cfg", {}), **texts}
    return _write(folder, texts, rollout, (advice,) if advice else ())


def _find_inventory(folder: Path) -> tuple[str, str]:
    """Return a usual place that holds an inventory, "" where ansible.cfg names one; or why there is none."""
    config = folder / "ansible.cfg"
    if config.is_file() and re.search(
        r"^\s*inventory\s*=\s*\S", config.read_text(encoding="utf-8", errors="replace"), re.MULTILINE
    ):
        return "", ""
    for place in _USUAL_INVENTORIES:
        if not (folder / place).exists():
            continue
        fleets = _fleets(folder / place)
        if not fleets:
            return place, ""
        fleet = next(
            (name for name in _USUAL_FLEETS if name in fleets), fleets[0] if len(fleets) == 1 else ""
        )
        return (f"{place}/{fleet}", "") if fleet else ("", f"{place} has several: {', '.join(fleets)}")
    return "", "no inventory was found"


def _fleets(place: Path) -> list[str]:
    """Return the folders below a folder that holds an inventory each, and none itself."""
    entries = sorted(place.iterdir()) if place.is_dir() else []
    beside = {"group_vars", "host_vars"}
    if any(entry.is_file() and not entry.name.startswith(".") for entry in entries):
        return []
    return [entry.name for entry in entries if entry.is_dir() and entry.name not in beside]


def _write_demo(folder: Path) -> Scaffolded:
    texts = {"ansible.cfg": _fill("ansible-demo.cfg", {}), ".gitignore": _fill("gitignore", {})}
    texts |= _read_plugins()
    for place in _DEMO:
        for path in sorted((content_dir() / place).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                texts[path.relative_to(content_dir()).as_posix()] = path.read_text(encoding="utf-8")
    kept_config = (folder / "ansible.cfg").exists()
    needs = "ansible.cfg was there before: the demo needs `roles_path = roles` in it"
    advice = ("bring up its hosts: wavegate lab up", *([needs] if kept_config else []))
    return _write(folder, texts, "rollouts/install-intranet.yml", advice)


def _read_plugins() -> dict[str, str]:
    places = [f"plugins/{kind}/{name}" for kind in ("action", "modules") for name in _PLUGINS]
    return {place: (content_dir() / place).read_text(encoding="utf-8") for place in places}


def _quote(text: str) -> str:
    """Return the text as a YAML scalar."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _fill(template: str, values: Mapping[str, str]) -> str:
    return Template((_TEMPLATES / template).read_text(encoding="utf-8")).substitute(values)


def _write(folder: Path, texts: Mapping[str, str], rollout: str, advice: tuple[str, ...] = ()) -> Scaffolded:
    _refuse_what_is_in_the_way(folder, texts)
    written, kept = [], []
    for target, text in texts.items():
        path = folder / target
        if path.exists() or path.is_symlink():
            kept.append(target)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            hint = "call `wavegate init` in a folder that you can write to"
            raise WavegateError(
                "init-not-writable", f"cannot write {path}", why=str(error), hint=hint
            ) from error
        written.append(target)
    return Scaffolded(tuple(written), tuple(kept), rollout, advice)


def _refuse_what_is_in_the_way(folder: Path, targets: Iterable[str]) -> None:
    """Raise WavegateError, before anything is written, where a file stands for a folder or turned round."""
    for target in targets:
        parents = [folder / parent for parent in Path(target).parents if parent != Path()]
        wrong = [path for path in parents if (path.exists() or path.is_symlink()) and not path.is_dir()]
        if (folder / target).is_dir():
            wrong = [folder / target]
        if wrong:
            raise WavegateError(
                "init-in-the-way",
                f"{wrong[0]} is in the way: {target} has to be written there",
                why="it is a folder" if wrong[0].is_dir() else "it is no folder",
                hint="rename it, or call `wavegate init` in another folder",
            )
