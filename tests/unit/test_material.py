"""Digests that a plan is bound to, and the frozen copy that batches work from."""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from wavegate.adapters import material
from wavegate.adapters.material import digest, external_paths, freeze
from wavegate.errors import WavegateError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    for name, text in {
        "ansible.cfg": "[defaults]\n",
        "rollouts/patch.yml": "name: patch\n",
        "playbooks/patch.yml": "- hosts: all\n",
        "roles/web/tasks/main.yml": "[]\n",
        "roles/web/files/größe with space": "x",
        ".git/HEAD": "ref\n",
        "venv/pyvenv.cfg": "",
        "env/pyvenv.cfg": "",
        "roles/env/tasks.yml": "",
        "roles/web/__pycache__/x.pyc": "",
        "node_modules/big/index.js": "",
    }.items():
        write(root / name, text)
    (root / "empty").mkdir()
    script = write(root / "inventory.sh", "#!/bin/sh\n")
    script.chmod(0o750)
    return root


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def digests_of(project: Path, **extra: Path) -> dict[str, str]:
    return digest(project, project / "rollouts/patch.yml", extra)


def names_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_copy_has_the_material_and_nothing_else(project: Path, tmp_path: Path) -> None:
    copy = freeze(project, tmp_path / "store", digests_of(project))
    assert names_in(copy) == {
        "ansible.cfg",
        "inventory.sh",
        "rollouts/patch.yml",
        "playbooks/patch.yml",
        "roles/web/tasks/main.yml",
        "roles/web/files/größe with space",
        "roles/env/tasks.yml",
    }
    assert (copy / "empty").is_dir()
    assert stat.S_IMODE((copy / "inventory.sh").stat().st_mode) == 0o750
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    assert copy.name == digests_of(project)["project"]


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("content", lambda root: write(root / "playbooks/patch.yml", "- hosts: web\n")),
    ("new file", lambda root: write(root / "new.yml", "")),
    ("removed", lambda root: (root / "playbooks/patch.yml").unlink()),
    ("renamed", lambda root: (root / "ansible.cfg").rename(root / "Ansible.cfg")),
    ("executable", lambda root: (root / "inventory.sh").chmod(0o640)),
    ("folder", lambda root: (root / "empty").rmdir()),
    ("link", lambda root: (root / "link").symlink_to("ansible.cfg")),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
def test_every_change_of_the_material_changes_the_digest(
    change: Callable[[Path], object], project: Path
) -> None:
    before = digests_of(project)
    change(project)
    after = digests_of(project)
    assert before["project"] != after["project"]
    assert before["rollout file"] == after["rollout file"]


def test_what_is_no_material_does_not_change_the_digest(project: Path, tmp_path: Path) -> None:
    before = digests_of(project)
    write(project / ".git/index", "changed")
    write(project / ".wavegate/journal.db", "changed")
    os.utime(project / "ansible.cfg", (1, 1))
    (project / "ansible.cfg").chmod(0o600)
    moved = tmp_path / "elsewhere"
    shutil.copytree(project, moved)
    assert digests_of(project) == before
    assert digests_of(moved) == before


def test_an_equal_copy_is_used_again_and_a_spoiled_one_is_not(project: Path, tmp_path: Path) -> None:
    store, digests = tmp_path / "store", digests_of(project)
    first = freeze(project, store, digests)
    assert freeze(project, store, digests) == first
    write(first / "fetched.txt", "a playbook wrote this")
    second = freeze(project, store, digests)
    assert second != first
    assert "fetched.txt" not in names_in(second)
    assert freeze(project, store, digests) == second
    assert {path.name for path in store.iterdir()} == {first.name, second.name}


def test_links_inside_stay_links_and_links_outside_become_what_they_lead_to(
    project: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "shared"
    write(outside / "common/tasks/main.yml", "shared: true\n")
    (outside / "loop").symlink_to(outside)
    (outside / "back").symlink_to(project / "ansible.cfg")
    (project / "roles/shared").symlink_to(outside)
    (project / "roles/alias").symlink_to(project / "roles/web")
    (project / "file").symlink_to("roles/web/tasks/main.yml")
    (project / "cached").symlink_to(write(project / ".cache/roles/x.yml", "cached: true\n"))
    (project / "broken").symlink_to("nowhere")
    copy = freeze(project, tmp_path / "store", digests_of(project))
    assert (copy / "roles/shared/common/tasks/main.yml").read_text() == "shared: true\n"
    assert not (copy / "roles/shared").is_symlink()
    assert not (copy / "roles/shared/loop").exists()
    assert (copy / "roles/alias").readlink() == Path("web")
    assert (copy / "file").readlink() == Path("roles/web/tasks/main.yml")
    assert (copy / "roles/shared/back").resolve() == copy / "ansible.cfg"
    assert (copy / "cached").read_text() == "cached: true\n"
    assert (copy / "broken").readlink() == Path("nowhere")


def test_password_files_sockets_and_pipes_are_left_out(project: Path, tmp_path: Path) -> None:
    password = write(project / ".vault_pass", "open sesame")
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(project / "socket"))
        digests = digest(project, project / "rollouts/patch.yml", {}, left_out=[password])
        copy = freeze(project, tmp_path / "store", digests, left_out=[password])
    assert not {".vault_pass", "pipe", "socket"} & names_in(copy)


def test_ignore_file_is_honoured(project: Path, tmp_path: Path) -> None:
    write(project / "images/a.iso", "big")
    write(project / "roles/web/files/b.iso", "big")
    write(project / "images/keep.txt", "small")
    write(project / ".wavegateignore", "# comment\n*.iso\nempty/\n")
    copy = freeze(project, tmp_path / "store", digests_of(project))
    assert "images/keep.txt" in names_in(copy)
    assert not {"images/a.iso", "roles/web/files/b.iso"} & names_in(copy)
    assert not (copy / "empty").exists()


def test_a_project_that_changed_since_the_plan_is_not_frozen(project: Path, tmp_path: Path) -> None:
    digests = digests_of(project)
    write(project / "playbooks/patch.yml", "- hosts: other\n")
    with pytest.raises(WavegateError) as caught:
        freeze(project, tmp_path / "store", digests)
    assert caught.value.code == "project-changed"
    assert not list((tmp_path / "store").iterdir())


def test_an_edit_during_the_copy_is_noticed_and_tried_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests, copyfile, edits = digests_of(project), shutil.copyfile, ["- hosts: edited\n"]

    def edit_while_copying(source: Path, target: Path) -> None:
        if source.name == "patch.yml" and edits:
            original = source.read_text()
            source.write_text(edits.pop())
            copyfile(source, target)
            source.write_text(original)
        else:
            copyfile(source, target)

    monkeypatch.setattr(shutil, "copyfile", edit_while_copying)
    copy = freeze(project, tmp_path / "store", digests)
    assert (copy / "playbooks/patch.yml").read_text() == "- hosts: all\n"
    assert not edits


def test_too_large_a_project_is_refused_with_its_largest_parts(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "images/disk.iso", "x" * 3_000_000)
    monkeypatch.setattr(material, "MOST_BYTES", 2 * 1024**2)
    with pytest.raises(WavegateError) as caught:
        digests_of(project)
    assert caught.value.code == "project-too-large"
    assert "images (2 MiB)" in caught.value.why
    assert ".wavegateignore" in caught.value.hint


def test_an_installed_collection_counts_by_its_checksums(project: Path, tmp_path: Path) -> None:
    collection = tmp_path / "collections/ansible_collections/acme/tools"
    write(collection / "plugins/modules/x.py", "one")
    write(collection / "FILES.json", "{}")
    plain = digests_of(project, tools=tmp_path / "collections")
    write(collection / "MANIFEST.json", "{}")
    listed = digests_of(project, tools=tmp_path / "collections")
    assert plain["tools"] != listed["tools"]
    write(collection / "plugins/modules/x.py", "two")
    assert digests_of(project, tools=tmp_path / "collections") == listed
    write(collection / "FILES.json", '{"x.py": "other"}')
    assert digests_of(project, tools=tmp_path / "collections")["tools"] != listed["tools"]


def test_only_existing_paths_outside_of_the_project_are_external(project: Path, tmp_path: Path) -> None:
    roles, inventory = tmp_path / "roles", write(tmp_path / "inventory/hosts", "a\n")
    roles.mkdir()
    write(inventory.parent / "group_vars/all.yml", "")
    settings = {
        "DEFAULT_ROLES_PATH": {"value": [str(project / "roles"), str(roles), "/does/not/exist"]},
        "COLLECTIONS_PATHS": {"value": [str(project / "collections")]},
        "DEFAULT_HOST_LIST": {"value": ["hosts", "a,b,", str(inventory)]},
    }
    assert external_paths(settings, project) == {
        f"roles {roles}": roles,
        f"inventory {inventory}": inventory,
        f"inventory {inventory.parent / 'group_vars'}": inventory.parent / "group_vars",
    }
