"""What install promises."""

testinfra_hosts = ["balancer"]


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("haproxy")
    assert service.is_running
    assert service.is_enabled


def test_it_sends_requests_to_the_server_that_is_well(own, servers, answer):
    assert own == {"drained": False, "maintenance": False, "up": True}
    assert servers["nobody"]["drained"] is False
    assert answer.stdout.strip() == "200", answer.stderr


def test_the_configuration_belongs_to_root(host):
    file = host.file("/etc/haproxy/haproxy.cfg")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o644")


def test_no_package_is_left_half_installed(host):
    assert host.check_output("dpkg --audit") == ""


def test_nothing_is_recorded_that_nobody_asked_for(host):
    assert not host.file("/var/backups/wavegate").exists
