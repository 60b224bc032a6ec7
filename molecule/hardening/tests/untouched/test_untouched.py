"""Check mode changes nothing; and a rollback to before the role makes the host like this again."""

import pytest

WRITTEN = [
    "/etc/hardening",
    "/etc/systemd/system/hardening-firewall.service",
    "/etc/ssh/sshd_config.d/05-hardening.conf",
    "/etc/sysctl.d/90-hardening.conf",
]


@pytest.mark.parametrize("path", WRITTEN)
def test_nothing_of_the_role_is_there(host, path):
    assert not host.file(path).exists


def test_the_package_is_not_there(nftables):
    assert nftables is None


def test_modes_are_as_they_were(host):
    assert oct(host.file("/etc/gshadow").mode) == "0o644"
    assert oct(host.file("/etc/ssh/sshd_config").mode) == "0o644"


def test_sshd_does_what_it_did(sshd):
    assert sshd["x11forwarding"] == "yes"
    assert sshd["maxauthtries"] == "6"


def test_everybody_gets_in_everywhere(answers):
    assert answers(8000)
    assert answers(9000)


def test_no_unit_is_left(host):
    assert host.run("systemctl is-active hardening-firewall.service").stdout.strip() == "inactive"
