"""What rollback promises where there was nothing: package and access are gone, the snapshots are not."""

import pytest


def test_what_was_not_there_is_gone(host, version):
    assert version is None
    assert not host.file("/etc/wavegate-backup").exists


@pytest.mark.parametrize("path", ['/srv/the "repository"/config', "/home/deploy/repository/config"])
def test_the_repositories_are_there(host, path):
    if host.backend.hostname == "backup-12":
        assert host.file(path).exists
