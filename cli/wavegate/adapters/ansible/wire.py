"""Questions and answers as JSON data, on their way to Ansible's process and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from wavegate.core.fleet import Fleet
from wavegate.ports import AnsibleProblem, Answer, PlayFact, Question


def question_to_text(question: Question) -> str:
    """Return the question as one JSON text; values that JSON lacks (dates) become strings."""
    return json.dumps(asdict(question), default=str)


def question_from_text(text: str) -> Question:
    """Return the question that `question_to_text` wrote."""
    data = json.loads(text)
    for key in ("inventory", "patterns", "host_variables", "playbooks", "vault_password_files"):
        data[key] = tuple(data[key])
    return Question(**data)


def answer_to_data(answer: Answer) -> dict[str, Any]:
    """Return the answer as JSON data; what is large in it is not copied."""
    return {
        "fleet": asdict(answer.fleet),
        "plays": [asdict(play) for play in answer.plays],
        "problems": [asdict(problem) for problem in answer.problems],
        "rendered": answer.rendered,
        "secrets": sorted(answer.secrets),
        "snapshot": answer.snapshot,
        "settings": answer.settings,
        "repeatable": answer.repeatable,
        "files": answer.files,
    }


def answer_from_data(data: Mapping[str, Any]) -> Answer:
    """Return the answer that `answer_to_data` wrote."""
    return Answer(
        fleet=_fleet(data["fleet"]),
        plays=tuple(_play(play) for play in data["plays"]),
        problems=tuple(AnsibleProblem(**problem) for problem in data["problems"]),
        rendered=data["rendered"],
        secrets=frozenset(data["secrets"]),
        snapshot=data["snapshot"],
        settings=data["settings"],
        repeatable=data["repeatable"],
        files=tuple(data["files"]),
    )


def _fleet(data: Mapping[str, Any]) -> Fleet:
    return Fleet(
        hosts=tuple(data["hosts"]),
        groups={name: tuple(hosts) for name, hosts in data["groups"].items()},
        patterns={pattern: tuple(hosts) for pattern, hosts in data["patterns"].items()},
        values=data["values"],
    )


def _play(data: Mapping[str, Any]) -> PlayFact:
    return PlayFact(**{**data, "serial": tuple(data["serial"]), "prompts": tuple(data["prompts"])})
