"""What install promises."""

import pytest


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("nginx")
    assert service.is_running
    assert service.is_enabled


def test_all_packages_are_there_and_whole(host, versions):
    assert versions["nginx"] is not None
    assert versions["nginx"] == versions["nginx-common"]
    assert host.check_output("dpkg --audit") == ""


def test_it_runs_the_configuration_that_is_on_the_disk(host, fetch):
    digest = fetch("127.0.0.1", "/configuration", 8089)[2].split()[1]
    assert digest in host.file("/etc/nginx/nginx.conf").content_string


def test_a_site_with_tls_is_trusted_by_who_trusts_its_authority(visit):
    status, _, member = visit("/healthz")
    assert status == 200
    assert member.strip() in {"nginx-12", "nginx-13"}


def test_requests_go_to_all_members(visit):
    assert {visit("/")[2].strip() for _ in range(8)} == {"nginx-12", "nginx-13"}


def test_a_site_with_odd_names_and_settings_is_served(fetch):
    status, headers, text = fetch("manual.example.org")
    assert (status, text) == (200, "the manual\n")
    assert headers["X-Motto"] == 'it\'s "so" \\ easy'


def test_a_redirect_keeps_the_path(fetch):
    status, headers, _ = fetch("shop.example.org", "/a?b=c")
    assert (status, headers["Location"]) == (301, "https://shop.example.org/a?b=c")


def test_the_page_of_the_package_is_not_served(fetch):
    assert "Welcome to nginx" not in fetch("localhost")[2]


def test_which_configuration_runs_is_told_to_the_host_alone(host):
    assert host.socket("tcp://127.0.0.1:8089").is_listening
    assert not host.socket("tcp://0.0.0.0:8089").is_listening


def test_keys_are_for_root_alone(host):
    folder = host.file("/etc/nginx/tls")
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o700")
    keys = [name for name in folder.listdir() if name.endswith(".key")]
    assert len(keys) == 1
    key = host.file(f"/etc/nginx/tls/{keys[0]}")
    assert (key.user, key.group, oct(key.mode)) == ("root", "root", "0o600")


def test_the_configuration_belongs_to_root(host):
    file = host.file("/etc/nginx/nginx.conf")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o644")


def test_no_candidate_is_left(host):
    assert [name for name in host.file("/etc/nginx").listdir() if name.startswith(".")] == []


def test_install_records_nothing_of_its_own(host):
    kept = host.file("/var/backups/wavegate")
    assert not kept.exists or kept.listdir() == ["virgin"]


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/nginx", "/etc/systemd/system", "/srv", "/usr", "/var", "/var/log"]
)
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
