"""What check mode promises."""

testinfra_hosts = ["balancer"]


def test_check_mode_changed_nothing(host):
    assert not host.package("haproxy").is_installed
    assert not host.file("/etc/haproxy").exists
    assert not host.file("/var/backups/wavegate").exists
