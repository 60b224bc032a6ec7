"""The probe `ansible`: any module on each host, in one run for all of them; conditions over its result."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

from wavegate.adapters.executor.environment import OWN_PLUGINS
from wavegate.adapters.executor.translate import explain
from wavegate.adapters.probes.ansible_task import RawHost, TaskQuestion, literal, tell_unreachable, write_play
from wavegate.adapters.probes.kinds import AllTargets, Helpers
from wavegate.adapters.probes.settings import UnusableSettingsError, read_table, read_text
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.conditions import Conditions
from wavegate.core.judgement import Judgement, Trouble, judge_trouble, judge_unexpected
from wavegate.core.judgement_module import judge_result
from wavegate.extensions import Occasion

_ARGUMENTS = "__wavegate_arguments"
_TOO_LARGE = "the module's answer is larger than what Ansible hands over"
_ENDS = ("runner_on_ok", "runner_on_failed", "runner_on_skipped", "runner_on_unreachable")
_BROKE = "Task failed: "
"""How Ansible begins, in the place of the module, when that did not come to an answer of its own."""


async def ask_modules(occasions: Sequence[Occasion], helpers: Helpers) -> Mapping[str, Judgement]:
    """Run the module once on every host; each host has its own arguments and conditions."""
    arguments: dict[str, Mapping[str, Any]] = {}
    judgements: dict[str, Judgement] = {}
    module = read_text(occasions[0].settings, "module")
    for occasion in occasions:
        try:
            arguments[occasion.target] = read_table(occasion.settings, "args")
        except UnusableSettingsError as error:
            judgements[occasion.target] = judge_trouble(Trouble.UNUSABLE, more=str(error))
    if not arguments:
        return judgements
    in_check_mode = bool(occasions[0].settings.get("check_mode", True))
    question = TaskQuestion(
        playbook=build_playbook(module, arguments, in_check_mode=in_check_mode),
        read=read_result,
        timeout=occasions[0].timeout,
        environment=_quiet(),
        ends_tasks=True,
    )
    answers = await run_beside(
        functools.partial(helpers.through_ansible.tasks.ask, list(arguments), question),
        "wavegate-ansible-probe",
    )
    for occasion in occasions:
        if occasion.target in arguments:
            judgements[occasion.target] = judge_answer(occasion.settings, answers.get(occasion.target))
    return judgements


def judge_answer(settings: Mapping[str, Any], answer: RawHost | None) -> Judgement:
    """Return what a host's answer means; None is a host that gave none."""
    if not isinstance(answer, Mapping):
        return judge_trouble(Trouble.NOT_ANSWERED_HOST, more=answer or "it gave no answer in time")
    conditions = Conditions(str(settings.get("good_when") or ""), str(settings.get("bad_when") or ""))
    try:
        return judge_result(conditions, answer)
    except Exception as error:  # noqa: BLE001 - a host that answers nonsense must not take the others' answers
        return judge_unexpected(error)


def build_playbook(module: str, arguments: Mapping[str, Mapping[str, Any]], *, in_check_mode: bool) -> str:
    """Return the playbook that runs the module with each host's own arguments, never rendered again."""
    task: dict[str, Any] = {"name": "Ask the module", module: None, "check_mode": in_check_mode}
    distinct = [dict(one) for one in arguments.values()]
    if all(one == distinct[0] for one in distinct):
        return write_play("wavegate ansible probe", {**task, module: literal(distinct[0]) or None})
    own = f"{_ARGUMENTS}[inventory_hostname]"
    names = dict.fromkeys(name for one in distinct for name in one)
    task[module] = {name: f"{{{{ {own}[{json.dumps(name)}] | default(omit) }}}}" for name in names}
    variables = {_ARGUMENTS: {host: literal(one) for host, one in arguments.items()}}
    return write_play("wavegate ansible probe", task, variables=variables)


def read_result(kind: str, data: Mapping[str, Any]) -> RawHost | None:
    """Return the module's result, or why there is none, from an event of ansible-runner."""
    result = data.get("res", {})
    if kind not in _ENDS or not isinstance(result, Mapping):
        return None
    if kind == "runner_on_unreachable":
        return tell_unreachable(result)
    failed = kind == "runner_on_failed"
    if refused := _refuse(result, failed=failed, skipped=kind == "runner_on_skipped"):
        return refused
    own = {key: item for key, item in result.items() if not key.startswith("_ansible")}
    own.pop("invocation", None)
    return {"failed": failed, **own}


def _refuse(result: Mapping[str, Any], *, failed: bool, skipped: bool) -> str:
    """Return why the result is no answer, "" when it is one."""
    if skipped or result.get("skipped"):
        why = str(result.get("msg") or "it was skipped")
        return f"its module did not run ({why}); in check mode some do not: `check_mode: false` runs them"
    if not result:
        return _TOO_LARGE
    if "censored" in result:
        return "its module's answer is hidden by no_log"
    if failed and str(result.get("msg")).startswith(_BROKE):
        return f"its module broke: {explain(result).removeprefix(_BROKE)}"
    return ""


def _quiet() -> dict[str, str]:
    """Return what keeps callbacks silent that notify people: a probe asks every few seconds."""
    return {"ANSIBLE_CALLBACK_PLUGINS": str(OWN_PLUGINS), "ANSIBLE_CALLBACKS_ENABLED": "wavegate_evidence"}


KIND = AllTargets(ask_modules)
