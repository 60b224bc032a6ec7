"""The keys of the probe kind `tcp`."""

from __future__ import annotations

from wavegate.config.fields import Port, Text
from wavegate.config.keys import KindSettings, key


class Tcp(KindSettings):
    """Connects to a port, from the controller. Good means: the connection was accepted."""

    host: Text = key(
        "Where to connect; a template that is rendered for each host.",
        "{{ service_address }}",
        default="{{ ansible_host | default(inventory_hostname) }}",
    )
    port: Port = key("The port, or a template of it.", 5432, "{{ database_port }}")
