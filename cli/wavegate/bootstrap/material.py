"""What a rollout goes on with, whatever is edited meanwhile: frozen at the start, thawed by resume."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from msgspec import Struct, to_builtins
from msgspec.structs import replace

from wavegate.bootstrap.kept_answer import find_answer, forget_answer, keep_answer
from wavegate.bootstrap.prepare import Prepared, make_question, password_files
from wavegate.bootstrap.reading import work_of
from wavegate.core.outcomes import CLOSED
from wavegate.core.plan import Plan
from wavegate.core.rehearsal import make_rehearsal
from wavegate.core.spec import RehearsalSpec, RolloutSpec
from wavegate.errors import WavegateError
from wavegate.ports import Answer, Journal
from wavegate.reports.sentences import some

SNAPSHOT = "inventory.json"
_REHEARSAL = "rehearsal.json"
"""Where the rollout is a rehearsal: on which hosts. Its rollout file is that of the rollout it rehearses."""
_PASSWORD_FILES = "password-files.json"  # noqa: S105 - where passwords are, no passwords


class Frozen(Struct, frozen=True):
    """What a rollout goes on with, whatever is edited meanwhile: all of it below its own folder."""

    project: Path
    work: Path
    material: Path
    spec: RolloutSpec
    answer: Answer

    @property
    def snapshot(self) -> Path:
        """Return the file that holds the inventory as it was read when the plan was made."""
        return self.work / SNAPSHOT


def freeze(prepared: Prepared, work: Path) -> Frozen:
    """Copy everything the rollout uses below `work`, readable by the owner only.

    Raise WavegateError `project-changed` or `material-not-written`.
    """
    try:
        return _freeze(prepared, work)
    except OSError as error:
        raise tell_not_written(prepared.project, error) from error


def tell_not_written(project: Path, error: OSError) -> WavegateError:
    """Return the error for a project below which nothing can be kept."""
    return WavegateError(
        "material-not-written",
        f"the rollout's material cannot be copied below {project / '.wavegate'}",
        why=str(error),
        hint="nothing was started; make room there and make it writable for you, then run again",
    )


def _freeze(prepared: Prepared, work: Path) -> Frozen:
    from wavegate.adapters.executor.environment import password_variables
    from wavegate.adapters.executor.private import make_private_folder, write_private_json
    from wavegate.adapters.material import freeze as freeze_material

    make_private_folder(work)
    store = prepared.project / ".wavegate" / "material"
    outside = password_files(prepared.project, prepared.spec, prepared.answer)
    material = freeze_material(prepared.project, store, prepared.plan.digests, outside)
    (work / "material").symlink_to(os.path.relpath(material, work))
    copy = work / "rollout.yml"
    shutil.copyfile(prepared.file, copy)
    copy.chmod(0o600)
    frozen = Frozen(prepared.project, work, material, prepared.spec, prepared.answer)
    if prepared.rehearsal:
        write_private_json(work / _REHEARSAL, to_builtins(prepared.rehearsal))
    write_private_json(frozen.snapshot, prepared.answer.snapshot)
    keep_answer(work, prepared.spec, prepared.answer)
    write_private_json(work / _PASSWORD_FILES, password_variables(prepared.project, prepared.answer.settings))
    return frozen


def thaw(project: Path, work: Path, plan: Plan) -> Frozen:
    """Return the frozen material of an earlier rollout; raise WavegateError when it cannot go on with it.

    A closed rollout has no inventory any more (it may hold secrets in plain text): it is read anew from the
    frozen copy, and must still have every host of the plan.
    """
    from wavegate.adapters.executor.private import write_private_json

    snapshot = work / SNAPSHOT
    kept = snapshot.is_file()
    material = find_material(work)
    if kept and (known := find_answer(work)):
        return Frozen(project, work, material, _load_frozen(work), known)
    spec, answer = _ask_frozen(project, work, "all")
    if answer.problems:
        # Without every password, secrets would be neither usable nor known, and so would be shown.
        raise WavegateError(
            "resume-impossible",
            "the rollout cannot go on: Ansible cannot use its frozen material",
            why="\n".join(f"{problem.subject}: {problem.message}" for problem in answer.problems),
            hint="put back what is missing (a vault password file?) and resume again",
        )
    if not kept:
        _require_hosts(plan, answer)
        write_private_json(snapshot, answer.snapshot)
    return Frozen(project, work, material, spec, answer)


def match_hosts(project: Path, work: Path, pattern: str) -> tuple[str, ...]:
    """Return the hosts of an Ansible host pattern in the frozen inventory.

    Raise WavegateError `host-unknown` when a name in it means nothing, or `material-missing`.
    """
    _, answer = _ask_frozen(project, work, pattern)
    for problem in answer.problems:
        if problem.kind == "pattern":
            raise WavegateError("host-unknown", problem.message, hint=problem.hint or "see `wavegate report`")
    return answer.fleet.patterns.get(pattern, ())


def _ask_frozen(project: Path, work: Path, pattern: str) -> tuple[RolloutSpec, Answer]:
    """Ask Ansible about the frozen material and, while there is one, the inventory as it was read."""
    from wavegate.adapters.ansible import ask

    material = find_material(work)
    spec = _load_frozen(work)
    question = make_question(spec)
    unlocking = tuple(str(project / path) for path in question.vault_password_files)
    question = replace(question, patterns=(pattern,), playbooks=(), vault_password_files=unlocking)
    passwords = json.loads((work / _PASSWORD_FILES).read_text(encoding="utf-8"))
    snapshot = work / SNAPSHOT
    kept = snapshot if snapshot.is_file() else None
    question = replace(question, wants_snapshot=kept is None)
    return spec, ask(question, material, snapshot=kept, environment=passwords)


def _load_frozen(work: Path) -> RolloutSpec:
    from wavegate.config.load import load_rollout

    spec = load_rollout(work / "rollout.yml").spec
    if not (work / _REHEARSAL).is_file():
        return spec
    wish = json.loads((work / _REHEARSAL).read_text(encoding="utf-8"))
    return make_rehearsal(spec, RehearsalSpec(**{**wish, "inventory": tuple(wish["inventory"])}))


def find_material(work: Path) -> Path:
    """Return the folder with a rollout's frozen material; raise WavegateError `material-missing`."""
    material = (work / "material").resolve()
    for path in (material, work / "rollout.yml", work / _PASSWORD_FILES):
        if not path.exists():
            raise WavegateError(
                "material-missing",
                f"the frozen material of this rollout is not here: {path}",
                hint="resume where the rollout was started, or bring its .wavegate folder along",
            )
    return material


def _require_hosts(plan: Plan, answer: Answer) -> None:
    missing = sorted(set(plan.hosts).difference(answer.fleet.hosts))
    if missing:
        raise WavegateError(
            "resume-impossible",
            f"the inventory does not hold every host of the plan any more: {some(missing)}",
            hint="put them back into the inventory, or start a new rollout for the hosts that are left",
        )


def forget_closed(journal: Journal, project: Path) -> None:
    """Forget what a process left that died between a rollout's end and its own."""
    for row in journal.rollouts():
        if row.status in CLOSED:
            forget_secrets(work_of(project, row.id))


def forget_secrets(work: Path) -> None:
    """Remove what only an open rollout needs and may hold secrets in plain text; the rest stays readable."""
    from wavegate.adapters.executor.private import remove_private_parts

    (work / SNAPSHOT).unlink(missing_ok=True)
    forget_answer(work)
    remove_private_parts(work)
