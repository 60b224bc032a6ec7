"""The program of the role backup, where it needs no restic: what is saved, compared and put back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.programs import load_program

snapshots = load_program("roles/backup/files/snapshots.py")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a folder with one of each kind."""
    root = tmp_path / "data"
    (root / "cache").mkdir(parents=True)
    (root / "cache" / "big").write_text("left out")
    (root / "cached").write_text("saved")
    (root / 'it\'s "so"').write_text("content")
    (root / "link").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    return root


def described(root: Path, *left_out: str) -> dict[str, Any]:
    return {path: found for path, (found, _) in snapshots.survey([str(root)], left_out).items()}


def test_everything_but_pipes_is_surveyed_and_what_is_left_out_is_left_out_whole(tree: Path) -> None:
    found = described(tree, f"{tree}/cache/")
    assert {path.removeprefix(str(tree)): entry[0] for path, entry in found.items()} == {
        "": "folder",
        "/cached": "file",
        '/it\'s "so"': "file",
        "/link": "link",
    }


def test_a_neighbour_with_a_longer_name_is_not_left_out() -> None:
    assert snapshots.excluded("/srv/a/b", ["/srv/a"])
    assert not snapshots.excluded("/srv/ab", ["/srv/a"])


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda file: file.write_text("other"), "differs in content"),
        (lambda file: file.chmod(0o777), "differs in mode"),
        (lambda file: file.unlink(), "is missing"),
        (lambda file: (file.unlink(), file.mkdir()), "differs in type"),
    ],
)
def test_every_difference_is_told_and_put_right(tree: Path, tmp_path: Path, harm: Any, told: str) -> None:
    file = tree / 'it\'s "so"'
    entries = described(tree)
    assert snapshots.compare(entries, "") == []
    harm(file)
    (line,) = snapshots.compare(entries, "")
    assert line.startswith(str(file))
    assert told in line
    (tmp_path / "kept").write_text("content")
    snapshots.put(str(tmp_path / "kept"), str(file), entries[str(file)])
    assert snapshots.compare(entries, "") == []


def test_a_link_in_the_place_of_a_file_is_replaced_and_not_followed(tree: Path, tmp_path: Path) -> None:
    file, victim = tree / 'it\'s "so"', tmp_path / "victim"
    entries = described(tree)
    victim.write_text("mine")
    (tmp_path / "kept").write_text("content")
    file.unlink()
    file.symlink_to(victim)
    snapshots.put(str(tmp_path / "kept"), str(file), entries[str(file)])
    assert (file.is_symlink(), file.read_text(), victim.read_text()) == (False, "content", "mine")


def test_a_file_that_changed_while_it_was_saved_is_known(tree: Path) -> None:
    file = tree / 'it\'s "so"'
    before = snapshots.mark(str(file))
    assert snapshots.unchanged(str(file), before)
    file.write_text("changed")
    assert not snapshots.unchanged(str(file), before)
    file.unlink()
    assert not snapshots.unchanged(str(file), before)


def test_a_path_is_a_pattern_for_itself_alone() -> None:
    assert snapshots.escape(r"/a*[b]?\c") == r"/a\*\[b]\?\\c"


@pytest.mark.parametrize(
    ("repository", "parts"),
    [
        ("sftp:bob@keeper:/srv/repo", ("bob", "keeper", "/srv/repo")),
        ("sftp:bob@keeper:repo", (None, None, None)),
        ("/srv/repo", (None, None, None)),
        ("s3:https://store.example/bucket", (None, None, None)),
    ],
)
def test_a_place_over_sftp_is_taken_apart(repository: str, parts: tuple[str | None, ...]) -> None:
    assert snapshots.place({"repository": repository}) == parts


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("Fatal: unable to open config file: stat /r/config: no such file or directory", True),
        ("Fatal: unable to open config file: Stat: The specified key does not exist.", True),
        ("Fatal: unable to open config file: dial tcp: connection refused", False),
        ("Fatal: wrong password or no key found", False),
    ],
)
def test_a_repository_that_is_out_of_reach_is_not_taken_for_a_missing_one(said: str, missing: bool) -> None:
    assert bool(snapshots.is_missing(said)) is missing


def test_a_hook_that_fails_stops_the_snapshot_and_leaves_nothing(tmp_path: Path) -> None:
    hooks = [
        {"name": "well", "argv": ["echo", "dump of $HOME"]},
        {"name": "ill", "argv": ["sh", "-c", "echo half; echo no database >&2; exit 3"]},
    ]
    with pytest.raises(snapshots.Refused, match=r"hook ill failed \(3\): no database; no snapshot was taken"):
        snapshots.run_hooks({"state": str(tmp_path), "hooks": hooks})
    folder = snapshots.run_hooks({"state": str(tmp_path), "hooks": hooks[:1]})
    assert {path.name: path.read_text() for path in Path(folder).iterdir()} == {"well": "dump of $HOME\n"}


def test_dumps_of_hooks_that_are_gone_are_removed(tmp_path: Path) -> None:
    request = {"state": str(tmp_path), "hooks": [{"name": "old", "argv": ["true"]}]}
    snapshots.run_hooks(request)
    folder = Path(snapshots.run_hooks({**request, "hooks": []}))
    assert list(folder.iterdir()) == []


def test_local_room_is_that_of_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    free = snapshots.free_bytes({"repository": str(tmp_path / "not" / "yet" / "there")})
    assert free > 0
