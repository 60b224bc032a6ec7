"""What rollback promises: as it was recorded, which is without a balancer."""

testinfra_hosts = ["balancer"]


def test_what_was_not_there_is_gone(host):
    assert not host.package("haproxy").is_installed
    assert not host.file("/etc/haproxy/haproxy.cfg").exists
