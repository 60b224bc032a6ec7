"""What backup and patch promise."""

import json

import pytest


@pytest.fixture
def taken(snapshots):
    """Return the one snapshot of the change."""
    (one,) = [one for one in snapshots if "rollout=molecule" in one["tags"]]
    return one


@pytest.fixture
def manifest(host, taken):
    """Return what was written down of the snapshot."""
    return json.loads(host.file(f"/var/lib/wavegate-backup/manifests/{taken['id']}.json").content_string)


def test_the_package_moved(version):
    assert version.endswith("+wavegate1")


def test_the_snapshot_says_of_which_host_and_change_it_is(host, taken):
    name = host.backend.hostname
    assert set(taken["tags"]) == {"wavegate", "rollout=molecule", f"host={name}", "tested"}
    assert taken["hostname"] == name


def test_everything_is_in_it_with_its_checksum(host, manifest):
    entries = manifest["entries"]
    assert {f"/srv/data/file {number}" for number in range(300)} <= set(entries)
    kind, mode, uid, gid, digest = entries["/srv/data/secret"]
    assert (kind, mode, uid, gid) == ("file", 0o600, 1, 2)
    assert digest == host.file("/srv/data/secret").sha256sum
    assert entries["/srv/data/it's \"odd\" [1]*/fünf 50%\n"][0] == "file"
    assert entries["/srv/data/link"][0] == "link"


def test_what_a_hook_printed_is_in_it(host, manifest):
    path = "/var/lib/wavegate-backup/dumps/accounts.txt"
    assert manifest["entries"][path][4] == host.file(path).sha256sum
    assert "root:x:0:0" in host.file(path).content_string


def test_what_is_left_out_is_left_out(manifest):
    assert [path for path in manifest["entries"] if path.startswith("/srv/data/cache")] == []


def test_nothing_of_it_is_readable_for_others(host):
    for path in ("/var/lib/wavegate-backup", "/var/lib/wavegate-backup/manifests", "/var/backups/wavegate"):
        assert oct(host.file(path).mode) == "0o700"


def test_the_first_record_of_a_change_is_kept(host):
    recorded = json.loads(host.file("/var/backups/wavegate/molecule/backup/manifest.json").content_string)
    assert not recorded["packages"]["restic"].endswith("+wavegate1")


def test_no_lock_is_left(restic):
    assert restic("list locks") == ""
