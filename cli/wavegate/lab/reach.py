"""Logging in to the lab's hosts as Ansible will: the key, the host keys, and waiting until all answer."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from wavegate.errors import WavegateError
from wavegate.lab.inventory import LOGIN, ssh_options, ssh_path
from wavegate.lab.state import HostRecord, LabFolder, write_whole

_AT_ONCE = 8
_PAUSE_SECONDS = 0.2


def ensure_key(folder: LabFolder) -> str:
    """Return the public half of the lab's ssh key, made at the first call."""
    public = folder.key.with_suffix(".pub")
    if not (folder.key.exists() and public.exists()):
        folder.key.unlink(missing_ok=True)
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "wavegate-lab", "-f", str(folder.key)]
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return public.read_text().strip()


def write_known_hosts(folder: LabFolder, keys: Mapping[str, str]) -> None:
    """Write down which host key each address has, as the hosts said from inside, not over the network."""
    lines = [f"{address} {' '.join(key.split()[:2])}" for address, key in sorted(keys.items())]
    write_whole(folder.known_hosts, "\n".join(lines) + "\n", mode=0o600)


def answers(folder: LabFolder, address: str) -> str:
    """Return nothing when the host runs a command over ssh, else what ssh said."""
    options = (
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=3",
        "-o",
        f'IdentityFile="{ssh_path(folder.key)}"',
        *ssh_options(folder.known_hosts),
    )
    command = ["ssh", "-n", "-F", "none", *options, f"{LOGIN}@{address}", "true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    except subprocess.TimeoutExpired:
        return "it accepts the connection and then says nothing"
    return "" if done.returncode == 0 else (done.stderr.strip() or f"ssh ended with {done.returncode}")


def wait_until_reachable(
    hosts: Iterable[HostRecord],
    ask: Callable[[str], str],
    seconds: float,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return when every host answered `ask` with nothing to complain about.

    WavegateError `lab-not-ready` names the hosts that did not within `seconds`, and what each said last.
    """
    deadline = clock() + seconds
    waiting = list(hosts)
    while True:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            said = dict(zip(waiting, pool.map(lambda host: ask(host.address), waiting), strict=True))
        waiting = [host for host in waiting if said[host]]
        if not waiting:
            return
        if clock() >= deadline:
            raise WavegateError(
                "lab-not-ready",
                f"not ready after {seconds:.0f} s: {', '.join(host.name for host in waiting)}",
                why="; ".join(f"{host.name} ({host.address}): {said[host]}" for host in waiting),
                hint="Try `wavegate lab up` again; `wavegate lab down` and `up` starts from nothing.",
            )
        time.sleep(_PAUSE_SECONDS)
