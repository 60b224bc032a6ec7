"""What restore and rollback promise."""

testinfra_hosts = ["balancer"]


def test_the_package_is_at_its_recorded_version(host, recorded):
    assert host.package("haproxy").version == recorded


def test_the_configuration_is_as_recorded(host):
    text = host.file("/etc/haproxy/haproxy.cfg").content_string
    assert "# spoiled" not in text
    assert "nobody" in text


def test_requests_are_answered(own, answer):
    assert own["up"] is True
    assert answer.stdout.strip() == "200", answer.stderr
