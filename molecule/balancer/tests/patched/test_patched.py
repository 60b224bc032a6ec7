"""What backup, patch and drain promise, also after a restart and an undrain of somebody who did not drain."""

from pathlib import PurePath

import pytest

testinfra_hosts = ["balancer"]
RECORD = PurePath("/var/backups/wavegate/molecule/balancer")


def test_the_package_moved(host, recorded):
    assert host.package("haproxy").version == f"{recorded}+wavegate1"


@pytest.mark.parametrize("folder", [RECORD, *list(RECORD.parents)[:2]], ids=str)
def test_the_record_is_for_root_only(host, folder):
    found = host.file(str(folder))
    assert (found.user, oct(found.mode)) == ("root", "0o700")


def test_the_host_is_out_and_no_request_comes_to_it(own, answer):
    assert own["drained"] is True
    assert answer.rc != 0
    assert "503" in answer.stderr


def test_the_others_are_as_they_were(servers):
    assert servers["nobody"]["drained"] is False
