"""The registry of probe kinds: under which name which module measures. Each is imported with its first sweep.

Its keys are registered under the same name in `config.kinds`. A module's `KIND` says how it is asked: for
each target, or for all targets of a sweep in one go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from msgspec.structs import replace

from wavegate.adapters.probes.settings import UnusableSettingsError
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, seconds_text
from wavegate.core.judgement_command import finite_number
from wavegate.core.outcomes import Reading
from wavegate.extensions import Ask, ExtensionError, Occasion, load_kind

if TYPE_CHECKING:
    from wavegate.adapters.probes.ansible_task import TaskRunner
    from wavegate.adapters.probes.host import HostPool
    from wavegate.adapters.probes.playbook_runs import PlaybookRunner
    from wavegate.adapters.probes.suite_runs import SuiteRunner

BUILT_IN: Mapping[str, str] = {
    "http": "wavegate.adapters.probes.http",
    "tcp": "wavegate.adapters.probes.tcp",
    "tls": "wavegate.adapters.probes.tls",
    "dns": "wavegate.adapters.probes.dns",
    "prometheus": "wavegate.adapters.probes.prometheus",
    "webhook": "wavegate.adapters.probes.webhook",
    "command": "wavegate.adapters.probes.command",
    "host": "wavegate.adapters.probes.host",
    "rehearsed": "wavegate.adapters.probes.rehearsed",
    "ansible": "wavegate.adapters.probes.ansible",
    "playbook": "wavegate.adapters.probes.playbook",
    "testinfra": "wavegate.adapters.probes.testinfra",
}


FindRehearsal = Callable[[float, Sequence[str]], Judgement]


class Helpers(Struct, frozen=True):
    """What a kind that measures all targets in one go may use.

    `find_rehearsal` tells what rehearsals of the plan, or of roles, within so many seconds are worth.
    """

    hosts: HostPool
    find_rehearsal: FindRehearsal
    runners: Runners | None = None

    @property
    def through_ansible(self) -> Runners:
        """Return what reaches hosts through Ansible; raise UnusableSettingsError where there is nothing."""
        if self.runners is None:
            raise UnusableSettingsError("nothing here reaches hosts through Ansible")
        return self.runners


class Runners(Struct, frozen=True):
    """What reaches hosts through Ansible; each ends what it has under way when it is closed."""

    tasks: TaskRunner
    playbooks: PlaybookRunner
    suites: SuiteRunner

    def close(self) -> None:
        """End what is under way."""
        for runner in (self.tasks, self.playbooks, self.suites):
            runner.close()


class EachTarget(Struct, frozen=True):
    """A kind that measures each target by itself, many at once: so many `connections` or `programs`."""

    ask: Ask
    turn: Literal["connections", "programs"] = "connections"


AskAll = Callable[[Sequence[Occasion], Helpers], Awaitable[Mapping[str, Judgement]]]


class AllTargets(Struct, frozen=True):
    """A kind that measures all targets of a sweep in one go; it answers for each, by target."""

    ask: AskAll


def find_kind(name: str) -> EachTarget | AllTargets:
    """Return how the kind measures; raise UnusableSettingsError when there is no such kind to be had."""
    if name in BUILT_IN:
        kind: EachTarget | AllTargets = import_module(BUILT_IN[name]).KIND
        return kind
    try:
        foreign = load_kind(name)
    except ExtensionError as error:
        raise UnusableSettingsError(str(error)) from error
    if foreign is None:
        raise UnusableSettingsError(f'there is no kind of probe "{name}"')
    return EachTarget(_guard(name, foreign.ask))


def _check(name: str, answer: object) -> Judgement:
    """Return the answer with a value that a journal can keep; raise TypeError for what is no answer."""
    if not isinstance(answer, Judgement):
        raise TypeError(f"the kind {name} answered with a {type(answer).__name__}, wanted a Judgement")
    if not isinstance(answer.reading, Reading) or not isinstance(answer.detail, str):
        raise TypeError(f"the kind {name} answered with a Judgement that has no Reading or no text")
    return replace(answer, value=finite_number(answer.value))


def _guard(name: str, ask: Ask) -> Ask:
    """Return the foreign kind's `ask`, held to its timeout and to answering with a judgement."""

    async def guarded(occasion: Occasion) -> Judgement:
        try:
            async with asyncio.timeout(occasion.timeout):
                answer = await ask(occasion)
        except TimeoutError:
            return judge_trouble(Trouble.ENDLESS_KIND, name, seconds_text(occasion.timeout))
        return _check(name, answer)

    return guarded
