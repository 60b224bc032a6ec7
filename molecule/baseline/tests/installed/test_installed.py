"""What install promises."""

import pytest

OWNED = {
    "/etc/chrony/chrony.conf": "0o644",
    "/etc/ssh/sshd_config.d/10-baseline.conf": "0o644",
    "/etc/ssh/authorized_keys.d": "0o755",
    "/etc/ssh/authorized_keys.d/ada": "0o644",
    "/etc/sudoers.d/baseline": "0o440",
    "/etc/systemd/journald.conf.d/10-baseline.conf": "0o644",
    "/etc/apt/apt.conf.d/99baseline": "0o644",
}


def test_the_packages_are_there(host):
    assert host.package("less").is_installed
    assert host.package("chrony").is_installed
    assert not host.package("systemd-timesyncd").is_installed


@pytest.mark.parametrize("path", OWNED)
def test_what_the_role_writes_belongs_to_root(host, path):
    file = host.file(path)
    assert (file.user, file.group, oct(file.mode)) == ("root", "root", OWNED[path])


def test_an_account_is_as_described(host):
    ada = host.user("ada")
    assert (ada.gecos, ada.groups) == ('Ada\'s "account", 50%', ["ada", "adm"])
    assert ada.password == "!"


def test_the_key_lets_in_and_sudo_makes_root(host):
    public = host.file("/etc/ssh/authorized_keys.d/ada").content_string.split()
    known = host.file("/home/deploy/.ssh/authorized_keys").content_string
    assert public[1] in known
    assert host.check_output("su ada -c %s", "sudo -n id -u") == "0"


def test_an_account_without_sudo_cannot_become_root(host):
    assert host.run("su bob -c %s", "sudo -n true").rc != 0


def test_who_has_to_go_is_gone_with_all_processes(host):
    assert not host.user("mallory").exists
    assert host.run("pgrep -u 4711").rc == 1


def test_a_home_that_was_left_is_for_root_only(host):
    home = host.file("/home/mallory")
    assert (home.user, home.group, oct(home.mode)) == ("root", "root", "0o700")


def test_sshd_does_what_it_was_told(sshd):
    assert sshd["authorizedkeysfile"].split()[0] == "/etc/ssh/authorized_keys.d/%u"
    assert sshd["permitrootlogin"] == "without-password"
    assert sshd["passwordauthentication"] == "no"
    assert sshd["x11forwarding"] == "no"


def test_the_running_sshd_has_read_it(host):
    written = host.file("/etc/ssh/sshd_config.d/10-baseline.conf").mtime.timestamp()
    entries = host.check_output("journalctl -o short-unix -u ssh.service --grep SIGHUP").splitlines()
    assert float(entries[-1].split()[0]) >= int(written)


def test_no_guard_is_left(host):
    assert host.run("ls /var/lib/wavegate/guard/baseline").rc != 0
    assert "wavegate-guard" not in host.check_output("systemctl list-timers --all --no-pager")


def test_the_clock_follows_the_servers_and_no_others(host, has_clock):
    lines = host.file("/etc/chrony/chrony.conf").content_string.splitlines()
    assert [line for line in lines if line.startswith(("server", "pool", "sourcedir"))] == [
        "server 192.0.2.123 iburst"
    ]
    service = host.service("chrony")
    assert service.is_enabled
    assert service.is_running == has_clock
    if has_clock:
        assert [row.split(",")[2] for row in host.check_output("chronyc -n -c sources").splitlines()] == [
            "192.0.2.123"
        ]


def test_the_journal_runs_with_its_limit(host):
    assert host.service("systemd-journald").is_running
    shown = host.check_output("systemd-analyze cat-config systemd/journald.conf").splitlines()
    assert "SystemMaxUse=64M" in shown
    restarted = host.check_output("systemctl show systemd-journald -p ActiveEnterTimestampMonotonic --value")
    booted = host.check_output("systemctl show ssh.service -p ActiveEnterTimestampMonotonic --value")
    assert int(restarted) > int(booted)


def test_nothing_upgrades_by_itself(host):
    assert not host.service("apt-daily-upgrade.timer").is_enabled
    assert not host.service("apt-daily-upgrade.timer").is_running
    assert 'APT::Periodic::Enable "0"' in host.check_output("apt-config dump APT::Periodic::Enable")


def test_the_account_that_ansible_uses_is_as_it_was(host):
    assert host.user("deploy").groups == ["deploy"]
    assert host.file("/etc/sudoers.d/deploy").content_string == "deploy ALL=(ALL) NOPASSWD: ALL\n"
    assert host.file("/etc/ssh/sshd_config.d/lab.conf").contains("UseDNS no")


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/ssh", "/etc/ssh/sshd_config.d", "/etc/systemd", "/home", "/usr"]
)
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
