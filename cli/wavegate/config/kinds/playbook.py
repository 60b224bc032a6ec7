"""The keys of the probe kind `playbook`."""

from __future__ import annotations

from typing import ClassVar

from wavegate.config.fields import SomeTime
from wavegate.config.fields_host import PlainPath, PlainVariables
from wavegate.config.keys import KindSettings, key, optional


class Playbook(KindSettings):
    """Runs a playbook of the project as a test. Good means: the host got through all plays that target it."""

    hosts_only: ClassVar[bool] = True

    timeout: SomeTime = key("How long the playbook may take, on all hosts together.", "2m", default="5m")
    path: PlainPath = key(
        "The playbook, relative to the project's root, or a collection's by its full name.",
        "playbooks/smoke.yml",
    )
    vars: PlainVariables = optional(
        "More variables for the playbook, beside those of the rollout file.", {"smoke_depth": 2}, default={}
    )
