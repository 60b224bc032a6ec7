"""What undrain promises."""

testinfra_hosts = ["balancer"]


def test_the_host_is_back(own, answer):
    assert own == {"drained": False, "maintenance": False, "up": True}
    assert answer.stdout.strip() == "200", answer.stderr
