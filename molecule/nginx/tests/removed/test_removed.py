"""What rollback promises where nginx was not installed: it is gone."""

import pytest


def test_what_was_not_there_is_gone(versions):
    assert versions == {"nginx": None, "nginx-common": None}


@pytest.mark.parametrize("path", ["/etc/nginx", "/etc/systemd/system/nginx.service"])
def test_no_configuration_is_left(host, path):
    assert not host.file(path).exists


def test_nothing_listens(host):
    assert not host.socket("tcp://443").is_listening
