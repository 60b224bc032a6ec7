"""Roles whose way there and back was tried: what the last step of a molecule scenario leaves for gates.

One file for each role, `.wavegate/tried/ROLE.json`: {"role", "digest", "at" (seconds since 1970), "hosts"}.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from wavegate.adapters.material import digest_folder
from wavegate.core.rehearsal import TriedRole
from wavegate.errors import WavegateError

_SHARED = ("roles/common", "plugins/modules", "plugins/action", "library")
"""What a role may use of its project besides itself."""
_NAME = re.compile(r"[A-Za-z0-9_]+\Z")


def digest_role(project: Path, role: str) -> str:
    """Return the sha256 of the role and of what it shares with others; "" when there is no such role."""
    folder = project / "roles" / role
    if not _NAME.match(role) or not folder.is_dir():
        return ""
    parts = [folder, *(project / name for name in _SHARED)]
    told = [f"{part.relative_to(project)} {digest_folder(part)}" for part in parts if part.is_dir()]
    return sha256("\n".join(told).encode()).hexdigest()


def keep_tried(project: Path, role: str, hosts: Sequence[str]) -> Path:
    """Write down that the role, as it is now, went there and back on these hosts; return the file.

    Raise WavegateError `no-such-role`.
    """
    digest = digest_role(project, role)
    if not digest:
        raise WavegateError(
            "no-such-role", f"there is no role {role!r}", hint=f"Roles lie in {project}/roles."
        )
    file = project / ".wavegate" / "tried" / f"{role}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"role": role, "digest": digest, "at": time.time(), "hosts": list(hosts)}, indent=1)
    part = file.with_suffix(".part")
    part.write_text(text + "\n", encoding="utf-8")
    part.replace(file)
    return file


def find_tried(project: Path, material: Path, role: str) -> TriedRole:
    """Return what is known of the role as it lies in `material`; a file that is damaged is no evidence."""
    now = digest_role(material, role)
    try:
        said = json.loads((project / ".wavegate" / "tried" / f"{role}.json").read_text(encoding="utf-8"))
        return TriedRole(role, now, str(said["digest"]), float(said["at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return TriedRole(role, now)
