"""Evidence of sign-offs: kept under its checksum, and only as long as it still is what was voted on."""

from __future__ import annotations

from pathlib import Path

import pytest

from wavegate.adapters.sign_off import digest_evidence, keep_evidence
from wavegate.errors import WavegateError


def test_evidence_that_changes_while_the_vote_is_made_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    shot.write_text("before")
    sha256 = digest_evidence("login", shot)
    shot.write_text("after")
    with pytest.raises(WavegateError, match="was changed while the vote was made"):
        keep_evidence(tmp_path / "work", "login", shot, sha256)
    assert list((tmp_path / "work" / "evidence").iterdir()) == []
    shot.write_text("before")
    keep_evidence(tmp_path / "work", "login", shot, sha256)
    [kept] = (tmp_path / "work" / "evidence").iterdir()
    assert (kept.name, kept.read_text(), kept.stat().st_mode & 0o077) == (f"{sha256}-shot.png", "before", 0)
