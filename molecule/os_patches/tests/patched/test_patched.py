"""What backup, prefetch and patch promise."""

import pytest

RECORD = "/var/backups/wavegate/molecule/os_patches"


def test_real_security_updates_were_installed(changes, versions):
    assert changes
    assert {name: versions[name] for name in changes} == {name: c["to"] for name, c in changes.items()}


def test_nothing_of_security_is_pending(pending):
    assert pending == []


def test_the_versions_of_all_packages_were_recorded_before(record, changes):
    before = record("before")["packages"]
    assert len(before) > 100
    assert {name: before.get(name) for name in changes} == {name: c["from"] for name, c in changes.items()}


def test_and_after(record, versions):
    assert record("after")["packages"] == versions


def test_nothing_else_was_changed(record, changes, versions):
    before = record("before")["packages"]
    assert {name for name in {*before, *versions} if before.get(name) != versions.get(name)} == set(changes)


def test_packages_that_are_there_for_others_are_so_still(host, record):
    automatic = host.check_output("apt-mark showauto").split()
    assert sorted(automatic) == sorted(record("before")["auto"])


def test_services_that_needed_it_were_restarted_and_are_well(host, record):
    restarted = record("plan")["restarts"]
    assert "ssh.service" in restarted
    assert host.service("ssh").is_running
    listed = host.check_output("needrestart -b -r l").splitlines()
    assert {line.split()[1] for line in listed if "SVC" in line} <= {"dbus.service", "systemd-logind.service"}


def test_a_service_that_did_not_need_it_runs_on(host, record):
    assert "bystander.service" not in record("plan")["restarts"]
    if host.backend.get_hostname() == "os-patches-13":
        before = host.file("/var/tmp/bystander").content_string.strip()
        assert host.check_output("systemctl show --value -p InvocationID bystander") == before


def test_a_required_reboot_was_done_once_drained_where_it_is_allowed(host):
    if host.backend.get_hostname() == "os-patches-12":
        lines = host.file("/var/tmp/pool").content_string.split()
        assert lines[::2] == ["drained", "undrained"]
        assert lines[1] != lines[3]
        assert not host.file("/run/reboot-required").exists
    else:
        assert not host.file("/var/tmp/pool").exists
        assert host.file("/run/reboot-required").exists


@pytest.mark.parametrize("path", ["/var/backups/wavegate", "/var/backups/wavegate/molecule", RECORD])
def test_the_record_is_for_root_only(host, path):
    folder = host.file(path)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")


def test_archives_of_both_versions_are_in_the_local_cache(host, changes):
    files = host.file("/var/cache/apt/archives").listdir()
    for name, change in changes.items():
        for version in (change["from"], change["to"]):
            start = f"{name}_{version.replace(':', '%3a')}_"
            assert any(file.startswith(start) for file in files), start


@pytest.mark.parametrize("path", ["/etc", "/etc/apt", "/usr", "/var", "/var/lib", "/var/backups"])
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
