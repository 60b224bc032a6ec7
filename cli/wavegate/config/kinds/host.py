"""The keys of the probe kind `host`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wavegate.config.fields import DiskLevels, ListOfTexts, Number, Percent, SomeTime, Switch
from wavegate.config.keys import KindSettings, key, optional, switch
from wavegate.errors import Problem

CONDITIONS = (
    "services",
    "no_failed_units",
    "disk_free",
    "load_per_core",
    "memory_free",
    "no_reboot_required",
)


class Host(KindSettings):
    """Looks at a host itself, over Ansible's connection, all in one round trip. One condition is needed."""

    timeout: SomeTime = key("How long one measurement may take.", "10s", default="30s")
    services: ListOfTexts = optional("systemd units that must be active.", ["intranet", "sshd"], default=())
    no_failed_units: Switch = switch("Whether a failed systemd unit is bad.", default=False)
    disk_free: DiskLevels = optional(
        "What must be free on `/`, or on each path of a mapping. "
        "kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024.",
        "10%",
        {"/": "10%", "/var": "2GB"},
    )
    load_per_core: Number = optional("The most load (1 minute) for each core.", 4, 1.5)
    memory_free: Percent = optional("What must be available of the memory.", "10%")
    no_reboot_required: Switch = switch("Whether a host that waits for a reboot is bad.", default=False)

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem when no condition is written."""
        if written.keys() <= {*CONDITIONS, "timeout"} and not _has_condition(written):
            yield Problem("a host probe needs at least one condition", hint=f"one of {', '.join(CONDITIONS)}")


def _has_condition(host: Mapping[str, Any]) -> bool:
    return any(host.get(key, False) is not False for key in CONDITIONS)
