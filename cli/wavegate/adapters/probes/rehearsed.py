"""The condition `rehearsed` of a gate: asks the journal whether this very plan was rehearsed, lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from wavegate.adapters.probes.kinds import AllTargets, Helpers
from wavegate.adapters.probes.settings import read_texts
from wavegate.adapters.probes.threads import run_beside
from wavegate.core.judgement import Judgement
from wavegate.extensions import Occasion


async def look_for_rehearsal(occasions: Sequence[Occasion], helpers: Helpers) -> Mapping[str, Judgement]:
    """Return the same answer for each target: there is one plan."""
    settings = occasions[0].settings
    ask = partial(helpers.find_rehearsal, float(settings["within"]), read_texts(settings, "roles"))
    found = await run_beside(ask, "wavegate-rehearsed")
    return {occasion.target: found for occasion in occasions}


KIND = AllTargets(look_for_rehearsal)
