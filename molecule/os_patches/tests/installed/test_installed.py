"""What install promises."""


def test_needrestart_is_there_and_only_tells(host):
    assert host.package("needrestart").is_installed
    file = host.file("/etc/needrestart/conf.d/wavegate.conf")
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", "0o644")
    assert "$nrconf{restart} = 'l';" in file.content_string


def test_its_configuration_is_valid(host):
    assert host.run("needrestart -b -r l").rc == 0


def test_an_interrupted_package_manager_is_repaired(host):
    assert host.check_output("dpkg --audit") == ""
    assert host.file("/var/lib/dpkg/updates").listdir() == []


def test_install_patches_nothing(pending):
    assert pending


def test_install_records_nothing(host):
    assert not host.file("/var/backups/wavegate").exists
