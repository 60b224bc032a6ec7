"""The keys of the probe kind `webhook`."""

from __future__ import annotations

from wavegate.config.fields import SomeTime, TextMapping, Url
from wavegate.config.keys import key, optional
from wavegate.config.kinds.web import WebKeys


class Webhook(WebKeys):
    """Asks a service of yours whether it may go on: a POST of JSON. Good means: it answered with 2xx."""

    timeout: SomeTime = key("How long one measurement may take.", "30s", default="10s")
    url: Url = key("The address; may be a template.", "https://changes.example.org/wavegate")
    metadata: TextMapping = optional(
        "What the service is told besides; values may be templates.", {"change": "CHG-1234"}, default={}
    )
