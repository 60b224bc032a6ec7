"""What the batches of one rollout have in common, and the folders of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from msgspec import Struct, field

from wavegate.core.spec import Become, Procedure


class Launch(Struct, frozen=True, kw_only=True):
    """What the batches of one rollout have in common.

    `work` is the rollout's own folder, `material` the frozen copy of `project` in which batches run.
    Playbooks are paths (absolute, or below the material) or names inside a collection. `settings` maps a
    setting of Ansible to its `value` and `origin`, as the project's inspection answered. `snapshot` is the
    inventory as it was read once (None: the sources are read by every batch). `timeout` is in seconds, of
    one batch. `secrets` are redacted from everything that is reported or kept. `cache` is a folder for what
    batches may use again, whatever the rollout (None: nothing is kept).
    """

    rollout_id: str
    work: Path
    material: Path
    project: Path
    playbooks: Mapping[Procedure, tuple[str, ...]]
    variables: Mapping[str, Any] = field(default_factory=dict)
    inventory: tuple[str, ...] = ()
    snapshot: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    vault_password_files: tuple[str, ...] = ()
    become: Become | None = None
    timeout: float = 3600.0
    secrets: frozenset[str] = frozenset()
    cache: Path | None = None

    @property
    def payloads(self) -> Path | None:
        """Where the payloads of modules are kept from batch to batch."""
        return self.cache / "payloads" if self.cache else None

    def setting(self, name: str) -> Any:
        """Return the value of one of Ansible's settings, None when the inspection did not name it."""
        return self.settings.get(name, {}).get("value")

    def rebase(self, path: str) -> str:
        """Return the path with the project's root replaced by the material's, if it lies below it."""
        candidate = Path(path)
        if candidate.is_relative_to(self.material) or not candidate.is_relative_to(self.project):
            return path
        return str(self.material / candidate.relative_to(self.project))


class BatchFolder(Struct, frozen=True):
    """Where one batch's files lie. Everything in `private` is removed when the batch ends."""

    root: Path

    @classmethod
    def of(cls, launch: Launch, batch: str) -> BatchFolder:
        """Return the batch's folder below `launch.work`, whatever characters its name has."""
        name = quote(batch, safe=" ").replace(".", "%2E") if batch in {".", ".."} else quote(batch, safe=" ")
        return cls(launch.work / "batches" / name)

    @property
    def private(self) -> Path:
        """ansible-runner's private data dir; holds secrets while the batch runs."""
        return self.root / "runner"

    @property
    def output(self) -> Path:
        """What Ansible printed, redacted; stays."""
        return self.root / "output.txt"

    @property
    def fence(self) -> Path:
        """Once it is there, nothing of the batch starts any more: another process has taken over."""
        return self.root / "fence"

    @property
    def wrapper(self) -> Path:
        """The generated playbook that imports the procedure's playbooks."""
        return self.private / "batch.yml"

    @property
    def order(self) -> Path:
        """What the callback plugin is told."""
        return self.private / "order.json"

    @property
    def evidence(self) -> Path:
        """What the callback plugin writes."""
        return self.private / "evidence.jsonl"

    @property
    def messages(self) -> Path:
        """The pipe into which the playbook announces."""
        return self.private / "messages"

    @property
    def answers(self) -> Path:
        """Where each announcement is answered by a file."""
        return self.private / "answers"

    @property
    def artifacts(self) -> Path:
        """ansible-runner's artifacts of the one run."""
        return self.private / "artifacts" / "batch"
