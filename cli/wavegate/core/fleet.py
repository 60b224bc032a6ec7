"""What Ansible's own inventory code answered: hosts, groups, patterns. Data only."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct, field


class Fleet(Struct, frozen=True):
    """One reading of an inventory.

    `hosts` is every host in inventory order; `groups` maps each group to its hosts;
    `patterns` maps each pattern that was asked for to the hosts Ansible resolved it to, without those that it
    made no sense of;
    `values` maps a host variable that was asked for to each host's value as text.
    """

    hosts: tuple[str, ...]
    groups: Mapping[str, tuple[str, ...]]
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
