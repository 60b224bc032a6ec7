"""The probes `prometheus`, `tls` and `dns` against Debian's Prometheus, over TLS and with a password."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import trustme

from tests.lab.conftest import Project
from tests.lab.test_rollouts import make_rollout

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]

HOST = "support-1"
# Not the series of the moments before it got this configuration: those are looked at for five more minutes.
UP = 'up{job=~"itself|nobody"}'
Measured = dict[str, tuple[str, str, float | None]]
WEB = {
    "tls_server_config": {"cert_file": "/etc/prometheus/web.pem", "key_file": "/etc/prometheus/web.key"},
    # bcrypt of "lab-password"
    "basic_auth_users": {"probe": "$2b$05$abcdefghijklmnopqrstuuL/Ej5MNdcjasz4Sr7bjTMIxZn.WGpgG"},
}
SCRAPE = {
    "global": {"scrape_interval": "1s"},
    "scrape_configs": [
        {
            "job_name": "itself",
            "scheme": "https",
            "tls_config": {"insecure_skip_verify": True},
            "basic_auth": {"username": "probe", "password": "lab-password"},
            "static_configs": [{"targets": ["localhost:9090"]}],
        },
        {"job_name": "nobody", "static_configs": [{"targets": ["localhost:9"]}]},
    ],
}


def copy(text: str, path: str) -> dict[str, Any]:
    module = {"content": text, "dest": path, "owner": "prometheus", "mode": "0600"}
    return {"name": f"Write {path}", "ansible.builtin.copy": module}


@dataclass(frozen=True)
class Monitored:
    """A project one of whose hosts runs Prometheus at `url`."""

    project: Project
    url: str
    address: str

    def measure(self, probes: dict[str, Any], code: int | None = None) -> Measured:
        """Return reading, detail and value of each probe, as `wavegate probe` tells them."""
        file = self.rollout("measured", probes)
        process = self.project.start("probe", file, "--json")
        out, err = process.communicate(timeout=60)
        assert code is None or process.returncode == code, out + err
        told = {probe["probe"]: probe["measurements"][0] for probe in json.loads(out)["probes"]}
        return {name: (one["reading"], one["detail"], one["value"]) for name, one in told.items()}

    def rollout(
        self,
        name: str,
        probes: dict[str, Any],
        task: dict[str, Any] | None = None,
        gate: dict[str, Any] | None = None,
        host: str = "pilot",
    ) -> str:
        """Return a rollout file with one task on one host and a gate with the probes after it."""
        look = {"name": "Look", "ansible.builtin.command": "true", "changed_when": False}
        return make_rollout(
            self.project,
            name,
            [task or look],
            hosts=host,
            vars={"word": "lab-password"},
            probes={key: {"scope": "once", **probe} for key, probe in probes.items()},
            gates={"looks": {"probes": list(probes), **(gate or {})}},
            waves=[{"name": "first", "hosts": host, "after": "looks"}],
        )

    def asks(self, query: str, **more: Any) -> dict[str, Any]:
        auth = {"user": "probe", "password": "{{ word }}"}
        settings = {
            "url": self.url,
            "query": query,
            "ca_file": "files/ca.pem",
            "auth": auth,
            "timeout": "10s",
        }
        return {"prometheus": {**settings, **more}}


SCOPE: dict[str, Any] = {"hosts": HOST, "waves": [{"name": "monitoring", "hosts": HOST}]}


@pytest.fixture(scope="module")
def monitored(project: Project) -> Monitored:
    """Install Prometheus on a host of the lab, with a certificate of an authority of our own."""
    address, authority = project.address(HOST), trustme.CA()
    leaf = authority.issue_cert(address, HOST)
    (project.root / "files").mkdir(exist_ok=True)
    authority.cert_pem.write_to_path(project.root / "files" / "ca.pem")
    trustme.CA().cert_pem.write_to_path(project.root / "files" / "other-ca.pem")
    package = {"name": "prometheus", "state": "present", "install_recommends": False, "update_cache": True}
    tasks = [
        {"name": "Install", "ansible.builtin.apt": package},
        copy(json.dumps(SCRAPE), "/etc/prometheus/prometheus.yml"),
        copy(json.dumps(WEB), "/etc/prometheus/web.yml"),
        copy(leaf.cert_chain_pems[0].bytes().decode(), "/etc/prometheus/web.pem"),
        copy(leaf.private_key_pem.bytes().decode(), "/etc/prometheus/web.key"),
        copy('ARGS="--web.config.file=/etc/prometheus/web.yml"\n', "/etc/default/prometheus"),
        {
            "name": "Restart",
            "ansible.builtin.systemd_service": {"name": "prometheus", "state": "restarted"},
        },
        {"name": "Wait", "ansible.builtin.wait_for": {"port": 9090}},
    ]
    project.call("run", make_rollout(project, "prometheus", tasks, **SCOPE))
    made = Monitored(project, f"https://{address}:9090", address)
    wait_until_scraped(made)
    return made


def wait_until_scraped(monitored: Monitored) -> None:
    """Let a gate wait for the first samples: that is what one is for."""
    probes = {
        "scraped": monitored.asks(
            UP, good_when="result | map(attribute='value') | sum == 1 and result | length == 2", empty="bad"
        )
    }
    gate = {"interval": "1s", "failure_limit": 30, "consecutive_error_limit": 30}
    monitored.project.call("run", monitored.rollout("scraped", probes, gate=gate))


def test_what_prometheus_knows_is_measured(monitored: Monitored) -> None:
    found = monitored.measure(
        {
            "good": monitored.asks('up{job="itself"}', good_when="value == 1"),
            "bad": monitored.asks('up{job="nobody"}', bad_when="value == 0"),
            "vector": monitored.asks(UP, bad_when="result | map(attribute='value') | sum > 1"),
            "label": monitored.asks(f"{UP} == 0", good_when="result[0].metric.job == 'nobody'"),
            "scalar": monitored.asks("scalar(vector(7))", good_when="value == 7"),
            "between": monitored.asks("vector(0.5)", good_when="value < 0.1", bad_when="value > 0.9"),
            "no data": monitored.asks("no_such_metric", good_when="value > 0"),
            "no alert": monitored.asks("ALERTS", bad_when="result | length > 0", empty="good"),
            "nan": monitored.asks("vector(0) / vector(0)", bad_when="value > 0"),
            "infinite": monitored.asks("vector(1) / vector(0)", bad_when="value > 9"),
            "range": monitored.asks(f"{UP}[5s]", good_when="value == 1"),
            "text": monitored.asks('"up"', good_when="value == 1"),
            "mistake": monitored.asks("sum(up", good_when="value == 1"),
            "too many": monitored.asks(UP, good_when="value == 1"),
        },
        code=30,
    )
    assert {name: reading for name, (reading, _, _) in found.items()} == {
        "good": "good",
        "bad": "bad",
        "vector": "good",
        "label": "good",
        "scalar": "good",
        "between": "inconclusive",
        "no data": "error",
        "no alert": "good",
        "nan": "error",
        "infinite": "bad",
        "range": "error",
        "text": "error",
        "mistake": "error",
        "too many": "error",
    }, found
    assert found["scalar"][2] == 7
    assert found["mistake"][1].startswith("Prometheus refuses the query: bad_data: ")
    assert "the query gives a matrix, wanted a vector or a scalar" in found["range"][1]


def test_who_may_not_ask_and_whom_not_to_trust_are_errors(monitored: Monitored) -> None:
    found = monitored.measure(
        {
            "nobody": monitored.asks(UP, good_when="value == 1", auth={"token": "{{ word }}"}),
            "stranger": monitored.asks(UP, good_when="value == 1", ca_file="files/other-ca.pem"),
            "plain": monitored.asks(UP, good_when="value == 1", url=monitored.url.replace("https", "http")),
        },
        code=20,
    )
    assert {reading for reading, _, _ in found.values()} == {"error"}
    assert "answered 401" in found["nobody"][1]
    assert "a certificate that does not hold" in found["stranger"][1]
    assert "answered 400" in found["plain"][1]


def test_its_certificate_and_the_networks_name_server_are_measured(monitored: Monitored) -> None:
    tls = {"host": monitored.address, "port": 9090, "ca_file": "files/ca.pem"}
    gateway = monitored.address.rpartition(".")[0] + ".1"
    asks = {"server": gateway, "timeout": "3s", "name": f"{container(monitored)}.dns.podman"}
    found = monitored.measure(
        {
            "holds": {"tls": {**tls, "valid_for": "14d"}},
            "by name": {"tls": {**tls, "server_name": HOST}},
            "other name": {"tls": {**tls, "server_name": "www.example.org"}},
            "stranger": {"tls": {**tls, "ca_file": "files/other-ca.pem"}},
            "no tls": {"tls": {**tls, "port": 22}},
            "known": {"dns": {**asks, "answers": [monitored.address]}},
            "other": {"dns": {**asks, "answers": ["192.0.2.1"]}},
            "nobody": {"dns": {**asks, "name": "nobody.dns.podman"}},
        },
        code=30,
    )
    readings = {name: reading for name, (reading, _, _) in found.items()}
    assert readings == {
        "holds": "good",
        "by name": "good",
        "other name": "bad",
        "stranger": "bad",
        "no tls": "bad",
        "known": "good",
        "other": "bad",
        "nobody": "bad",
    }, found


def container(monitored: Monitored) -> str:
    """Return the name under which the network's own name server knows the host."""
    return f"wavegate-{monitored.project.read('lab', 'status')['id']}-{HOST}"


def test_a_gate_holds_when_the_change_takes_prometheus_away(monitored: Monitored) -> None:
    """Not a failure: whoever took the monitoring away has not shown that the change is bad."""
    probes = {"itself": monitored.asks('up{job="itself"}', good_when="value == 1")}
    stop = {"name": "prometheus", "state": "stopped"}
    task = {"name": "Stop the monitoring", "ansible.builtin.systemd_service": stop}
    gate = {"interval": "1s", "consecutive_error_limit": 1}
    file = monitored.rollout("watched", probes, task, gate, host=HOST)
    talk = monitored.project.call("run", file, code=20)
    assert "gate looks after wave first: INCONCLUSIVE" in talk
    assert "refuses the connection" in talk
    report = monitored.project.read("report")
    assert report["rollout"]["status"] == "held"
    assert "lab-password" not in talk + json.dumps(report)
