"""What a first install promises, and only it: after an interruption the service was started more often."""


def test_the_service_was_started_once(host):
    shown = host.check_output("systemctl show intranet -p NRestarts -p ActiveState --value")
    assert shown.split() == ["0", "active"] or shown.split() == ["active", "0"]
    assert len(host.check_output("journalctl -o cat -u intranet --grep '^Started '").splitlines()) == 1
