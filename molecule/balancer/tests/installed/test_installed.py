"""What install promises."""

testinfra_hosts = ["balancer"]


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("haproxy")
    assert service.is_running
    assert service.is_enabled


def test_it_sends_requests_to_the_server_that_is_well(servers, answer):
    assert servers["web-1"] == {"drained": False, "maintenance": False, "up": True}
    assert servers["web-2"]["drained"] is False
    assert answer.stdout.strip() == "200", answer.stderr


def test_the_configuration_belongs_to_root(host):
    file = host.file("/etc/haproxy/haproxy.cfg")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o644")


def test_only_the_first_record_of_an_id_is_kept(host):
    record = host.file("/var/backups/wavegate/molecule/balancer/record.json")
    assert '"version": ""' in record.content_string
    assert oct(record.mode) == "0o600"
