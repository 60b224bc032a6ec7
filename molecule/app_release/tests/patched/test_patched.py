"""What backup, prefetch and patch promise."""

import json

RECORD = "/var/backups/wavegate/molecule/app_release-hello"


def test_the_new_release_is_current(host):
    assert host.file("/opt/hello/current").linked_to == "/opt/hello/releases/1.1"


def test_it_is_well_with_its_new_environment(answer):
    assert (answer["version"], answer["greeting"]) == ("1.1", "new")


def test_the_last_releases_are_kept_and_no_others(releases):
    assert releases == ["1.0", "1.1"]


def test_the_first_record_of_the_change_is_kept(host):
    record = json.loads(host.file(f"{RECORD}/manifest.json").content_string)
    assert record["facts"]["current"] == "1.0"


def test_the_record_is_for_root_only(host):
    folder = host.file(RECORD)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")
