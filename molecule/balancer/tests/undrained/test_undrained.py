"""What undrain promises."""

testinfra_hosts = ["balancer"]


def test_the_host_is_back(servers, answer):
    assert servers["web-1"] == {"drained": False, "maintenance": False, "up": True}
    assert answer.stdout.strip() == "200", answer.stderr
