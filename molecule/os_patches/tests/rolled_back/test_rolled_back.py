"""What rollback promises: exactly what the patch changed is as it was."""


def test_all_versions_are_as_recorded(record, changes, versions):
    assert changes
    assert versions == record("before")["packages"]


def test_packages_that_are_there_for_others_are_so_still(host, record):
    automatic = host.check_output("apt-mark showauto").split()
    assert sorted(automatic) == sorted(record("before")["auto"])


def test_the_package_manager_is_sound(host):
    assert host.check_output("dpkg --audit") == ""


def test_what_was_taken_back_does_not_come_in_again(pending, changes):
    assert not set(pending) & set(changes)


def test_services_run_on_the_old_files_again(host):
    listed = host.check_output("needrestart -b -r l").splitlines()
    assert {line.split()[1] for line in listed if "SVC" in line} <= {"dbus.service", "systemd-logind.service"}
    assert host.service("ssh").is_running
