"""What backup and patch promise."""

import json

RECORD = "/var/backups/wavegate/molecule/nginx"


def test_all_packages_moved(versions):
    assert versions["nginx"] == versions["nginx-common"]
    assert versions["nginx"].endswith("+wavegate1")


def test_the_new_program_runs(host):
    assert host.service("nginx").is_running
    program = host.check_output("readlink /proc/$(cat /run/nginx.pid)/exe")
    assert program == "/usr/sbin/nginx"


def test_the_sites_are_served(visit):
    assert visit("/healthz")[0] == 200


def test_the_record_is_complete_and_for_root_alone(host):
    folder = host.file(RECORD)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")
    record = json.loads(host.file(f"{RECORD}/manifest.json").content_string)
    assert not record["packages"]["nginx"].endswith("+wavegate1")
