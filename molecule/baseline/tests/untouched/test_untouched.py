"""Check mode changes nothing; and a rollback to before the role makes the host like this again."""

import pytest

WRITTEN = [
    "/etc/chrony",
    "/etc/ssh/sshd_config.d/10-baseline.conf",
    "/etc/ssh/authorized_keys.d",
    "/etc/sudoers.d/baseline",
    "/etc/systemd/journald.conf.d/10-baseline.conf",
    "/etc/apt/apt.conf.d/99baseline",
    "/home/ada",
]


@pytest.mark.parametrize("path", WRITTEN)
def test_nothing_of_the_role_is_there(host, path):
    assert not host.file(path).exists


def test_the_other_clock_is_there_and_not_ours(host, chrony):
    assert host.package("systemd-timesyncd").is_installed
    assert chrony is None


def test_the_accounts_are_those_of_before(host):
    assert not host.user("ada").exists
    assert not host.user("bob").exists
    mallory = host.user("mallory")
    assert (mallory.uid, mallory.gid, mallory.groups) == (4711, 4711, ["mallory", "adm"])
    home = host.file("/home/mallory")
    assert (home.user, home.group) == ("mallory", "mallory")


def test_upgrades_come_by_themselves(host):
    assert host.service("apt-daily-upgrade.timer").is_enabled
    assert host.service("apt-daily-upgrade.timer").is_running


def test_sshd_does_what_it_did(sshd):
    assert sshd["x11forwarding"] == "yes"
    assert sshd["authorizedkeysfile"] == ".ssh/authorized_keys .ssh/authorized_keys2"
