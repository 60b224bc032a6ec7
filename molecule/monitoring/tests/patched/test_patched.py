"""What backup and patch promise."""

import json

RECORD = "/var/backups/wavegate/molecule/monitoring"


def test_the_exporter_moved_and_runs(host, versions):
    assert versions["prometheus-node-exporter"].endswith("+wavegate1")
    started = host.check_output(
        "systemctl show -P ActiveEnterTimestamp --timestamp=unix prometheus-node-exporter"
    )
    unpacked = host.check_output("stat -c %Z /usr/bin/prometheus-node-exporter")
    assert int(started.lstrip("@")) >= int(unpacked)


def test_the_record_is_complete_and_for_root_alone(host):
    folder = host.file(RECORD)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")
    record = json.loads(host.file(f"{RECORD}/manifest.json").content_string)
    assert not record["packages"]["prometheus-node-exporter"].endswith("+wavegate1")
