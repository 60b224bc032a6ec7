"""The probe `testinfra`: a pytest-testinfra suite of the project; each host is judged by its own tests."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from wavegate.adapters.probes.kept import tell_occasion
from wavegate.adapters.probes.kinds import AllTargets, Helpers
from wavegate.adapters.probes.settings import read_text
from wavegate.adapters.probes.suite_runs import SuiteQuestion
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_suite import judge_suite
from wavegate.extensions import Occasion


async def ask_suite(occasions: Sequence[Occasion], helpers: Helpers) -> Mapping[str, Judgement]:
    """Run the suite for all hosts."""
    first = occasions[0]
    question = SuiteQuestion(
        suite=read_text(first.settings, "suite"),
        probe=first.probe,
        occasion=tell_occasion(first),
        timeout=first.timeout,
    )
    hosts = [occasion.target for occasion in occasions]
    answer = await run_beside(
        functools.partial(helpers.through_ansible.suites.run, hosts, question), "wavegate-testinfra-probe"
    )
    return {host: judge_suite(host, answer.results, answer.troubles.get(host, "")) for host in hosts}


KIND = AllTargets(ask_suite)
