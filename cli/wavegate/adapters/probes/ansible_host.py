"""Asks hosts for their state: one run of the module `host_state` through ansible-runner, as batches are run.

Changes nothing on a host. A host that hangs delays nobody: when the time is over the run's processes are
ended, and those that answered keep their answers.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from wavegate.adapters.executor.call import AnsibleCall
from wavegate.adapters.executor.environment import OWN_PLUGINS
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.output import OutputFile
from wavegate.adapters.probes.host import RawHost
from wavegate.adapters.redact import Redactor
from wavegate.resources import plugins_dir

FORKS = 100
"""Hosts asked at once; each of them is a process on this machine."""
_SECONDS_TO_END = 1.0


class AnsibleHostRunner:
    """Implements `HostRunner` for one rollout; safe to call from several threads.

    `runtime` is the short private folder of `open_runtime_folder`: with the executor's own, probes go
    through the ssh connections that its batches left open.
    """

    def __init__(self, launch: Launch, runtime: Path) -> None:
        self._launch = launch
        self._runtime = runtime
        self._runs: set[_Run] = set()
        self._lock = threading.Lock()
        self._closed = False

    def __call__(
        self, hosts: Sequence[str], module_args: Mapping[str, Any], timeout: float
    ) -> Mapping[str, RawHost]:
        """Return what each host answered, or why it did not; a host that was too slow is left out."""
        run = _Run(self._launch, self._runtime, tuple(hosts))
        with self._lock:
            if self._closed or not hosts:
                return {}
            self._runs.add(run)
        try:
            return run.ask(module_args, timeout)
        finally:
            with self._lock:
                self._runs.discard(run)

    def close(self) -> None:
        """End the runs that are under way; later ones answer nothing."""
        with self._lock:
            self._closed = True
            runs = list(self._runs)
        for run in runs:
            run.stop()


class _Run:
    """One ansible-playbook with one task."""

    def __init__(self, launch: Launch, runtime: Path, hosts: tuple[str, ...]) -> None:
        self._launch = launch
        self._hosts = hosts
        self._answers: dict[str, RawHost] = {}
        self._stopped = False
        root = runtime / f"probe-{secrets.token_hex(8)}"
        self._call = AnsibleCall(
            launch=launch,
            folder=BatchFolder(root),
            runtime=runtime,
            name=root.name,
            hosts=hosts,
            grace=_SECONDS_TO_END,
        )

    def ask(self, module_args: Mapping[str, Any], timeout: float) -> Mapping[str, RawHost]:
        """Return the answers that came in time; what was written for the run is gone afterwards."""
        timer = threading.Timer(timeout, self.stop)
        timer.daemon = True
        timer.start()
        try:
            complaint = self._drive(module_args)
        finally:
            timer.cancel()
            self._call.mark_over()
            self._call.end_processes()
            self._call.remove_files()
            shutil.rmtree(self._call.folder.root, ignore_errors=True)
        if complaint and not self._stopped:
            return dict.fromkeys(self._hosts, complaint) | self._answers
        return dict(self._answers)

    def stop(self) -> None:
        """Ask for the end of the run's processes, without waiting for it."""
        self._stopped = True
        self._call.stop()

    def _drive(self, module_args: Mapping[str, Any]) -> str:
        """Run to the end; return what Ansible complains about when a host got no answer."""
        self._call.prepare(build_playbook(module_args), self._launch.variables)
        self._output = OutputFile(self._call.folder.output, Redactor(self._launch.secrets))
        try:
            self._run_to_its_end(self._make_runner())
        finally:
            self._output.close()
        return "" if self._answers.keys() >= set(self._hosts) else f"Ansible: {self._output.complaint}"

    def _run_to_its_end(self, runner: Any) -> None:
        try:
            if not self._stopped:
                runner.run()
        except Exception:
            # ansible-runner may stumble over a process that was ended; the answers that came still count.
            if not self._stopped:
                raise

    def _make_runner(self) -> Any:
        # Only wavegate's own modules and callbacks: a user's module of the same name answers something else,
        # and a callback that notifies people must not do so every few seconds.
        only_ours = {
            "ANSIBLE_LIBRARY": str(plugins_dir() / "modules"),
            "ANSIBLE_CALLBACK_PLUGINS": str(OWN_PLUGINS),
            "ANSIBLE_CALLBACKS_ENABLED": "wavegate_evidence",
        }
        return self._call.make_runner(self._take, min(len(self._hosts), FORKS), only_ours)

    def _take(self, event: Mapping[str, Any]) -> bool:
        self._output.write(str(event.get("stdout") or ""))
        data = event.get("event_data")
        if isinstance(data, Mapping) and (answer := read_answer(str(event.get("event")), data)) is not None:
            self._answers[str(data["host"])] = answer
        return False


def read_answer(kind: str, data: Mapping[str, Any]) -> RawHost | None:
    """Return a host's answer from an event of ansible-runner, None when the event is none."""
    result = data.get("res")
    if not data.get("host") or not isinstance(result, Mapping):
        return None
    if kind == "runner_on_ok":
        return result
    if kind == "runner_on_unreachable":
        return f"unreachable: {result.get('msg') or 'no reason was given'}"
    if kind == "runner_on_failed":
        return f"its module failed: {result.get('msg') or 'no reason was given'}"
    return None


class _Literal(str):
    """A text that Ansible must not take for a template: it was rendered already."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes `_Literal` with Ansible's tag for it."""


_Dumper.add_representer(
    _Literal, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
)


def build_playbook(module_args: Mapping[str, Any]) -> str:
    """Return the playbook that asks every host once, with arguments that are never rendered again."""
    arguments = {key: [_Literal(item) for item in items] for key, items in module_args.items()}
    play = {
        "name": "wavegate host probe",
        "hosts": "all",
        "gather_facts": False,
        "strategy": "ansible.builtin.linear",
        "any_errors_fatal": False,
        "tags": ["always"],
        "tasks": [{"name": "Ask the host for its state", "host_state": arguments}],
    }
    return yaml.dump([play], Dumper=_Dumper, allow_unicode=True, sort_keys=False)
