"""rollouts/probes-network.yml as a person runs it, over real servers; and secrets that never show."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.zone
import pytest
import yaml
from aiohttp import web

from tests.unit.name_server import NameServer
from tests.unit.probe_tools import raw_server, stays_silent
from tests.unit.scratch import LOCAL, Scratch, indent
from tests.unit.test_probe_tls import handshaking
from tests.unit.web_servers import Authority, echo, serving

ROOT = Path(__file__).parents[2]
EXAMPLE = "rollouts/probes-network.yml"
TOKEN = "t0ken-of-the-monitoring"
ZONE = dns.zone.from_text(
    "@ 60 IN SOA a b 1 2 3 4 5\n@ 60 IN NS a\nwww 60 IN A 192.0.2.80", "example.org.", relativize=False
)


async def healthz(request: web.Request) -> web.Response:
    return web.Response(
        body=b'{"version": "1.1", "state": "ok"}', headers={"Content-Type": "application/json"}
    )


async def search(request: web.Request) -> web.Response:
    known = request.headers.get("Authorization") == f"Bearer {TOKEN}"
    asked = await request.json() == {"words": ["holidays"]}
    return web.Response(status=200 if known and asked else 403)


async def prometheus(request: web.Request) -> web.Response:
    query = (await request.post())["query"]
    result = [] if query.startswith("ALERTS") else [{"metric": {}, "value": [1, "0.002"]}]
    return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


async def changes(request: web.Request) -> web.Response:
    asked = await request.json()
    return web.Response(status=200 if asked["metadata"] == {"change": "CHG-1234"} else 403)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Everything that the example asks, and the variables under which it finds it."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    routes = {"/healthz": healthz, "/search": search, "/api/v1/query": prometheus, "/changes": changes}
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(serving(routes))
        front, _ = stack.enter_context(handshaking(authority.server("www.example.org")))
        names = stack.enter_context(contextlib.closing(NameServer(ZONE)))
        yield {
            "service_url": f"http://127.0.0.1:{port}",
            "front_host": "127.0.0.1",
            "front_port": front,
            "name_server": "127.0.0.1",
            "name_server_port": names.port,
            "prometheus_url": f"http://127.0.0.1:{port}",
            "changes_url": f"http://127.0.0.1:{port}/changes",
            "own_ca": authority.ca_file,
        }


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """A project whose vaulted variable is the token."""
    made = Scratch(tmp_path)
    made.write("ansible.cfg", "[defaults]\ninventory = inventories/lab\nvault_password_file = password\n")
    made.write("password", "pass", 0o600)
    token = indent(made.vault(TOKEN, "password"), 4)
    hosts = "intranet: {children: {pilot: {hosts: {web1: {}}}, rest: {hosts: {web2: {}}}}}"
    made.write(
        "inventories/lab/hosts.yml",
        f"all:\n  vars: {{{LOCAL}, ansible_host: 127.0.0.1}}\n  children: {{{hosts}}}\n",
    )
    made.write("inventories/lab/group_vars/all.yml", f"monitoring_token: !vault |\n{token}")
    made.write("playbooks/precheck.yml", "- {hosts: all, gather_facts: false, tasks: []}\n")
    return made


def test_the_example_is_valid_as_it_is(project: Scratch) -> None:
    shutil.copytree(ROOT / "rollouts", project.folder / "rollouts")
    assert f"{EXAMPLE}: ok" in project.wavegate("validate", EXAMPLE).stdout


def test_the_example_measures_everything_it_says(project: Scratch, services: dict[str, Any]) -> None:
    data = yaml.safe_load((ROOT / EXAMPLE).read_text(encoding="utf-8"))
    data["vars"] |= services
    with raw_server(stays_silent) as ssh:
        data["probes"]["port-accepts"]["tcp"]["port"] = ssh
        project.write(EXAMPLE, yaml.safe_dump(data, sort_keys=False))
        told = project.wavegate("probe", EXAMPLE, "--json").stdout
    probes = {probe["probe"]: probe["measurements"] for probe in json.loads(told)["probes"]}
    assert list(probes) == list(data["probes"])
    assert {one["reading"] for measurements in probes.values() for one in measurements} == {"good"}, told
    assert [one["target"] for one in probes["answers"]] == ["web1", "web2"]
    assert [one["target"] for one in probes["certificate-holds"]] == [""]


SPIES = """\
name: spies
playbook: playbooks/precheck.yml
vars: {known: yes-this-is-shown}
probes:
  bearer: {http: {url: "URL", auth: {token: "{{ monitoring_token }}"}, json: {headers.authorization: x}}}
  basic:
    http: {url: "URL", auth: {user: me, password: "{{ plain_word }}"}, json: {headers.authorization: x}}
  shown: {http: {url: "URL", headers: {X-A: "{{ known }}"}, json: {headers.x-a: x}}}
  odd: {http: {url: "{{ odd_url }}"}}
  hook: {webhook: {url: "URL/no", auth: {token: "{{ plain_word }}"}}}
gates: {watched: {probes: [bearer, basic, shown, odd, hook]}}
waves: [{name: everybody, hosts: web1, before: watched}]
leave_out: web2
"""


def test_what_auth_is_given_is_shown_nowhere(project: Scratch) -> None:
    """The services tell it to everybody; one password is not even vaulted."""
    word = "plain-word-of-nobody"

    async def no(request: web.Request) -> web.Response:
        return web.Response(status=403, text=f"who is {request.headers['Authorization']}?")

    made = project.folder / "inventories/lab/group_vars/all.yml"
    more = f"plain_word: {word}\nodd_url: file:///etc/passwd\n"
    made.write_text(made.read_text(encoding="utf-8") + more, encoding="utf-8")
    with serving({"/": echo, "/no": no}) as port:
        project.write(
            EXAMPLE,
            SPIES.replace("URL/no", f"http://127.0.0.1:{port}/no").replace(
                '"URL"', f'"http://127.0.0.1:{port}/"'
            ),
        )
        probed = project.wavegate("probe", EXAMPLE, "--json", code=30)
        ran = project.wavegate("run", EXAMPLE, code=20)
        report = project.wavegate("report", "--json")
    said = probed.stdout + probed.stderr + ran.stdout + ran.stderr + report.stdout
    assert "yes-this-is-shown" in probed.stdout
    assert "Bearer ********" in probed.stdout
    assert 'the url\'s scheme is \\"file\\", wanted http or https' in probed.stdout
    secrets = [TOKEN, word, base64.b64encode(f"me:{word}".encode()).decode()]
    assert [secret for secret in secrets if secret in said] == []
    kept = [path for path in (project.folder / ".wavegate").rglob("*") if path.is_file()]
    assert any(path.name == "journal.db" for path in kept)
    known = {path.resolve() for path in kept if path.name == "inventory.json" or "material" in path.parts}
    for path in kept:
        text = path.read_bytes().decode(errors="replace")
        found = [secret for secret in secrets if secret in text]
        # The variable that is not vaulted stands in the inventory, and so in the frozen copies of it.
        assert found == [] or (path.resolve() in known and found == [word]), path
