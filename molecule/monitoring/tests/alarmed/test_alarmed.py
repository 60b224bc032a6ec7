"""What the alert rules promise, tested by promtool and by what goes wrong; and that a gate can ask."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

testinfra_hosts = ["monitoring-13"]
ROOT = Path(__file__).parents[4]
RULES_TEST = Path(__file__).parents[2] / "files" / "rules_test.yml"
FOLDER = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
EXPECTED = {
    ("HostDown", "nobody"),
    ("UnitFailed", "broken.service"),
    ("CertificateExpires", '/etc/ssl/it\'s "soon".pem'),
    ("CertificateUnknown", "/etc/ssl/missing.pem"),
}


def test_promtool_finds_that_each_rule_fires_when_it_should_and_only_then(host):
    write_and_test = 'printf %s "$0" >/tmp/rules_test.yml && promtool test rules /tmp/rules_test.yml'
    host.check_output("sh -c %s %s", write_and_test, RULES_TEST.read_text())


def test_what_goes_wrong_is_alarmed(alerts):
    end = time.monotonic() + 60
    while not alerts() >= EXPECTED and time.monotonic() < end:
        time.sleep(1)
    assert alerts() >= EXPECTED


def test_what_is_well_is_not_alarmed(alerts):
    assert ("CertificateExpires", "/etc/ssl/late.pem") not in alerts()
    assert not {("HostDown", "monitoring-12"), ("HostDown", "monitoring-13")} & alerts()


def test_a_gate_can_ask(host):
    url = f"http://{host.check_output('hostname -I').split()[0]}:9090"
    probes = {
        "host-answers": {"query": 'up{instance="monitoring-12"}', "good_when": "value == 1"},
        "nothing-is-wrong": {
            "query": 'ALERTS{alertstate="firing"}',
            "bad_when": "result | length > 0",
            "empty": "good",
        },
    }
    rollout = {
        "name": "asks",
        "playbook": "playbooks/precheck.yml",
        "inventory": str((FOLDER / "inventory").relative_to(ROOT)),
        "hosts": "monitoring-12",
        "probes": {
            name: {"scope": "once", "prometheus": {"url": url, "timeout": "10s", **probe}}
            for name, probe in probes.items()
        },
        "gates": {"asks": {"probes": list(probes)}},
        "waves": [{"name": "all", "hosts": "monitoring-12", "after": "asks"}],
    }
    # Not in the folder itself, whose ansible.cfg would make it a project of its own.
    file = FOLDER.parent / "monitoring-asks.yml"
    file.write_text(json.dumps(rollout))
    command = [Path(sys.executable).parent / "wavegate", "probe", file, "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 30, done.stdout + done.stderr
    told = {
        probe["probe"]: probe["measurements"][0]["reading"] for probe in json.loads(done.stdout)["probes"]
    }
    assert told == {"host-answers": "good", "nothing-is-wrong": "bad"}
