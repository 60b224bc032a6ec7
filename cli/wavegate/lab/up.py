"""Bringing a lab up, from nothing or from any half-built state, and taking it down without a trace."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from msgspec.structs import replace

from wavegate.lab import faults, layout, machines, packages, reach
from wavegate.lab.engine import Engine, detect_engine
from wavegate.lab.image import choose_suite, ensure_image, remove_images
from wavegate.lab.inventory import remove_inventory, write_inventory
from wavegate.lab.material import read_material
from wavegate.lab.network import ensure_network, remove_network
from wavegate.lab.requirements import ensure_engine
from wavegate.lab.state import HostRecord, Lab, LabFolder, new_lab

Say = Callable[[str], None]
_AT_ONCE = 8
_READY_SECONDS = 90.0


def bring_up(  # noqa: PLR0913 - what a person may ask for
    project: Path,
    say: Say,
    *,
    hosts: int | None = None,
    suite: str | None = None,
    balancer: bool | None = None,
    install_engine: bool = False,
) -> Lab:
    """Return the project's lab with every host answering over ssh, and the inventory written.

    `hosts`, `suite` and `balancer` (a machine in front of the hosts) default to what the lab has, else to 9,
    the machine's default and none. What is there and fits stays, what is missing, stopped or of another
    recipe is made again, faults are healed.
    """
    folder = LabFolder(project)
    with folder.locked(say):
        known = folder.load()
        wanted = layout.lay_out(
            _count(known) if hosts is None else hosts,
            balancer=bool(known and known.balancer) if balancer is None else balancer,
        )
        chosen = choose_suite(suite or (known.suite if known else None))
        engine = ensure_engine(install=install_engine, say=say, made_with=known.engine if known else "")
        # Written down before anything is made: whatever is made can then be found again.
        lab = replace(known or new_lab(chosen), suite=chosen, engine=engine.program)
        folder.save(lab)
        engine, image = ensure_image(engine, chosen, say)
        lab = _assign(replace(lab, image=image, subnet=ensure_network(engine, lab)), wanted)
        folder.save(lab)
        lab = _start(engine, lab, folder, say)
        folder.save(lab)
        path = write_inventory(lab, folder)
        say(f"{len(lab.hosts)} hosts answer over ssh; inventory: {path}")
        return lab


def take_down(project: Path, say: Say, *, images: bool = False) -> bool:
    """Remove everything that this project's lab made; return whether there was a lab.

    Images stay for the next lab unless `images`; labs of other projects are not touched.
    """
    folder = LabFolder(project)
    with folder.locked(say):
        lab = folder.load()
        if lab is not None:
            engine = detect_engine(lab.engine)
            removed = machines.remove_containers(engine, engine.containers(lab.id))
            remove_network(engine, lab)
            say(f"removed {removed} containers and their network")
        remove_inventory(folder)
        shutil.rmtree(folder.path, ignore_errors=True)
        if images:
            remove_images(detect_engine(lab.engine if lab else ""))
        return lab is not None


def _count(known: Lab | None) -> int:
    return len(known.hosts) - bool(known.balancer) if known and known.hosts else layout.DEFAULT_HOSTS


def _assign(lab: Lab, wanted: Sequence[layout.LabHost]) -> Lab:
    """Return the lab with these hosts; those that it had keep their address and their faults."""
    had = {host.name: host for host in lab.hosts}
    known = {name: host.address for name, host in had.items()} | {layout.PACKAGE_HOST: lab.package_host}
    names = (layout.PACKAGE_HOST, *(host.name for host in wanted))
    addresses = layout.assign_addresses(names, known, lab.subnet)
    hosts = [
        HostRecord(
            each.name,
            each.group,
            each.cluster,
            addresses[each.name],
            had[each.name].faults if each.name in had else (),
        )
        for each in wanted
    ]
    return replace(lab, package_host=addresses[layout.PACKAGE_HOST], hosts=tuple(hosts))


def _start(engine: Engine, lab: Lab, folder: LabFolder, say: Say) -> Lab:
    key = reach.ensure_key(folder)
    wanted = machines.list_machines(lab)
    machines.make_room(len(wanted), say)
    missing = machines.clear_unfit(engine, lab, wanted, say)
    if missing:
        say(f"starting {', '.join(machine.host for machine in missing)}")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        repository = pool.submit(_build_repository, engine, lab, folder)
        list(pool.map(lambda machine: machines.create_machine(engine, lab, machine), missing))
        lab = _heal(engine, lab, say)
        keys = list(pool.map(lambda machine: machines.welcome_machine(engine, machine, key), wanted))
        repository.result()
    _serve(engine, lab, folder)
    reach.write_known_hosts(folder, dict(zip((machine.address for machine in wanted), keys, strict=True)))
    reach.wait_until_reachable(lab.hosts, lambda address: reach.answers(folder, address), _READY_SECONDS)
    return lab


def _heal(engine: Engine, lab: Lab, say: Say) -> Lab:
    for host in lab.hosts:
        if host.faults:
            say(f"healing {host.name}: {', '.join(host.faults)}")
            faults.undo(engine, lab.container(host.name), host.faults)
            lab = lab.with_faults(host.name, ())
    return lab


def _build_repository(engine: Engine, lab: Lab, folder: LabFolder) -> None:
    packages.build_repository(
        folder.repository, lambda argv, stdin: engine.run_once(lab.image, *argv, stdin=stdin)
    )


def _serve(engine: Engine, lab: Lab, folder: LabFolder) -> None:
    container = lab.container(layout.PACKAGE_HOST)
    archive = packages.pack_repository(folder.repository)
    engine.execute(container, "sh", "-ec", read_material("serve.sh"), stdin=archive)
