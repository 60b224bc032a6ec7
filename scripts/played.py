"""Which scenarios passed with exactly the content that they have now; committed as molecule/played.json.

One entry for each role: {"content" (sha256), "on" (date), "seconds"}.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path

from wavegate.adapters.material import digest_folder

SHARED = (
    "roles/common",
    "playbooks",
    "plugins",
    "molecule/shared",
    ".config/molecule",
    "cli/wavegate/lab/material",
    "cli/wavegate/adapters/executor/ansible_plugins",
)
"""What every scenario consists of, besides its role and itself."""
IN_TURN = 2
"""So many unchanged roles are played nevertheless, others each day: Debian moves while a role does not."""


def digest_scenario(root: Path, role: str) -> str:
    """Return the sha256 of everything of the project that takes part when the role is played."""
    parts = [f"roles/{role}", f"molecule/{role}", *SHARED]
    return sha256("\n".join(f"{part} {digest_folder(root / part)}" for part in parts).encode()).hexdigest()


def choose_roles(root: Path, roles: Sequence[str], today: date) -> list[str]:
    """Return the roles that were touched since they passed, and those whose turn it is today."""
    played = read_played(root)
    first = today.toordinal() * IN_TURN
    in_turn = {roles[(first + place) % len(roles)] for place in range(min(IN_TURN, len(roles)))}
    return [
        role
        for role in roles
        if role in in_turn or played.get(role, {}).get("content") != digest_scenario(root, role)
    ]


def read_played(root: Path) -> dict[str, dict[str, str]]:
    """Return what is written down, nothing where there is no file."""
    file = root / "molecule" / "played.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def keep_played(root: Path, role: str, content: str, today: date, seconds: float) -> None:
    """Write down that the role's scenario passed with this content."""
    entry = {"content": content, "on": today.isoformat(), "seconds": round(seconds)}
    played = dict(sorted({**read_played(root), role: entry}.items()))
    file = root / "molecule" / "played.json"
    file.write_text(json.dumps(played, indent=2) + "\n", encoding="utf-8")
