"""What install promises."""

import pytest


def test_all_packages_are_at_the_wanted_version(versions):
    assert versions == {"intranet": "1.0", "libintranet": "1.0"}


def test_the_service_runs_now_and_after_a_reboot(host):
    service = host.service("intranet")
    assert service.is_running
    assert service.is_enabled


def test_the_service_is_well_at_that_version(health):
    assert health == {"version": "1.0", "library": "1.0", "state": "ok", "documents": 1}


def test_the_service_listens_for_others_too(host):
    assert host.socket("tcp://0.0.0.0:8080").is_listening


def test_the_service_does_not_run_as_root(host):
    pid = host.check_output("systemctl show intranet -p MainPID --value")
    assert host.check_output("ps -o user= -p %s", pid) == "intranet"


def test_a_banner_with_quotes_and_percent_arrives(fetch):
    assert "50% &quot;of&quot; us; it&#x27;s here" in fetch("/")


@pytest.mark.parametrize("path", ["/etc/intranet/intranet.conf", "/etc/apt/sources.list.d/intranet.sources"])
def test_what_the_role_writes_belongs_to_root(host, path):
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o644")


def test_packages_are_only_taken_from_a_signed_repository(host):
    source = host.file("/etc/apt/sources.list.d/intranet.sources").content_string
    assert "BEGIN PGP PUBLIC KEY BLOCK" in source
    assert "Trusted" not in source


def test_the_data_is_for_the_service_only(host):
    folder = host.file("/var/lib/intranet")
    assert (folder.user, folder.group, oct(folder.mode)) == ("intranet", "intranet", "0o750")


def test_install_records_nothing(host):
    assert not host.file("/var/backups/wavegate").exists


@pytest.mark.parametrize("path", ["/etc", "/etc/apt", "/usr", "/var", "/var/lib", "/var/backups"])
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
