"""One running batch: a thread that drives ansible-runner and reports what it learns."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wavegate.adapters.executor.call import AnsibleCall
from wavegate.adapters.executor.launch import BatchFolder, Launch
from wavegate.adapters.executor.messages import Messages, Pins
from wavegate.adapters.executor.output import OutputFile
from wavegate.adapters.executor.translate import Translator
from wavegate.adapters.executor.warm import WarmAnsible
from wavegate.adapters.executor.wrapper import build_wrapper, extra_variables
from wavegate.adapters.redact import Redactor
from wavegate.core.ansible_events import AnsibleEvent, Result, TaskEnded
from wavegate.core.events import BatchEnded, BatchSubmitted, Event, HostFinished
from wavegate.core.evidence import BatchEvidence, Ending
from wavegate.ports import Report

_NAMED = 5
_KEPT = ("runner_on_", "playbook_on_stats")


class RunningBatch:
    """A batch from its submission to its BatchEnded."""

    def __init__(  # noqa: PLR0913, PLR0917 - what it is made of
        self,
        launch: Launch,
        order: BatchSubmitted,
        runtime: Path,
        report: Report,
        forget: Callable[[str], None],
        pins: Pins,
        warm: WarmAnsible | None = None,
    ) -> None:
        self._launch = launch
        self._order = order
        self._report = report
        self._forget = forget
        self._folder = BatchFolder.of(launch, order.batch)
        self._call = AnsibleCall(
            launch=launch,
            folder=self._folder,
            runtime=runtime,
            name=order.batch,
            hosts=order.hosts,
            warm=warm,
        )
        self._redact = Redactor(launch.secrets)
        self._translator = Translator(self._call.token, launch.material, self._redact)
        self._evidence = BatchEvidence(order)
        self._pins = pins
        self._messages = Messages(launch, order, self._folder, self._redact, pins, report)
        self._stopping: Ending | None = None
        self._forks = len(order.hosts)
        self._read = 0
        self._guard = ""
        self._bug = ""
        self._thread = threading.Thread(target=self._run, name=f"batch {order.batch}", daemon=True)

    def start(self) -> None:
        """Run the batch in a thread of its own."""
        self._thread.start()

    def wait(self) -> None:
        """Return when the batch is over."""
        self._thread.join()

    def acknowledge(self, event: Event) -> None:
        """Let the tasks go on that wait for the event to be durable."""
        self._messages.acknowledge(event)

    def cancel(self) -> None:
        """End the batch's processes, without waiting for it."""
        self._stop(Ending.CANCELED)

    def _stop(self, ending: Ending) -> None:
        if self._stopping is None and not self._call.is_over:
            self._stopping = ending
            self._call.stop()

    def _run(self) -> None:
        ending, detail = Ending.ENDED, ""
        timer = threading.Timer(self._launch.timeout, self._stop, (Ending.TIMED_OUT,))
        timer.daemon = True
        try:
            self._prepare()
            timer.start()
            if self._folder.fence.exists():  # this process slept while another one took over
                self._stopping = Ending.CANCELED
            else:
                detail = self._drive()
        except Exception:  # noqa: BLE001 - the batch's end must be reported, whatever happened
            if self._stopping is None:  # ansible-runner may stumble over a process that was ended
                detail = self._note_bug()
        finally:
            timer.cancel()
            self._messages.close()
            self._call.mark_over()
        try:
            if self._stopping is not None:
                ending = self._stopping
                self._call.end_processes()
            self._finish(ending, detail)
        finally:
            self._forget(self._order.batch)

    def _prepare(self) -> None:
        playbook = json.dumps(build_wrapper(self._launch, self._order, self._call.token), ensure_ascii=False)
        self._call.prepare(playbook, extra_variables(self._launch, self._order, self._pins.durable))
        self._messages.open()

    def _drive(self) -> str:
        """Run Ansible to its end; return what is odd about that end ("" when nothing is)."""
        self._output = OutputFile(self._folder.output, self._redact)
        try:
            runner = self._call.make_runner(self._take, forks=self._forks)
            runner.run()
        finally:
            self._output.close()
        self._read_plugin_lines()
        if runner.rc is None:
            self._call.end_processes()
        return self._describe_end(runner.rc)

    def _take(self, event: Mapping[str, Any]) -> bool:
        """Handle one event of ansible-runner; return whether its file is kept until the batch ends."""
        try:
            self._read_plugin_lines()
            if self._translator.is_worth_showing(event):
                self._output.write(str(event["stdout"]))
            evidence = self._translator.from_runner(event)
            if evidence is not None and not self._is_our_doing(evidence):
                self._tell(self._evidence.add(evidence))
        except Exception:  # noqa: BLE001 - an exception in a handler kills the run without rc
            self._note_bug()
        return str(event.get("event", "")).startswith(_KEPT)

    def _is_our_doing(self, evidence: AnsibleEvent) -> bool:
        """Return whether a task may have gone wrong because this very batch is being stopped."""
        bad = isinstance(evidence, TaskEnded) and evidence.result in {Result.FAILED, Result.UNREACHABLE}
        return bad and self._stopping is not None

    def _read_plugin_lines(self) -> None:
        with self._folder.evidence.open("rb") as file:
            file.seek(self._read)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode().splitlines():
            if event := self._translator.from_plugin(line):
                self._tell(self._evidence.add(event))
            elif '"guard"' in line:
                self._guard = _difference(self._order.hosts, json.loads(line)["found"])

    def _note_bug(self) -> str:
        """Keep the trace with what Ansible printed; return the reason, which is one line."""
        trace = traceback.format_exc(limit=-3)
        if not self._bug:
            what = trace.strip().splitlines()[-1]
            self._bug = self._redact(f"wavegate itself failed ({what}); the trace is in the batch's output")
        with suppress(OSError):
            output = OutputFile(self._folder.output, self._redact)
            output.write(trace)
            output.close()
        return self._bug

    def _describe_end(self, rc: int | None) -> str:
        if self._bug:
            return self._bug
        if self._guard:
            return f"Ansible would work on other hosts than the batch's, so nothing was run: {self._guard}"
        if self._evidence.strangers:
            return f"ANSIBLE WORKED ON HOSTS OUTSIDE OF THE BATCH: {', '.join(self._evidence.strangers)}"
        if self._stopping is not None or rc == 0 or self._evidence.first_trouble:
            return ""
        how = "was killed" if rc is None else f"ended with {rc}"
        complaint = self._output.complaint.replace(f"{self._launch.material}/", "")
        return f"ansible-playbook {how}: {complaint}".rstrip(": ")

    def _finish(self, ending: Ending, detail: str) -> None:
        self._call.remove_limit()
        clean = self._redact(detail)
        why = f"after {self._launch.timeout:g} s" if ending is Ending.TIMED_OUT else clean
        self._tell(self._evidence.end(ending, why))
        output = (
            str(self._folder.output.relative_to(self._launch.work)) if self._folder.output.exists() else ""
        )
        self._report(BatchEnded(self._order.batch, ending.value, clean, output))

    def _tell(self, outcomes: tuple[HostFinished, ...]) -> None:
        for outcome in outcomes:
            self._report(outcome)


def _difference(expected: tuple[str, ...], found: list[str]) -> str:
    missing = sorted(set(expected) - set(found))[:_NAMED]
    extra = sorted(set(found) - set(expected))[:_NAMED]
    sentences = (("not in the inventory", missing), ("not in the batch", extra))
    return "; ".join(f"{what}: {', '.join(map(repr, names))}" for what, names in sentences if names)
