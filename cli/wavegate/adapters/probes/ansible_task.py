"""Asks hosts by one task each: one ansible-playbook through ansible-runner, called as batches are.

A host that hangs delays nobody: when the time is over the processes are ended, and those that answered keep
their answers.
"""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import yaml
from msgspec import Struct, field

from wavegate.adapters.executor.call import AnsibleCall
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.output import OutputFile
from wavegate.adapters.redact import Redactor

FORKS = 100
"""Hosts asked at once; each of them is a process on this machine."""
_SECONDS_TO_END = 1.0

RawHost = Mapping[str, Any] | str
"""What the task returned for a host, or the text of why it returned nothing."""
ReadAnswer = Callable[[str, Mapping[str, Any]], RawHost | None]
"""Takes the kind and the data of an event of ansible-runner; returns a host's answer if it is one."""


class TaskQuestion(Struct, frozen=True, kw_only=True):
    """What the hosts are asked: a playbook with one play, how its events are read, and in what surroundings.

    `environment` is added to that of batches; `timeout` is in seconds, for all hosts together. With
    `ends_tasks` tasks of hosts that were too slow are ended there, too, which takes some seconds more.
    """

    playbook: str
    read: ReadAnswer
    timeout: float
    environment: Mapping[str, str] = field(default_factory=dict)
    ends_tasks: bool = False


class TaskRunner(Protocol):
    """Asks hosts; `AnsibleTaskRunner` does it with ansible-runner."""

    def ask(self, hosts: Sequence[str], question: TaskQuestion) -> Mapping[str, RawHost]:
        """Return the answer of each host; hosts that gave none in time are left out. Blocks."""
        ...

    def close(self) -> None:
        """End what is under way; later questions are answered by nobody."""
        ...


class AnsibleTaskRunner:
    """Implements `TaskRunner` for one rollout; safe to call from several threads.

    `runtime` is the short private folder of `open_runtime_folder`: with the executor's own, probes go
    through the ssh connections that its batches left open.
    """

    def __init__(self, launch: Launch, runtime: Path) -> None:
        self._launch = launch
        self._runtime = runtime
        self._runs: set[_Run] = set()
        self._lock = threading.Lock()
        self._closed = False

    def ask(self, hosts: Sequence[str], question: TaskQuestion) -> Mapping[str, RawHost]:
        """Return what each host answered, or why it did not; a host that was too slow is left out."""
        run = _Run(self._launch, self._runtime, tuple(hosts), question)
        with self._lock:
            if self._closed or not hosts:
                return {}
            self._runs.add(run)
        try:
            answers = run.ask()
        finally:
            with self._lock:
                self._runs.discard(run)
        slow = [host for host in hosts if host not in answers] if question.ends_tasks else []
        return {**answers, **self._end_tasks(run.name, slow)} if slow else answers

    def _end_tasks(self, name: str, hosts: Sequence[str]) -> Mapping[str, RawHost]:
        """Return why hosts gave no answer, after their tasks were ended there."""
        from wavegate.adapters.probes.settling import end_tasks

        left = end_tasks(self, self._launch, name, hosts)
        told = "it gave no answer in time"
        return {host: f"{told}; {left[host]}" if host in left else told for host in hosts}

    def close(self) -> None:
        """End the runs that are under way; later ones answer nothing."""
        with self._lock:
            self._closed = True
            runs = list(self._runs)
        for run in runs:
            run.stop()


class _Run:
    """One ansible-playbook with one task."""

    def __init__(self, launch: Launch, runtime: Path, hosts: tuple[str, ...], question: TaskQuestion) -> None:
        self._launch = launch
        self._hosts = hosts
        self._question = question
        self._answers: dict[str, RawHost] = {}
        self._stopped = False
        self.name = f"probe-{secrets.token_hex(8)}"
        self._call = AnsibleCall(
            launch=launch,
            folder=BatchFolder(runtime / self.name),
            runtime=runtime,
            name=self.name,
            hosts=hosts,
            grace=_SECONDS_TO_END,
        )

    def ask(self) -> Mapping[str, RawHost]:
        """Return the answers that came in time; what was written for the run is gone afterwards."""
        timer = threading.Timer(self._question.timeout, self.stop)
        timer.daemon = True
        timer.start()
        try:
            complaint = self._drive()
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

    def _drive(self) -> str:
        """Run to the end; return what Ansible complains about when a host got no answer."""
        self._call.prepare(self._question.playbook, self._launch.variables)
        self._output = OutputFile(self._call.folder.output, Redactor(self._launch.secrets))
        forks = min(len(self._hosts), FORKS)
        try:
            self._run_to_its_end(self._call.make_runner(self._take, forks, self._question.environment))
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

    def _take(self, event: Mapping[str, Any]) -> bool:
        self._output.write(str(event.get("stdout") or ""))
        data = event.get("event_data")
        if isinstance(data, Mapping) and data.get("host"):
            answer = self._question.read(str(event.get("event")), data)
            if answer is not None:
                self._answers[str(data["host"])] = answer
        return False


class _Literal(str):
    """A text that Ansible must not take for a template: it was rendered already."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):
    """Writes `_Literal` with Ansible's tag for it."""


_Dumper.add_representer(
    _Literal, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text), style='"')
)


def literal(value: Any) -> Any:
    """Return the data with every text in it that looks like a template marked as one that is none.

    Only those: of a marked "1.10" or "false" Ansible makes a number or a truth value.
    """
    if isinstance(value, str):
        return _Literal(value) if "{" in value or value.startswith("#jinja2") else value
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in value.items()}
    return [literal(item) for item in value] if isinstance(value, list | tuple) else value


def write_play(name: str, *tasks: Mapping[str, Any], variables: Mapping[str, Any] | None = None) -> str:
    """Return a playbook whose tasks run once on every host of the call."""
    play = {
        "name": name,
        "hosts": "all",
        "gather_facts": False,
        "strategy": "ansible.builtin.linear",
        "any_errors_fatal": False,
        "tags": ["always"],
        **({"vars": dict(variables)} if variables else {}),
        "tasks": [dict(task) for task in tasks],
    }
    return yaml.dump([play], Dumper=_Dumper, allow_unicode=True, sort_keys=False)


def tell_unreachable(result: Mapping[str, Any]) -> str:
    """Return why Ansible could not reach a host."""
    return f"unreachable: {result.get('msg') or 'no reason was given'}"
