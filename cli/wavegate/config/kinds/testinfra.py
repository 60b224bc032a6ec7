"""The keys of the probe kind `testinfra`."""

from __future__ import annotations

from typing import ClassVar

from wavegate.config.fields import SomeTime
from wavegate.config.fields_host import SuitePath
from wavegate.config.keys import KindSettings, key


class Testinfra(KindSettings):
    """Runs a suite of pytest-testinfra. Good means: tests ran against the host, and every one passed."""

    hosts_only: ClassVar[bool] = True

    timeout: SomeTime = key("How long the suite may take, on all hosts together.", "2m", default="5m")
    suite: SuitePath = key(
        "A file or folder of tests, relative to the project's root.", "checks/test_intranet.py"
    )
