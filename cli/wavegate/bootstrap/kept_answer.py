"""What Ansible answered about a rollout's frozen material, kept while it is open: resume need not ask again.

Only where nothing in it is secret, and where asking again could bring nothing else: no vault, no password, no
script, lookup or clock had a part in it. Everything else is asked for again, and is never written down.
"""

from __future__ import annotations

import json
from pathlib import Path

from wavegate import __version__
from wavegate.bootstrap.probe_secrets import find_probe_secrets
from wavegate.core.fleet import Fleet
from wavegate.core.spec import RolloutSpec
from wavegate.ports import Answer

_NAME = "answer.json"


def keep_answer(work: Path, spec: RolloutSpec, answer: Answer) -> None:
    """Write the answer into the rollout's folder, for its owner alone, if it may be."""
    from wavegate.adapters.executor.private import write_private_json

    secret = answer.secrets or find_probe_secrets(spec.probes, answer.rendered)
    if answer.repeatable and not secret and not spec.become and not answer.problems:
        kept = {"wavegate": __version__, "rendered": answer.rendered, "settings": answer.settings}
        write_private_json(work / _NAME, kept)


def find_answer(work: Path) -> Answer | None:
    """Return what batches and probes need of the answer that this version kept; None where it kept none."""
    try:
        kept = json.loads((work / _NAME).read_bytes())
        if kept["wavegate"] != __version__:
            return None
        rendered, settings = dict(kept["rendered"]), dict(kept["settings"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Answer(fleet=Fleet(hosts=(), groups={}), rendered=rendered, settings=settings, repeatable=True)


def forget_answer(work: Path) -> None:
    """Remove it: the rollout is closed."""
    (work / _NAME).unlink(missing_ok=True)
