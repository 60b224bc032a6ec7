"""What to install for a lab, as the command that this machine's owner can run."""

from __future__ import annotations

import os
import shutil

# runc and netavark are named because a minimal install otherwise takes crun, which refuses hybrid cgroups,
# and no network at all.
APT_PACKAGES = (
    "podman", "runc", "netavark", "aardvark-dns", "nftables", "iptables", "catatonit", "uidmap",
    "mmdebstrap", "gpg", "apt-utils", "openssh-client", "ca-certificates",
)  # fmt: skip


def install_command() -> str:
    """Return the command that installs what the lab needs on this machine."""
    if shutil.which("apt-get"):
        sudo = "" if os.geteuid() == 0 else "sudo "
        packages = " ".join(APT_PACKAGES)
        return f"{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {packages}"
    if shutil.which("dnf"):
        return "sudo dnf install podman openssh-clients"
    return "install podman or docker, and the OpenSSH client, with your system's package manager"
