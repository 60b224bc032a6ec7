"""What a package imports that adds a probe kind; docs/probes.md shows one. Nothing of wavegate imports this.

The kind's keys are a `KindSettings`, its way to measure an async function of an `Occasion` that returns a
`Judgement`; a `ProbeKind` joins both, and an entry point `wavegate.probes` names it.
"""

from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_conditions,
    read_number,
    read_table,
    read_text,
    read_texts,
    read_whole,
)
from wavegate.config.fields import (
    Count,
    Duration,
    ListOfTexts,
    Number,
    OptionalText,
    Percent,
    Port,
    SomeTime,
    Switch,
    Text,
    TextMapping,
    Url,
    Whole,
)
from wavegate.config.keys import KindSettings, key, optional, switch
from wavegate.config.kinds.conditions import ConditionKeys
from wavegate.config.kinds.web import Secret
from wavegate.core.conditions import judge_conditions
from wavegate.core.judgement import Judgement
from wavegate.core.outcomes import Reading
from wavegate.errors import Problem
from wavegate.extensions import Occasion, ProbeKind

__all__ = [
    "ConditionKeys",
    "Count",
    "Duration",
    "Judgement",
    "KindSettings",
    "ListOfTexts",
    "Number",
    "Occasion",
    "OptionalText",
    "Percent",
    "Port",
    "ProbeKind",
    "Problem",
    "Reading",
    "Secret",
    "SomeTime",
    "Switch",
    "Text",
    "TextMapping",
    "UnusableSettingsError",
    "Url",
    "Whole",
    "judge_conditions",
    "key",
    "optional",
    "read_conditions",
    "read_number",
    "read_table",
    "read_text",
    "read_texts",
    "read_whole",
    "switch",
]
