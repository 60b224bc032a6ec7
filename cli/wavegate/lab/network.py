"""The network of a lab: its own, with a subnet that the engine chose, and removed with the lab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wavegate.errors import WavegateError
from wavegate.lab.engine import LAB_LABEL, Engine, EngineError
from wavegate.lab.state import Lab


def ensure_network(engine: Engine, lab: Lab) -> str:
    """Return the IPv4 subnet of the lab's network, which is created when it is not there.

    WavegateError `lab-network-taken` when its name belongs to another, or the engine has none to give.
    """
    found = _inspect(engine, lab.network)
    if found is None:
        return _create(engine, lab)
    if not _is_own(found, lab):
        raise WavegateError(
            "lab-network-taken",
            f"a network named {lab.network} exists, and it is not this lab's",
            hint=f"Remove it ({engine.name} network rm {lab.network}), or start anew: wavegate lab down",
        )
    return _subnet(found)


def remove_network(engine: Engine, lab: Lab) -> None:
    """Remove the lab's network, if it is there and the lab's own."""
    found = _inspect(engine, lab.network)
    if found is not None and _is_own(found, lab):
        engine.run("network", "rm", lab.network)


def _create(engine: Engine, lab: Lab) -> str:
    subnet = _create_with(engine, lab, ())
    if engine.name == "docker":
        # docker gives fixed addresses only where the subnet was named: name the one that it chose.
        engine.run("network", "rm", lab.network)
        _create_with(engine, lab, ("--subnet", subnet))
    return subnet


def _create_with(engine: Engine, lab: Lab, options: Sequence[str]) -> str:
    try:
        engine.run("network", "create", "--label", f"{LAB_LABEL}={lab.id}", *options, lab.network)
        return _subnet(json.loads(engine.run("network", "inspect", lab.network))[0])
    except EngineError as error:
        raise WavegateError(
            "lab-network-taken",
            "the engine has no free network for the lab",
            why=error.why,
            hint=f"`{engine.name} network ls` shows what is taken; remove networks that nothing uses.",
        ) from error


def _inspect(engine: Engine, network: str) -> dict[str, Any] | None:
    if not engine.try_run("network", "inspect", network):
        return None
    found: dict[str, Any] = json.loads(engine.run("network", "inspect", network))[0]
    return found


def _is_own(found: dict[str, Any], lab: Lab) -> bool:
    labels = found.get("labels") or found.get("Labels") or {}
    return bool(labels.get(LAB_LABEL) == lab.id)


def _subnet(found: dict[str, Any]) -> str:
    """Return the IPv4 subnet; podman and docker name it differently."""
    ranges = found.get("subnets") or found.get("IPAM", {}).get("Config") or []
    subnets = [str(each.get("subnet") or each.get("Subnet")) for each in ranges]
    return next(subnet for subnet in subnets if ":" not in subnet)
