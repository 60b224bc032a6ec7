"""The probe `playbook`: a playbook of the project as a test, in one run for all hosts; read host by host."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

from wavegate.adapters.probes.kept import tell_occasion
from wavegate.adapters.probes.kinds import AllTargets, Helpers
from wavegate.adapters.probes.playbook_runs import PlaybookQuestion
from wavegate.adapters.probes.settings import read_table, read_text
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.judgement import Judgement
from wavegate.core.judgement_playbook import judge_finished
from wavegate.extensions import Occasion


async def ask_playbook(occasions: Sequence[Occasion], helpers: Helpers) -> Mapping[str, Judgement]:
    """Run the playbook once for all hosts."""
    first = occasions[0]
    question = PlaybookQuestion(
        playbook=read_text(first.settings, "path"),
        probe=first.probe,
        occasion=tell_occasion(first),
        timeout=first.timeout,
        variables=read_table(first.settings, "vars"),
    )
    hosts = [occasion.target for occasion in occasions]
    answer = await run_beside(
        functools.partial(helpers.through_ansible.playbooks.run, hosts, question), "wavegate-playbook-probe"
    )
    return {
        host: judge_finished(answer.finished.get(host), first.timeout, answer.still_at_work.get(host, ""))
        for host in hosts
    }


KIND = AllTargets(ask_playbook)
