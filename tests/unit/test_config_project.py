from __future__ import annotations

import pytest

from wavegate.config.project import find_project_root


@pytest.mark.parametrize(
    ("marks", "root"),
    [
        (("p/ansible.cfg",), "p"),
        (("p/ansible.cfg", "p/rollouts/ansible.cfg"), "p/rollouts"),
        (("p/ansible.cfg", "p/rollouts/.git"), "p"),
        (("p/.git",), "p"),
        (("p/.wavegate", "p/rollouts/.git"), "p/rollouts"),
        ((), "elsewhere"),
    ],
)
def test_the_nearest_ansible_cfg_wins_then_the_nearest_mark_then_the_current_directory(
    tmp_path, monkeypatch, marks, root
):
    (tmp_path / "p/rollouts").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    for mark in marks:
        (tmp_path / mark).touch()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find_project_root(tmp_path / "p/rollouts/x.yml") == tmp_path / root


def test_a_relative_path_is_looked_up_from_the_current_directory(tmp_path, monkeypatch):
    (tmp_path / "ansible.cfg").touch()
    (tmp_path / "rollouts").mkdir()
    monkeypatch.chdir(tmp_path / "rollouts")
    from pathlib import Path

    assert find_project_root(Path("x.yml")) == tmp_path
