"""What drain promises, also after a restart and after an undrain of somebody who did not drain."""

testinfra_hosts = ["balancer"]


def test_the_host_is_out_and_no_request_comes_to_it(servers, answer):
    assert servers["web-1"]["drained"] is True
    assert answer.rc != 0
    assert "503" in answer.stderr


def test_the_others_are_as_they_were(servers):
    assert servers["web-2"]["drained"] is False
