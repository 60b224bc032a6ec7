"""How the lab is, seen from outside: what the engine says about each container; changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wavegate.lab.engine import detect_engine
from wavegate.lab.layout import PACKAGE_HOST
from wavegate.lab.state import HostRecord, Lab, LabFolder

_NO_LAB = {
    "format": 1,
    "id": None,
    "state": "down",
    "engine": None,
    "suite": None,
    "image": None,
    "inventory": None,
    "package_host": None,
}


def read_status(project: Path) -> dict[str, Any]:
    """Return the lab as data: format, id, state, engine, suite, image, inventory, package_host, hosts.

    `state` is `up` (every container runs and no host has a fault), `partial`, or `down`. Each host has name,
    address, group, cluster, faults, and its own state: `running`, `paused`, `stopped` or `missing`.
    """
    folder = LabFolder(project)
    lab = folder.load()
    if lab is None:
        return {**_NO_LAB, "hosts": []}
    engine = detect_engine(lab.engine)
    present = engine.containers(lab.id)
    hosts = [_host(host, present.get(lab.container(host.name))) for host in lab.hosts]
    packages = {
        "address": lab.package_host,
        "state": _container_state(present.get(lab.container(PACKAGE_HOST))),
    }
    return {
        "format": 1,
        "id": lab.id,
        "state": _overall(lab, [packages["state"], *(host["state"] for host in hosts)]),
        "engine": engine.name,
        "suite": lab.suite,
        "image": lab.image,
        "inventory": str(folder.inventory) if folder.inventory.exists() else None,
        "package_host": packages,
        "hosts": hosts,
    }


def render_status(status: dict[str, Any]) -> str:
    """Return the status as a short table for people."""
    if status["id"] is None:
        return "There is no lab here. Start one: wavegate lab up"
    rows = [("HOST", "GROUP", "CLUSTER", "ADDRESS", "STATE", "FAULTS")]
    for host in status["hosts"]:
        faults = ", ".join(host["faults"]) or "-"
        rows.append((host["name"], host["group"], host["cluster"], host["address"], host["state"], faults))
    package_host = status["package_host"]
    rows.append(("packages", "(package host)", "-", package_host["address"], package_host["state"], "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    head = f"Lab {status['id']} is {status['state']} ({status['engine']}, {status['suite']})"
    return "\n".join(
        [head, f"Inventory: {status['inventory'] or 'not written; wavegate lab up'}", "", *lines]
    )


def _host(host: HostRecord, found: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": host.name,
        "group": host.group,
        "cluster": host.cluster,
        "address": host.address,
        "state": _container_state(found),
        "faults": list(host.faults),
    }


def _container_state(found: dict[str, Any] | None) -> str:
    if found is None:
        return "missing"
    if found["State"].get("Paused"):
        return "paused"
    # docker counts a container that dies at every start as running
    return "running" if found["State"]["Status"] == "running" else "stopped"


def _overall(lab: Lab, states: list[str]) -> str:
    if all(state == "missing" for state in states):
        return "down"
    well = (
        lab.hosts
        and all(state == "running" for state in states)
        and not any(host.faults for host in lab.hosts)
    )
    return "up" if well else "partial"
