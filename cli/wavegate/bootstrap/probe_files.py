"""What probes need of this machine and of the project, looked at before anything starts."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from wavegate.config.document import join_path
from wavegate.core.spec import ProbeSpec, RolloutSpec
from wavegate.errors import Problem


def probe_playbooks(spec: RolloutSpec) -> dict[str, str]:
    """Return key path -> playbook of every probe that runs one."""
    return {
        join_path(join_path(join_path("probes", name), "playbook"), "path"): str(probe.settings["path"])
        for name, probe in spec.probes.items()
        if probe.kind == "playbook"
    }


def check_suites(spec: RolloutSpec, project: Path) -> Iterator[Problem]:
    """Yield a problem for every suite that is not there, or that nothing here could run."""
    for name, probe in spec.probes.items():
        if probe.kind == "testinfra":
            yield from _check_suite(join_path(join_path("probes", name), "testinfra"), probe, project)


def _check_suite(path: str, probe: ProbeSpec, project: Path) -> Iterator[Problem]:
    from wavegate.adapters.probes.suite_runs import INSTALL, is_testinfra_installed

    if not is_testinfra_installed():
        yield Problem("pytest-testinfra is not installed here", path=path, hint=INSTALL)
    suite = project / str(probe.settings["suite"])
    place = join_path(path, "suite")
    if not suite.exists():
        names = [str(one.relative_to(project)) for one in suite.parent.glob("*") if suite.parent.is_dir()]
        close = get_close_matches(str(probe.settings["suite"]), names, n=1)
        hint = f"did you mean {close[0]}?" if close else "paths are relative to the project's root"
        yield Problem("there is no such file or folder of tests", path=place, hint=hint)
    elif suite.is_dir() and not any(suite.rglob("test_*.py")) and not any(suite.rglob("*_test.py")):
        yield Problem("no file in this folder holds tests: they are called test_*.py", path=place)
