"""The command line: finds a verb's module only when that verb is called, and turns errors into exit codes."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

from wavegate import __version__
from wavegate.commands._output import Stream, print_error, safe_streams
from wavegate.errors import ExitCode, WavegateError

_VERBS = {
    "init": "scaffold a project, or sit beside an existing Ansible project",
    "doctor": "say what this machine lacks, and how to get it",
    "validate": "find every mistake in rollout files",
    "schema": "print the JSON Schema of the rollout file",
    "plan": "say who, in which order, with which gates; change nothing",
    "simulate": "say how long it takes, and how far a bad change gets",
    "run": "start a rollout and stay with it",
    "resume": "go on with a rollout that was interrupted, held, or died",
    "tick": "do what can be done now, and leave; for CI and cron",
    "halt": "start nothing new; stop the process that walks a rollout",
    "retry": "do bad hosts again",
    "skip": "take a host out of a rollout",
    "rollback": "put hosts back",
    "approve": "vote for going on, at a gate that asks people",
    "reject": "vote against going on; one rejection shuts the gate",
    "votes": "show what a gate asks people, and what they should see before they vote",
    "promote": "override one gate, once, with a reason",
    "abort": "end an open rollout for good",
    "status": "say where a rollout stands and what it waits for",
    "history": "list the rollouts of this project",
    "events": "list what happened in a rollout",
    "rehearse": "try a rollout and its rollback on hosts like the real ones",
    "probe": "measure now, change nothing",
    "report": "tell what happened, as text, JSON, JUnit XML or one HTML page",
    "audit": "verify that the journal is as it was written; export evidence",
    "lock": "say who works on a rollout; take it away from a process that cannot be reached",
    "lab": "a fleet of real hosts in containers, to try rollouts on",
}
_ACTING = frozenset(
    {
        *("init", "run", "resume", "tick", "halt", "retry", "skip", "rollback", "abort", "lock", "lab"),
        *("approve", "reject", "promote", "rehearse"),
    }
)
"""The verbs that change something: their exit code tells what they did, whoever reads the result."""


class _Verbs(click.Group):
    """Loads the module of a verb late, so that `--help` costs no import."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        if name not in _VERBS:
            return None
        command: click.Command = importlib.import_module(f"wavegate.commands.{name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in _VERBS and not name.startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(name, _VERBS, n=1)
            ctx.fail(f"there is no verb {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl(list(_VERBS.items()))


@click.command(
    cls=_Verbs,
    subcommand_metavar="VERB [ARGS]...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 2 usage, 10 waiting, 20 a person must act, 30 halted, 31 rolled back, "
    "32 rollback failed, 40 input or set-up, 41 locked by another, 50 a bug, 130 interrupted.",
)
@click.version_option(__version__, "--version", prog_name="wavegate")
@click.pass_context
def cli(context: click.Context) -> None:
    """Roll a change out to a fleet in waves, with a health gate between them.

    \b
    Try it on a fleet of containers:
      wavegate lab up
      wavegate plan rollouts/patch-intranet.yml
      wavegate run rollouts/patch-intranet.yml
    """
    context.ensure_object(dict)["verb"] = context.invoked_subcommand


def main() -> None:
    """Run the command line and leave with one of the exit codes of `ExitCode`."""
    with safe_streams() as stdout, _ended_like_interrupted():
        code = _run(stdout)
    sys.exit(code)


def _run(stdout: Stream) -> int:
    options: dict[str, Any] = {}
    try:
        code = int(cli(standalone_mode=False, obj=options) or 0)
        stdout.flush()
        if stdout.failure:
            return _tell_lost_output(stdout.failure, code, str(options.get("verb")))
    except WavegateError as error:
        print_error(error, as_json=options.get("json", False))
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        print("wavegate: interrupted", file=sys.stderr)
        return ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001 - a bug: the trace is the message
        import traceback

        traceback.print_exc()
        print("wavegate: this is a bug in wavegate; please report the lines above", file=sys.stderr)
        return ExitCode.BUG
    return code


def _tell_lost_output(failure: OSError, code: int, verb: str) -> int:
    """Say that the result was lost; what a verb has done already still decides the exit code."""
    error = WavegateError(
        "output-not-written",
        "the result could not be written to standard output",
        why=failure.strerror or str(failure),
        hint="send it elsewhere and try again; what was done to hosts is in the journal: wavegate status",
    )
    print_error(error, as_json=False)
    return error.exit_code if code == ExitCode.DONE and verb not in _ACTING else code


@contextmanager
def _ended_like_interrupted() -> Iterator[None]:
    """Let SIGTERM unwind like Ctrl-C: a scheduler that ends a verb leaves no helper process behind."""

    def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
