"""What rollback promises: packages, configuration and services as the backup found them."""

import json


def test_all_packages_are_back(versions, is_server):
    assert not versions["prometheus-node-exporter"].endswith("+wavegate1")
    assert (versions["prometheus"] is not None) == is_server


def test_the_services_run_now_and_after_a_reboot(host):
    service = host.service("prometheus-node-exporter")
    assert service.is_running
    assert service.is_enabled


def test_the_rules_of_the_backup_are_in_force(fetch, is_server):
    if is_server:
        rules = json.loads(fetch(9090, "/api/v1/rules"))["data"]["groups"][0]["rules"]
        assert "< 10" in {rule["name"]: rule["query"] for rule in rules}["DiskAlmostFull"]


def test_the_certificates_of_the_backup_are_watched(host, fetch):
    assert len(json.loads(host.file("/etc/wavegate-certificates.json").content_string)) == 3
    assert 'path="/etc/ssl/late.pem"' in fetch(9100, "/metrics")
