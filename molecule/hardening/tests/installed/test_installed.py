"""What install promises."""

import pytest

OWNED = {
    "/etc/hardening/firewall.nft": "0o600",
    "/etc/systemd/system/hardening-firewall.service": "0o644",
    "/etc/ssh/sshd_config.d/05-hardening.conf": "0o600",
    "/etc/sysctl.d/90-hardening.conf": "0o644",
    "/etc/gshadow": "0o640",
    "/etc/ssh/sshd_config": "0o600",
}


@pytest.mark.parametrize("path", OWNED)
def test_owner_and_mode(host, path):
    file = host.file(path)
    assert (file.user, oct(file.mode)) == ("root", OWNED[path])


def test_who_is_let_in_gets_in_and_nobody_else(answers):
    assert answers(22)
    assert answers(8000)
    assert not answers(9000)


def test_networks_of_both_kinds_are_in_the_rules(host):
    rules = host.check_output("nft list chain inet hardening input")
    assert "policy drop" in rules
    assert "ip saddr 192.0.2.0/24 tcp dport 9000 accept" in rules
    assert "ip6 saddr 2001:db8::/32 tcp dport 9000 accept" in rules


def test_the_firewall_is_there_after_a_reboot(host):
    service = host.service("hardening-firewall")
    assert service.is_running
    assert service.is_enabled


def test_the_unit_loads_the_rules_by_itself(host):
    host.check_output("systemctl restart hardening-firewall.service")
    assert "policy drop" in host.check_output("nft list chain inet hardening input")


def test_tables_of_others_stay(host):
    host.check_output("nft add table inet of-others")
    host.check_output("systemctl restart hardening-firewall.service")
    assert "of-others" in host.check_output("nft list tables")
    host.check_output("nft delete table inet of-others")


def test_sshd_does_what_it_was_told(sshd):
    assert sshd["maxauthtries"] == "3"
    assert sshd["x11forwarding"] == "no"
    assert sshd["allowagentforwarding"] == "no"
    assert sshd["logingracetime"] == "30"


def test_the_running_sshd_has_read_it(host):
    written = host.file("/etc/ssh/sshd_config.d/05-hardening.conf").mtime.timestamp()
    entries = host.check_output("journalctl -o short-unix -u ssh.service --grep SIGHUP").splitlines()
    assert float(entries[-1].split()[0]) >= int(written)


def test_values_of_the_kernel_are_written_down_for_the_next_boot(host):
    text = host.file("/etc/sysctl.d/90-hardening.conf").content_string
    assert "kernel.kptr_restrict = 1" in text
    assert "net.ipv4.tcp_syncookies = 1" in text


def test_no_guard_is_left(host):
    assert host.run("ls /var/lib/wavegate/guard/hardening").rc != 0
    assert "wavegate-guard" not in host.check_output("systemctl list-timers --all --no-pager")


def test_no_auditd_where_the_kernel_has_no_audit_for_it(host):
    assert not host.package("auditd").is_installed


@pytest.mark.parametrize(
    "path", ["/etc", "/etc/ssh", "/etc/ssh/sshd_config.d", "/etc/systemd/system", "/usr"]
)
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
