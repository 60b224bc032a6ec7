"""What a guard keeps, gives back and refuses; that it saves a host is for molecule to show."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "plugins" / "modules" / "wavegate_guard.py"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module with a systemd that does nothing: the time is not what is tested here."""
    spec = importlib.util.spec_from_file_location("wavegate_guard", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    monkeypatch.setattr(loaded, "systemctl", lambda *_: None)
    monkeypatch.setattr(loaded, "is_busy", lambda _: False)
    return loaded


class World:
    """A host with one file that a change is about to replace, and one that it is about to make."""

    def __init__(self, module: ModuleType, folder: Path) -> None:
        (folder / "units").mkdir()
        self.module = module
        self.guard = module.Guard("ssh", str(folder / "guards"), str(folder / "units"))
        self.there, self.new, self.ran = folder / "there", folder / "new", folder / "ran"
        self.there.write_text("old")
        self.there.chmod(0o640)

    def act(self, state: str) -> Any:
        values = {
            "state": state,
            "seconds": 5,
            "paths": [str(self.there), str(self.new)],
            "commands": [["touch", str(self.ran)]],
        }
        return self.module.act(self.guard, values)

    def change(self) -> None:
        self.there.write_text("broken")
        self.new.write_text("broken")

    def take_back(self) -> None:
        """Do what the host does when the time is over, where there is no systemd."""
        program = Path(self.guard.folder) / "take_back.py"
        subprocess.run([sys.executable, program], check=True, env={"PATH": "/usr/bin:/bin"}, stderr=-3)


@pytest.fixture
def world(module: ModuleType, tmp_path: Path) -> World:
    return World(module, tmp_path)


def test_what_was_changed_is_as_before_and_what_was_made_is_gone(world: World) -> None:
    world.act("armed")
    world.change()
    world.take_back()
    assert world.there.read_text() == "old"
    assert oct(world.there.stat().st_mode)[-3:] == "640"
    assert not world.new.exists()
    assert world.ran.exists()
    assert not world.guard.is_armed()


def test_a_run_that_was_cut_off_does_not_make_its_change_the_state_to_go_back_to(world: World) -> None:
    world.act("armed")
    world.change()
    world.act("armed")
    world.take_back()
    assert world.there.read_text() == "old"


def test_what_was_confirmed_stays(world: World) -> None:
    world.act("armed")
    world.change()
    world.act("activated")
    assert world.act("confirmed") is True
    assert not world.guard.is_armed()
    assert world.there.read_text() == "broken"


def test_what_the_host_took_back_cannot_be_confirmed_or_activated(world: World) -> None:
    world.act("armed")
    world.change()
    world.take_back()
    with pytest.raises(OSError, match="taken the change back already"):
        world.act("confirmed")
    with pytest.raises(OSError, match="not armed"):
        world.act("activated")


def test_a_command_that_fails_is_told_and_the_way_back_stays(world: World) -> None:
    world.guard.keep([str(world.there)], [["ls", "/does-not-exist"]])
    with pytest.raises(OSError, match="does-not-exist"):
        world.act("activated")
    assert world.guard.is_armed()


def test_a_guard_that_fired_can_be_armed_again(world: World) -> None:
    world.act("armed")
    world.take_back()
    world.act("armed")
    assert world.act("confirmed") is True


def test_what_is_kept_is_complete_or_not_there(world: World) -> None:
    world.act("armed")
    kept = json.loads((Path(world.guard.folder) / "guard.json").read_text())
    assert kept["paths"] == [str(world.there), str(world.new)]
    assert [path.name for path in Path(world.guard.root).iterdir()] == ["ssh"]
