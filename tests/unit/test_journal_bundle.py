"""An evidence bundle verifies anywhere, and nothing that was done to it escapes."""

from __future__ import annotations

import io
import json
import os
import stat
import warnings
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.unit.journal_samples import ONE_OF_EACH, write_one_of_each
from wavegate.adapters.journal import bundle as bundles
from wavegate.adapters.journal import bundle_check, open_journal
from wavegate.adapters.journal.bundle import EVENTS, FILES, MANIFEST, PLAN, REPORTS, SUMS, write_bundle
from wavegate.adapters.journal.bundle_check import check_bundle
from wavegate.errors import WavegateError

LAST = len(ONE_OF_EACH)
Files = dict[str, bytes]


def make(location: str, output: Path) -> str:
    """Write a bundle of a rollout with every kind of event; return its sha256."""
    with open_journal(location) as journal:
        if not journal.rollouts():
            write_one_of_each(journal)
        reports = {name: f"{name} says: größer \udcff\n" for name in REPORTS}
        digest, count = write_bundle(journal, journal.find("r1"), reports, output)
    assert count == LAST
    return digest


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """What an honest bundle holds."""
    folder = tmp_path_factory.mktemp("bundle")
    make(str(folder / "journal.db"), folder / "b.zip")
    with zipfile.ZipFile(folder / "b.zip") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(files: Files, path: Path) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def sum_up(files: Files) -> Files:
    """Return the files with checksums made anew, as a forger would."""
    import hashlib

    named = [name for name in files if name != SUMS]
    lines = [f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(named)]
    return {**files, SUMS: "".join(lines).encode()}


def found_in(files: Files, path: Path) -> list[str]:
    return [finding.message for finding in check_bundle(pack(files, path)).findings]


def test_a_bundle_verifies_and_is_the_same_each_time(location: str, tmp_path: Path) -> None:
    first, second = make(location, tmp_path / "1.zip"), make(location, tmp_path / "2.zip")
    assert first == second
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()
    checked = check_bundle(tmp_path / "1.zip")
    assert (checked.rollout_id, checked.events, checked.findings) == ("r1", LAST, ())
    with open_journal(location) as journal:
        assert checked.last_hash == journal.tail("r1")[1]


def test_only_the_owner_can_read_a_bundle_and_nothing_is_left_of_one_that_fails(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        make(str(tmp_path / "journal.db"), tmp_path / "b.zip")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "b.zip").stat().st_mode) == 0o600
    with open_journal(str(tmp_path / "journal.db")) as journal:
        with pytest.raises(KeyError):
            write_bundle(journal, journal.find("r1"), {}, tmp_path / "c.zip")
        with pytest.raises(WavegateError) as caught:
            write_bundle(journal, journal.find("r1"), {}, tmp_path / "no" / "c.zip")
    assert caught.value.code == "bundle-not-written"
    assert not [path for path in tmp_path.iterdir() if "c.zip" in path.name]


def test_an_honest_bundle_of_another_zip_program_is_accepted(files: Files, tmp_path: Path) -> None:
    assert tuple(files) == (PLAN, EVENTS, *REPORTS, MANIFEST, SUMS)
    assert set(files) == set(FILES)
    assert found_in(dict(reversed(files.items())), tmp_path / "b.zip") == []


@pytest.mark.parametrize("name", FILES)
def test_a_changed_or_missing_file_is_named(files: Files, tmp_path: Path, name: str) -> None:
    changed = {**files, name: files[name].replace(b"a", b"b", 1)}
    if name == MANIFEST:
        changed[name] = files[name].replace(b"patch-intranet", b"patch-internet", 1)
    named = "was changed" if name == SUMS else name  # it is the others that differ from it
    assert any(named in message for message in found_in(changed, tmp_path / "b.zip"))
    left = {key: data for key, data in files.items() if key != name}
    if name == MANIFEST:
        with pytest.raises(WavegateError, match="no evidence bundle"):
            check_bundle(pack(left, tmp_path / "b.zip"))
    else:
        assert f"file {name} is missing" in found_in(left, tmp_path / "b.zip")


def test_a_file_that_was_added_is_named(files: Files, tmp_path: Path) -> None:
    more = {**files, "note.txt": b"all is well"}
    assert "file 'note.txt' was added" in found_in(more, tmp_path / "b.zip")
    assert found_in(sum_up(more), tmp_path / "b.zip")


def lines_of(files: Files) -> list[bytes]:
    return files[EVENTS].splitlines(keepends=True)


def with_lines(files: Files, lines: list[bytes]) -> Files:
    return sum_up({**files, EVENTS: b"".join(lines)})


# The file is written anew for each example, which is what takes its time.
slow = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    deadline=None,
    max_examples=60,
)


@slow
@given(data=st.data())
def test_no_selection_of_the_events_passes_even_with_new_checksums(
    files: Files, tmp_path: Path, data: st.DataObject
) -> None:
    lines = lines_of(files)
    chosen = data.draw(st.lists(st.sampled_from(range(LAST)), max_size=LAST + 3))
    assume(chosen != list(range(LAST)))
    assert found_in(with_lines(files, [lines[place] for place in chosen]), tmp_path / "b.zip")


@slow
@given(data=st.data())
def test_no_changed_event_passes_even_with_new_checksums(
    files: Files, tmp_path: Path, data: st.DataObject
) -> None:
    lines = lines_of(files)
    place = data.draw(st.integers(0, LAST - 1))
    said = json.loads(lines[place])
    key = data.draw(st.sampled_from(sorted(said)))
    value = data.draw(
        st.text() | st.integers(-5, 50) | st.floats(allow_nan=False) | st.none() | st.lists(st.integers())
    )
    assume(value != said[key])
    lines[place] = json.dumps({**said, key: value}).encode() + b"\n"
    messages = found_in(with_lines(files, lines), tmp_path / "b.zip")
    assert any(f"event {place + 1}" in m or f"event {place + 2}" in m or "line" in m for m in messages) or (
        key == "seq" and messages
    )


@slow
@given(data=st.binary(max_size=300), where=st.integers(0, 3000), cut=st.booleans())
def test_a_damaged_file_is_a_finding_or_a_clear_error_never_a_crash(
    files: Files, tmp_path: Path, data: bytes, where: int, cut: bool
) -> None:
    whole = pack(files, tmp_path / "b.zip").read_bytes()
    where = min(where, len(whole))
    damaged = whole[:where] + data + (b"" if cut else whole[where + len(data) :])
    assume(damaged != whole)
    (tmp_path / "b.zip").write_bytes(damaged)
    with suppress(WavegateError):
        check_bundle(tmp_path / "b.zip")


def stored(entries: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there already
        for name, data in entries:
            archive.writestr(name, data)
    return buffer.getvalue()


HOSTILE: list[tuple[str, Callable[[Files], bytes]]] = [
    # a piece of the sentence, and what somebody made
    ("not a zip file", lambda files: b"these are my notes"),
    ("not a zip file", lambda files: b""),
    ("two files of one name", lambda files: stored([*files.items(), (EVENTS, b"")])),
    ("leads elsewhere", lambda files: stored([*files.items(), ("../../etc/passwd", b"x")])),
    ("leads elsewhere", lambda files: stored([*files.items(), ("/etc/passwd", b"x")])),
    ("it holds 87 files", lambda files: stored([*files.items(), *((f"f{n}", b"") for n in range(80))])),
    ("it has no manifest.json", lambda files: stored([("report.txt", b"x")])),
    ("makes no sense", lambda files: stored([*{**files, MANIFEST: b"{"}.items()])),
    ("makes no sense", lambda files: stored([*{**files, MANIFEST: b"[]"}.items()])),
    ("makes no sense", lambda files: stored([*{**files, MANIFEST: b"[" * 100_000}.items()])),
    ("of something else", lambda files: stored([*{**files, MANIFEST: b'{"kind": "x"}'}.items()])),
]


@pytest.mark.parametrize(("sentence", "build"), HOSTILE)
def test_what_is_no_bundle_is_told(
    files: Files, tmp_path: Path, sentence: str, build: Callable[[Files], bytes]
) -> None:
    (tmp_path / "b.zip").write_bytes(build(files))
    with pytest.raises(WavegateError) as caught:
        check_bundle(tmp_path / "b.zip")
    assert caught.value.code == "bundle-unreadable"
    assert sentence in caught.value.why


def test_a_bomb_is_refused_before_it_is_unpacked(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle_check, "LARGEST", 1 << 20)
    pack({**files, "report.txt": b"0" * (2 << 20)}, tmp_path / "b.zip")
    with pytest.raises(WavegateError) as caught:
        check_bundle(tmp_path / "b.zip")
    assert "would unpack to more than" in caught.value.why


@pytest.mark.parametrize("name", [MANIFEST, SUMS])
def test_nothing_too_large_is_held_in_memory(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(bundle_check, "LARGEST_PIECE", 100_000)
    pack({**files, name: files[name] + b" " * 200_000}, tmp_path / "b.zip")
    with pytest.raises(WavegateError) as caught:
        check_bundle(tmp_path / "b.zip")
    assert f"{name} is larger than" in caught.value.why


def test_an_endless_event_is_a_finding(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_check, "LARGEST_PIECE", 100_000)
    longer = {**files, EVENTS: files[EVENTS] + b"x" * 200_000}
    assert any("is longer than" in message for message in found_in(longer, tmp_path / "b.zip"))


def test_a_bundle_of_a_later_format_says_so(files: Files, tmp_path: Path) -> None:
    later = files[MANIFEST].replace(b'"format": 1', b'"format": 2')
    with pytest.raises(WavegateError) as caught:
        check_bundle(pack({**files, MANIFEST: later}, tmp_path / "b.zip"))
    assert caught.value.code == "bundle-newer"
    assert bundles.__version__ in caught.value.what


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(WavegateError) as caught:
        check_bundle(tmp_path / "no.zip")
    assert "No such file" in caught.value.why
