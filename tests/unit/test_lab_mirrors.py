from __future__ import annotations

from pathlib import Path

from wavegate.lab.mirrors import lines_for, machine_sources, parse_deb822, parse_list

LINES = """
# deb http://commented.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] http://vendor.example/apt bookworm main
deb http://security.example/debian-security bookworm-security main
"""

PARAGRAPHS = """
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
# a comment inside
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
"""


def test_one_line_sources_are_read_without_comments_sources_and_options() -> None:
    found = list(parse_list(LINES))
    assert [source.uri for source in found] == [
        "http://mirror.example/debian",
        "http://vendor.example/apt",
        "http://security.example/debian-security",
    ]
    assert found[1].signed_by == "/usr/share/keyrings/vendor.gpg"


def test_deb822_sources_are_read_without_disabled_ones() -> None:
    (found,) = parse_deb822(PARAGRAPHS)
    assert found.suites == ("bookworm", "bookworm-updates")
    assert found.components == ("main",)


def test_only_the_distributions_own_entries_are_used_for_another_suite() -> None:
    lines = lines_for("trixie", "bookworm", [*parse_list(LINES), *parse_deb822(PARAGRAPHS)])
    assert lines == [
        "deb http://mirror.example/debian trixie main",
        "deb http://mirror.example/debian trixie-updates main",
        "deb http://security.example/debian-security trixie-security main",
    ]


def test_a_machine_of_another_release_has_no_lines() -> None:
    assert lines_for("bookworm", "noble", parse_list(LINES)) == []


def test_all_files_of_a_machine_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/apt/sources.list").write_text("deb http://a.example bookworm main\n")
    (folder / "b.list").write_text("deb http://b.example bookworm main\n")
    (folder / "c.sources").write_text(PARAGRAPHS)
    uris = [source.uri for source in machine_sources(tmp_path)]
    assert uris == ["http://a.example", "http://b.example", "http://mirror.example/debian"]
