"""The keys of the probe kind `host`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from wavegate.config.fields import DiskLevels, ListOfTexts, Number, Percent, SomeTime, Switch, Text
from wavegate.config.fields_host import (
    CHANGE,
    Ages,
    Entries,
    InodeLevels,
    Offset,
    Packages,
    Pattern,
    Ports,
    Processes,
    Since,
    Updates,
)
from wavegate.config.keys import KindSettings, Model, key, optional, switch
from wavegate.errors import Problem


class LogWatch(Model):
    """What a systemd unit may write into the journal so often at the most. Needs root, or the group `adm`."""

    unit: Text = key("The systemd unit; may be a template.", "intranet")
    pattern: Pattern = key(
        "A regular expression; the case of letters counts. May be a template.", "ERROR|Traceback"
    )
    at_most: Entries = key("So many entries are good.", 3, default=0)
    since: Since = key(
        "How far to look back; `change` looks back to the start of the host's batch, before which it is an "
        "error.",
        "15m",
        default=CHANGE,
    )


class Host(KindSettings):
    """Looks at a host itself, over Ansible's connection, all in one round trip. One condition is needed."""

    hosts_only: ClassVar[bool] = True

    timeout: SomeTime = key("How long one measurement may take.", "10s", default="30s")
    services: ListOfTexts = optional("systemd units that must be active.", ["intranet", "sshd"], default=())
    no_failed_units: Switch = switch("Whether a failed systemd unit is bad.", default=False)
    disk_free: DiskLevels = optional(
        "What must be free on `/`, or on each path of a mapping. "
        "kB, MB, GB and TB are powers of 1000, KiB, MiB, GiB and TiB of 1024.",
        "10%",
        {"/": "10%", "/var": "2GB"},
    )
    inodes_free: InodeLevels = optional(
        "What of the inodes must be free on `/`, or on each path of a mapping.", "5%", {"/var": "10%"}
    )
    load_per_core: Number = optional("The most load (1 minute) for each core.", 4, 1.5)
    memory_free: Percent = optional("What must be available of the memory.", "10%")
    swap_used: Percent = optional("The most that may be used of the swap.", "50%")
    no_reboot_required: Switch = switch("Whether a host that waits for a reboot is bad.", default=False)
    security_updates: Updates = optional(
        "How many packages may have a newer version in a security archive, by apt's lists as they lie there. "
        "Lists older than `lists_at_most` (7d) are an error.",
        0,
        {"at_most": 0, "lists_at_most": "2d"},
    )
    packages: Packages = optional(
        "The version of each Debian package: exactly that one, or with `>=` at least. May be templates.",
        {"intranet": "{{ intranet_version }}", "openssl": ">= 3.0.15"},
        default={},
    )
    package_manager_free: Switch = switch("Whether a held lock of dpkg or apt is bad.", default=False)
    time_in_sync: Switch = switch(
        "Whether a clock that chrony, or else systemd, says is not in sync is bad.", default=False
    )
    time_offset: Offset = optional("By how much the clock may be off, as the same say.", "100ms")
    ports: Ports = optional(
        "TCP ports on which something must listen, on any address.", [22, 8080], default=()
    )
    processes: Processes = optional(
        "Programs that must run, and how many processes of them at least.",
        ["nginx"],
        {"nginx": 3},
        default={},
    )
    logs: tuple[LogWatch, ...] = optional(
        "What must not stand in the journal too often.",
        [{"unit": "intranet", "pattern": "ERROR", "at_most": 0}],
        default=(),
    )
    fresh: Ages = optional(
        "Files, such as backups, that must not be older; of a folder its newest counts, but no empty one.",
        {"/var/backups/intranet": "25h"},
        default={},
    )

    @classmethod
    def check_written(cls, written: Mapping[str, Any]) -> Iterator[Problem]:
        """Yield a problem when no condition is written."""
        if written.keys() <= {*CONDITIONS, "timeout"} and not _has_condition(written):
            yield Problem("a host probe needs at least one condition", hint=f"one of {', '.join(CONDITIONS)}")


CONDITIONS = tuple(name for name in Host.model_fields if name != "timeout")


def _has_condition(host: Mapping[str, Any]) -> bool:
    return any(host.get(key, False) is not False for key in CONDITIONS)
