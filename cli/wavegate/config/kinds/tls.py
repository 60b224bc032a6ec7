"""The keys of the probe kind `tls`."""

from __future__ import annotations

from wavegate.config.fields import OptionalText, Port, SomeTime, Text
from wavegate.config.keys import key, optional
from wavegate.config.kinds.web import TlsKeys


class Tls(TlsKeys):
    """Makes a TLS handshake, from the controller. Good means: the certificate holds, and for long enough.

    It holds when its chain leads to a trusted authority, it is in time, and it is made for `server_name`.
    """

    host: Text = key(
        "Where to connect; a template that is rendered for each host.",
        "{{ service_address }}",
        default="{{ ansible_host | default(inventory_hostname) }}",
    )
    port: Port = key("The port, or a template of it.", 636, "{{ ldaps_port }}", default=443)
    server_name: OptionalText = optional(
        "The name that is asked for (SNI) and that the certificate must be made for; without it, `host`.",
        "www.example.org",
    )
    valid_for: SomeTime = optional("A certificate that expires earlier than in this time is bad.", "14d")
