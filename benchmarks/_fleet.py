"""A project with a large static inventory, for benchmarks."""

from __future__ import annotations

from pathlib import Path

_SITES = 20
_PLAYBOOK = """\
- name: Site
  hosts: all
  gather_facts: false
  tasks:
    - name: Run
      ansible.builtin.command: {argv: ["true"]}
      changed_when: false
"""
_ROLLOUT = """\
name: fleet
playbook: site.yml
inventory: hosts.yml
in_flight: 50
probes:
  answers:
    tcp: {host: "{{ ansible_host }}", port: "{{ service_port }}"}
gates:
  healthy: {probes: [answers], interval: 10s, soak: 1m}
waves:
  - {name: pilot, hosts: pilot, after: healthy}
  - {name: site, each: "site_*", batch: [10, 5%], apart: rack, after: healthy}
"""


def write_fleet(folder: Path, hosts: int) -> Path:
    """Write the project: 20 sites of equal size, four variables a host, variables files beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ansible.cfg").write_text("[defaults]\ninventory = hosts.yml\n")
    (folder / "hosts.yml").write_text(inventory_text(hosts))
    (folder / "site.yml").write_text(_PLAYBOOK)
    (folder / "fleet.yml").write_text(_ROLLOUT)
    _write_variables(folder / "group_vars", {"all": "service_port: 8080\n"})
    _write_variables(folder / "group_vars", {f"site_{n:02d}": f"site_number: {n}\n" for n in range(_SITES)})
    _write_variables(
        folder / "host_vars", {name_of(n): "owner: somebody\n" for n in range(0, hosts, max(1, hosts // 20))}
    )
    return folder


def name_of(number: int) -> str:
    """Return the name of the host with this number."""
    return f"web{number:05d}.example.com"


def inventory_text(hosts: int) -> str:
    """Return the inventory as a person, or a generator, writes it: one site after the other."""
    lines = ["all:", "  vars:", "    ansible_user: deploy", "  children:"]
    for site in range(_SITES):
        lines += [f"    site_{site:02d}:", "      hosts:"]
        for number in range(site, hosts, _SITES):
            lines += [f"        {name_of(number)}:", *_variables(number)]
    lines += ["    pilot:", "      hosts:"]
    lines += [f"        {name_of(number)}:" for number in range(0, min(hosts, 200), _SITES)]
    return "\n".join(lines) + "\n"


def _variables(number: int) -> list[str]:
    address = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return [
        f"          ansible_host: {address}",
        f"          rack: rack{number // _SITES // 16:04d}",
        f"          service_tag: ST{number:07d}",
        f"          slot: {number % 42}",
    ]


def _write_variables(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
