"""One ansible-playbook by means of ansible-runner: the files it needs, its surroundings, and its end.

Batches and host probes are called alike, so that a host is probed with the settings it was changed with.
"""

from __future__ import annotations

import secrets
import shlex
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from wavegate.adapters.executor.environment import (
    build_environment,
    inherited_environment,
    marker_of,
    task_marker,
    vault_arguments,
)
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.private import make_private_folder, write_private, write_private_json
from wavegate.adapters.executor.processes import GRACE, end_processes
from wavegate.adapters.executor.warm import WarmAnsible
from wavegate.adapters.executor.wrapper import limit_lines

_SETTINGS = {"pexpect_timeout": 0.5, "suppress_output_file": True}
_LOOK_EVERY = 0.1


class AnsibleCall(Struct, kw_only=True):
    """A call for exactly `hosts`; `name` marks its processes, `grace` is the seconds they get to end.

    `runtime` is the short private folder of `open_runtime_folder`, for control sockets and the limit file.
    `warm` is the process that has Ansible loaded (None: the call loads it itself).
    """

    launch: Launch
    folder: BatchFolder
    runtime: Path
    name: str
    hosts: tuple[str, ...]
    grace: float = GRACE
    warm: WarmAnsible | None = None
    token: str = field(default_factory=lambda: secrets.token_hex(8))
    _over: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        """Whether ansible-runner has returned."""
        return self._over.is_set()

    def prepare(self, playbook: str, variables: Mapping[str, Any]) -> None:
        """Write everything that the process needs; the folder is new, or of a call that is gone."""
        folder = self.folder
        shutil.rmtree(folder.private, ignore_errors=True)
        make_private_folder(folder.root)
        make_private_folder(folder.private / "env")
        make_private_folder(folder.private)
        if self.launch.payloads:
            make_private_folder(self.launch.payloads)
        order = {
            "token": self.token,
            "wrapper": str(folder.wrapper),
            "evidence": str(folder.evidence),
            "fence": str(folder.fence),
            "messages": str(folder.messages),
            "answers": str(folder.answers),
            "task": task_marker(self.launch.rollout_id, self.name),
            "hosts": self.hosts,
        }
        write_private_json(folder.order, order)
        write_private(folder.wrapper, playbook)
        write_private_json(folder.private / "env" / "extravars", dict(variables))
        write_private_json(
            folder.private / "env" / "settings", _SETTINGS
        )  # the argument is dropped without it
        write_private(self._limit, limit_lines(self.hosts))
        write_private(folder.evidence, "")

    def make_runner(
        self, take: Callable[[Mapping[str, Any]], bool], forks: int, more: Mapping[str, str] | None = None
    ) -> Any:
        """Return ansible-runner's Runner, not started; `more` are variables for the environment."""
        # Not `from ansible_runner.interface import`: another thread may still be importing the package, and
        # only the import of the package itself waits until that one is done.
        import ansible_runner

        runner = ansible_runner.interface.init_runner(
            private_data_dir=str(self.folder.private),
            project_dir=str(self.launch.material),
            ident="batch",
            playbook=str(self.folder.wrapper),
            inventory=list(self.launch.inventory),
            limit=f"@{self._limit}",
            forks=forks,
            cmdline=shlex.join(vault_arguments(self.launch)),
            suppress_env_files=True,
            fact_cache_type="",  # otherwise it puts a cache of its own in the place of the user's
            quiet=True,
            event_handler=take,
            cancel_callback=lambda: False,
        )
        config = runner.config
        self._surround(config.env, more or {})
        if self.warm is not None:
            config.command = self.warm.command(config.command, config.env, config.cwd)
        return runner

    def stop(self) -> None:
        """Ask for the end of its processes, without waiting for it."""
        threading.Thread(target=self._end_until_over, name=f"end {self.name}", daemon=True).start()

    def end_processes(self) -> None:
        """Return when none of its processes is left."""
        end_processes(marker_of(self.launch.rollout_id, self.name), self.grace)

    def mark_over(self) -> None:
        """Say that ansible-runner has returned: no process of the call starts any more."""
        self._over.set()

    def remove_files(self) -> None:
        """Remove everything that `prepare` wrote."""
        shutil.rmtree(self.folder.private, ignore_errors=True)
        self.remove_limit()

    def remove_limit(self) -> None:
        """Remove what `prepare` wrote outside of the folder."""
        self._limit.unlink(missing_ok=True)

    @property
    def _limit(self) -> Path:
        """Ansible splits its path at commas, colons and blanks: it must not lie in the user's folders."""
        return self.runtime / f"{self.token}.hosts"

    def _end_until_over(self) -> None:
        # It may not even have started its process yet, when it is asked to end.
        while not self._over.is_set():
            self.end_processes()
            self._over.wait(_LOOK_EVERY)

    def _surround(self, env: dict[str, str], more: Mapping[str, str]) -> None:
        from ansible_runner.utils import get_callback_dir

        inherited = inherited_environment()
        env.update(build_environment(self.launch, self.name, self.folder, self.runtime, inherited))
        env.update(more)
        env["ANSIBLE_CALLBACK_PLUGINS"] += f":{get_callback_dir()}"
        if "ANSIBLE_HOST_KEY_CHECKING" not in inherited:
            del env["ANSIBLE_HOST_KEY_CHECKING"]  # ansible-runner switches it off behind the user's back
        env.pop("ORIGINAL_STDOUT_CALLBACK", None)
