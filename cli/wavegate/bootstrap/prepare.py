"""From a rollout file to a plan: read the file, ask Ansible once, plan. Changes nothing anywhere."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from wavegate.bootstrap.probe_files import check_suites, probe_playbooks
from wavegate.bootstrap.reading import cache_of
from wavegate.config.document import join_path
from wavegate.config.load import Loaded, load_rollout, locate
from wavegate.core.plan import Plan
from wavegate.core.planning import make_plan, patterns_of
from wavegate.core.rehearsal import make_rehearsal
from wavegate.core.spec import ProbeSpec, Procedure, RehearsalSpec, RolloutSpec
from wavegate.errors import InputError, Problem
from wavegate.ports import AnsibleProblem, Answer, PlayFact, Question


class Prepared(Struct, frozen=True):
    """A rollout file that can be run: what it says, what Ansible answered, and the plan made of both."""

    file: Path
    project: Path
    spec: RolloutSpec
    answer: Answer
    plan: Plan
    rehearsal: RehearsalSpec | None = None


def prepare(file: Path, *patterns: str) -> Prepared:
    """Return the plan of the rollout file; raise InputError with every problem that was found.

    The answer's fleet knows the hosts of these patterns too.
    """
    return _ask_and_prepare(file, load_rollout(file), patterns)


def prepare_rehearsal(file: Path, wish: RehearsalSpec) -> Prepared:
    """Return the plan of the rollout that rehearses the file's, as `prepare` does."""
    loaded = load_rollout(file)
    trial = replace(loaded, spec=make_rehearsal(loaded.spec, wish))
    return replace(_ask_and_prepare(file, trial), rehearsal=wish)


def _ask_and_prepare(file: Path, loaded: Loaded, patterns: tuple[str, ...] = ()) -> Prepared:
    from wavegate.adapters.ansible import ask

    question = make_question(loaded.spec)
    patterns = tuple(dict.fromkeys((*question.patterns, *patterns)))
    answer = ask(replace(question, patterns=patterns), loaded.root)
    return _prepare(file, loaded, answer, None)


def prepare_plan(file: Path, *, fresh: bool = False) -> Plan:
    """Return the plan alone, as `prepare` makes it; Ansible is not asked again about what has not changed.

    With `fresh` it is asked in any case.
    """
    from wavegate.adapters.ansible import Memory, ask

    loaded = load_rollout(file)
    project, spec = loaded.root, loaded.spec
    question = replace(make_question(spec), plan_only=True)
    memory = Memory(cache_of(project) / "answers", project, question)
    known = None if fresh else memory.recall(lambda answer: digest_material(project, file, spec, answer))
    if known:
        return _prepare(file, loaded, *known).plan
    since = time.time()
    answer = ask(question, project)
    prepared = _prepare(file, loaded, answer, None)
    memory.keep(answer, prepared.plan.digests, password_files(project, spec, answer), since)
    return prepared.plan


def _prepare(file: Path, loaded: Loaded, answer: Answer, digests: Mapping[str, str] | None) -> Prepared:
    project, spec = loaded.root, loaded.spec
    problems = [placed for problem in answer.problems for placed in _place(problem, spec)]
    problems += _find_missing_signers(project, spec)
    problems += check_suites(spec, project)
    plan = None
    if digests is None:
        digests = {} if problems else digest_material(project, file, spec, answer)
    if not any(problem.kind == "inventory" for problem in answer.problems):
        try:
            plan = make_plan(
                spec,
                answer.fleet,
                digests=digests,
                seed=make_seed(spec.name, answer.fleet.hosts),
                inventory=spec.inventory,
                notes=_note_plays(answer.plays),
            )
        except InputError as error:
            problems = _merge(problems, error.problems)
    if problems or plan is None:
        _refuse(loaded, problems)
    assert plan is not None  # noqa: S101 - _refuse raised otherwise
    return Prepared(file, project, spec, answer, plan)


def digest_material(project: Path, file: Path, spec: RolloutSpec, answer: Answer) -> Mapping[str, str]:
    """Return the digests the plan is bound to: of the rollout file, the project, and what lies outside."""
    from wavegate.adapters.material import digest, external_paths

    outside = external_paths(answer.settings, project)
    return digest(project, file, outside, password_files(project, spec, answer))


def password_files(project: Path, spec: RolloutSpec, answer: Answer) -> tuple[Path, ...]:
    """Return the files that hold vault, become and connection passwords: they are no part of the material."""
    names = ("DEFAULT_VAULT_PASSWORD_FILE", "BECOME_PASSWORD_FILE", "CONNECTION_PASSWORD_FILE")
    configured = [answer.settings.get(name, {}).get("value") for name in names]
    identities = answer.settings.get("DEFAULT_VAULT_IDENTITY_LIST", {}).get("value") or ()
    become = [spec.become.password_file] if spec.become else []
    entries = [*configured, *identities, *spec.vault_password_files, *become]
    return tuple(project / Path(str(entry).rpartition("@")[2]).expanduser() for entry in entries if entry)


def make_question(spec: RolloutSpec) -> Question:
    """Return everything that has to be asked of Ansible about the rollout file, in one go."""
    playbooks = [path for paths in spec.playbooks.values() for path in paths]
    playbooks += probe_playbooks(spec).values()
    return Question(
        inventory=spec.inventory,
        patterns=patterns_of(spec),
        host_variables=tuple(dict.fromkeys(_host_variables(spec))),
        playbooks=tuple(dict.fromkeys(playbooks)),
        variables=spec.variables,
        vault_password_files=tuple(str(Path(path).expanduser()) for path in spec.vault_password_files),
        templates={name: probe.settings for name, probe in spec.probes.items()},
    )


def _host_variables(spec: RolloutSpec) -> Iterator[str]:
    """Yield what may be a host variable that makes groups: for waves, or for probes."""
    yield from (wave.apart for wave in spec.waves if wave.apart)
    yield from (probe.by for probe in spec.probes.values() if probe.by)


def make_seed(name: str, hosts: Iterable[str]) -> int:
    """Return the seed for shuffles: the same rollout over the same hosts is always the same plan."""
    text = "\0".join((name, *hosts))
    return int(hashlib.sha256(text.encode()).hexdigest()[:8], 16)


def _place(problem: AnsibleProblem, spec: RolloutSpec) -> list[Problem]:
    """Say at which keys of the rollout file Ansible's problem comes from; once where none is to blame."""
    keys = _find_keys(problem, spec) or [""]
    message = problem.message
    if problem.kind in {"inventory", "vault"} and problem.subject not in message:
        message = f"{problem.subject}: {message}"
    return [Problem(message, path=key, hint=problem.hint) for key in keys]


def _find_keys(problem: AnsibleProblem, spec: RolloutSpec) -> list[str]:
    subject = problem.subject
    if problem.kind == "template" and subject not in spec.probes:
        waves = [f"{wave.path}.apart" for wave in spec.waves if wave.apart == subject]
        return waves + [f"probes.{name}.by" for name, probe in spec.probes.items() if probe.by == subject]
    if problem.kind == "template":
        return [_find_template(f"probes.{subject}", spec.probes[subject], problem.message)]
    if problem.kind == "inventory":
        return ["inventory"] if spec.inventory else []
    if problem.kind == "pattern":
        patterns = {"hosts": spec.hosts, "leave_out": spec.leave_out}
        patterns |= {f"{wave.path}.hosts": wave.hosts for wave in spec.waves}
        return [key for key, pattern in patterns.items() if pattern == subject]
    if problem.kind == "vault" and subject in spec.vault_password_files:
        return ["vault"]
    names = {Procedure.APPLY: "playbook"}
    keys = [names.get(p, str(p)) for p, paths in spec.playbooks.items() if subject in paths]
    return [*keys, *(key for key, playbook in probe_playbooks(spec).items() if playbook == subject)]


def _find_template(path: str, probe: ProbeSpec, message: str) -> str:
    """Return the key of the probe's template that the message is about, as far as it tells."""
    found = re.search(r"'([^']+)' is undefined", message)
    name = found.group(1) if found else ""
    texts = [(key, text) for key, text in _texts(f"{path}.{probe.kind}", probe.settings) if "{" in text]
    keys = [key for key, text in texts if name in text]
    return keys[0] if keys and (name or len(keys) == 1) else path


def _texts(path: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield every text in the data with its key path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(join_path(path, str(key)), item)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _texts(join_path(path, index), item)


def _find_missing_signers(project: Path, spec: RolloutSpec) -> Iterator[Problem]:
    """Yield the files with allowed signers that cannot be used, and a missing ssh-keygen."""
    from wavegate.adapters.signatures import find_keygen

    for name, gate in spec.gates.items():
        file = gate.approval.allowed_signers if gate.approval else ""
        path = f"{join_path('gates', name)}.approval.allowed_signers"
        if file and not (project / file).is_file():
            yield Problem(f"there is no file {file} in the project", path=path, hint="one line for each key")
        if file and not find_keygen():
            hint = "install OpenSSH's client (Debian: apt install openssh-client)"
            yield Problem("signed votes need ssh-keygen, which is not here", path=path, hint=hint)


def _merge(problems: list[Problem], more: Iterable[Problem]) -> list[Problem]:
    """Add the planning problems, except where Ansible has already said what is wrong at the same key."""
    known = {problem.path for problem in problems if problem.path}
    return problems + [problem for problem in more if problem.path not in known]


def _refuse(loaded: Loaded, problems: list[Problem]) -> None:
    located = locate(problems, loaded.positions, loaded.file)
    located.sort(key=lambda problem: (problem.line, problem.column))
    count = f"{len(located)} problems" if len(located) != 1 else "1 problem"
    raise InputError(
        "plan-impossible",
        f"{loaded.spec.name} cannot be planned: {count}; nothing was started",
        located,
        hint="correct the places named above and call `wavegate plan` again",
    )


def _note_plays(plays: Iterable[PlayFact]) -> list[str]:
    notes = []
    for play in plays:
        where = f"{play.playbook}: play {play.name!r}"
        if play.serial:
            notes.append(f"{where} has serial: {', '.join(play.serial)}; Ansible batches inside our batches")
        if play.prompts:
            notes.append(f"{where} prompts for {', '.join(play.prompts)}; nobody is asked, defaults are used")
    return notes
