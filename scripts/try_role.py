"""Play a role on hosts that are kept from one try to the next, and run the tests of what install promises.

Usage: try_role.py ROLE [--down]; with --down the hosts are removed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def main() -> int:
    """Return the exit code of what failed, 0 when nothing did."""
    role, down = sys.argv[1], sys.argv[2:] == ["--down"]
    if not (ROOT / "molecule" / role / "molecule.yml").is_file():
        known = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
        print(f"there is no scenario {role!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    started = time.monotonic()
    folder = ROOT / ".cache" / "molecule" / role
    environment = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "MOLECULE_EPHEMERAL_DIRECTORY": str(folder),
        "MOLECULE_INVENTORY_FILE": str(folder / "inventory" / "ansible_inventory.yml"),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
    }
    verb = "destroy" if down else "converge"
    molecule = ["molecule", "-c", ".config/molecule/config.yml", verb, "-s", role]
    code = subprocess.run(
        [BIN / molecule[0], *molecule[1:]], cwd=ROOT, env=environment, check=False
    ).returncode
    if code or down:
        return code
    tests = ROOT / "molecule" / role / "tests" / "installed"
    inventory = f"--ansible-inventory={environment['MOLECULE_INVENTORY_FILE']}"
    pytest = ["pytest", "-q", "-p", "no:cacheprovider", inventory, "--connection=ansible", "--sudo", tests]
    code = subprocess.run([BIN / pytest[0], *pytest[1:]], cwd=tests, env=environment, check=False).returncode
    print(f"{role}: {'well' if code == 0 else 'not well'} after {time.monotonic() - started:.0f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
