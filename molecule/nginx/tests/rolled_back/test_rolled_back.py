"""What rollback promises: packages, configuration and service as the backup found them."""


def test_all_packages_are_back(versions):
    assert versions["nginx"] == versions["nginx-common"]
    assert not versions["nginx"].endswith("+wavegate1")


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("nginx")
    assert service.is_running
    assert service.is_enabled


def test_the_configuration_is_back_and_runs(host, fetch):
    text = host.file("/etc/nginx/nginx.conf").content_string
    assert "X-Spoiled" not in text
    assert fetch("127.0.0.1", "/configuration", 8089)[2].split()[1] in text


def test_whom_somebody_drained_after_the_backup_is_still_out(out, other):
    assert out == {"app": [other]}
