"""What install promises."""

import json

import pytest

FILES = [
    "/etc/default/prometheus-node-exporter",
    "/etc/wavegate-certificates.json",
    "/usr/local/lib/wavegate/certificates.py",
    "/etc/systemd/system/wavegate-certificates.timer",
]


@pytest.mark.parametrize("name", ["prometheus-node-exporter", "wavegate-certificates.timer"])
def test_the_services_run_now_and_after_a_reboot(host, name):
    service = host.service(name)
    assert service.is_running
    assert service.is_enabled


def test_prometheus_runs_on_the_one_host_only(host, is_server, versions):
    assert (versions["prometheus"] is not None) == is_server
    assert host.service("prometheus").is_running == is_server
    assert host.service("prometheus").is_enabled == is_server


def test_the_package_manager_has_nothing_left_to_do(host):
    assert host.check_output("dpkg --audit") == ""


def test_the_exporter_tells_units_and_certificates(fetch):
    text = fetch(9100, "/metrics")
    assert 'node_systemd_unit_state{name="ssh.service",state="active",type="' in text
    assert 'wavegate_certificate_end_seconds{path="/etc/ssl/it\'s \\"soon\\".pem"}' in text
    assert 'wavegate_certificate_readable{path="/etc/ssl/missing.pem"} 0' in text


def test_prometheus_asks_the_hosts_that_it_was_told(fetch, is_server):
    if is_server:
        found = json.loads(fetch(9090, "/api/v1/targets?state=active"))["data"]["activeTargets"]
        assert {one["labels"]["instance"] for one in found} == {"monitoring-12", "monitoring-13", "nobody"}


def test_prometheus_has_read_the_rules_that_are_on_the_disk(fetch, is_server):
    if is_server:
        rules = json.loads(fetch(9090, "/api/v1/rules"))["data"]["groups"][0]["rules"]
        queries = {rule["name"]: rule["query"] for rule in rules}
        assert "< 10" in queries["DiskAlmostFull"]
        assert len(queries) == 7


@pytest.mark.parametrize("path", FILES)
def test_what_the_role_writes_belongs_to_root(host, path):
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o644")


def test_install_records_nothing(host):
    assert not host.file("/var/backups/wavegate").exists


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/default", "/etc/systemd/system", "/usr/local/lib", "/var", "/var/lib"]
)
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
