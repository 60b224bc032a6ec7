"""From the rendered settings of a `host` probe to what the core judges by, and to the module's arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wavegate.adapters.probes.settings import (
    UnusableSettingsError,
    read_number,
    read_table,
    read_texts,
    read_whole,
)
from wavegate.core.debian_versions import is_version
from wavegate.core.judgement_activity import ENTRIES_LOOKED_AT, LogWatch
from wavegate.core.judgement_host import FreeSpace, HostExpectation
from wavegate.core.judgement_software import PackageWish, UpdatesWish
from wavegate.core.judgement_time import TimeWish

_LONGEST_LOOK = 366 * 86400.0


def read_expectation(settings: Mapping[str, Any]) -> HostExpectation:
    """Return what the rendered settings want of a host; raise UnusableSettingsError."""
    return HostExpectation(
        services=read_texts(settings, "services"),
        no_failed_units=bool(settings.get("no_failed_units")),
        disk_free=_each(settings, "disk_free", _read_free),
        inodes_free=_each(settings, "inodes_free", _read_amount),
        load_per_core=read_number(settings, "load_per_core"),
        memory_free_percent=read_number(settings, "memory_free"),
        swap_used_percent=read_number(settings, "swap_used"),
        no_reboot_required=bool(settings.get("no_reboot_required")),
        security_updates=_read_updates(settings),
        packages=_each(settings, "packages", _read_package),
        package_manager_free=bool(settings.get("package_manager_free")),
        time=TimeWish(bool(settings.get("time_in_sync")), read_number(settings, "time_offset")),
        ports=tuple(_read_port(port) for port in read_texts(settings, "ports")),
        processes=_each(settings, "processes", lambda what, count: read_whole({what: count}, what, 1, 10**6)),
        logs=tuple(_read_log(log) for log in settings.get("logs") or ()),
        fresh=_each(settings, "fresh", _read_amount),
    )


def module_args(expectations: Sequence[HostExpectation], longest_ago: float | None) -> dict[str, Any]:
    """Return the arguments that let `host_state` see what any of the expectations is about.

    `longest_ago` is how many seconds ago the change began, on the host where it did first (None: nowhere).
    """
    also = {
        "security_updates": any(wanted.security_updates for wanted in expectations),
        "package_manager": any(wanted.package_manager_free for wanted in expectations),
        "time": any(wanted.time != TimeWish() for wanted in expectations),
    }
    looks: dict[tuple[str, str], float] = {}
    for watch in (watch for wanted in expectations for watch in wanted.logs):
        ago = longest_ago if watch.since is None else watch.since
        if ago is not None:
            place = (watch.unit, watch.pattern)
            looks[place] = max(looks.get(place, 0.0), ago)
    arguments: dict[str, Any] = {
        "services": sorted({name for wanted in expectations for name in wanted.services}),
        "paths": sorted(
            {path for wanted in expectations for path in (*wanted.disk_free, *wanted.inodes_free)}
        ),
        "packages": sorted({name for wanted in expectations for name in wanted.packages}),
        "ports": sorted({port for wanted in expectations for port in wanted.ports}),
        "processes": sorted({name for wanted in expectations for name in wanted.processes}),
        "fresh": sorted({path for wanted in expectations for path in wanted.fresh}),
        "logs": [
            {"unit": unit, "pattern": pattern, "seconds": ago}
            for (unit, pattern), ago in sorted(looks.items())
        ],
        "also": [name for name, is_asked in also.items() if is_asked],
    }
    # What nobody asks about is left out: the text of the playbook is built, sent and read for every host.
    return {name: value for name, value in arguments.items() if value or name in {"services", "paths"}}


def _each(settings: Mapping[str, Any], key: str, read: Callable[[str, Any], Any]) -> dict[str, Any]:
    return {name: read(f"{key} of {name}", wanted) for name, wanted in read_table(settings, key).items()}


def _read_free(what: str, wanted: Any) -> FreeSpace:
    if not isinstance(wanted, Mapping):
        raise UnusableSettingsError(f'{what} is "{wanted}", wanted percent or bytes')
    count = read_number(wanted, "bytes")
    return FreeSpace(percent=read_number(wanted, "percent"), bytes=None if count is None else int(count))


def _read_amount(what: str, wanted: Any) -> float:
    number = read_number({what: wanted}, what)
    if number is None:
        raise UnusableSettingsError(f"{what} is empty, wanted a number of at least 0")
    return number


def _read_updates(settings: Mapping[str, Any]) -> UpdatesWish | None:
    wanted = settings.get("security_updates")
    if wanted is None:
        return None
    if not isinstance(wanted, Mapping):
        raise UnusableSettingsError(f'security_updates is "{wanted}", wanted at_most and lists_at_most')
    lists = read_number(wanted, "lists_at_most")
    at_most = read_whole({"at_most": 0, **wanted}, "at_most", 0, 10**6)
    return UpdatesWish(at_most) if lists is None else UpdatesWish(at_most, lists)


def _read_package(what: str, wanted: Any) -> PackageWish:
    text = str(wanted).strip()
    version = text.removeprefix(">=").strip()
    if isinstance(wanted, bool) or not is_version(version):
        raise UnusableSettingsError(f'{what} is "{wanted}", wanted a version such as 1.2-3 or >= 1.2')
    return PackageWish(version, or_newer=text.startswith(">="))


def _read_port(port: str) -> int:
    return read_whole({"ports": port}, "ports", 1, 65535)


def _read_log(log: Any) -> LogWatch:
    if not isinstance(log, Mapping):
        raise UnusableSettingsError(f'logs holds "{log}", wanted unit and pattern')
    for name in ("unit", "pattern"):
        if not isinstance(log.get(name), str) or not log[name].strip():
            raise UnusableSettingsError(f'{name} of logs is "{log.get(name)}", wanted a text')
    since = read_number(log, "since")
    if since is not None and since > _LONGEST_LOOK:
        raise UnusableSettingsError("since of logs looks back for more than 366 days")
    at_most = read_whole({"at_most": 0, **log}, "at_most", 0, ENTRIES_LOOKED_AT - 1)
    return LogWatch(log["unit"].strip(), log["pattern"], at_most, since)
