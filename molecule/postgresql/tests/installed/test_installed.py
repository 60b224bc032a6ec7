"""What install and configure promise."""

import pytest

LOGIN = "PGPASSWORD=%s psql -X -A -t -h %s -U %s -d %s -c 'select current_user'"


def test_the_service_runs_now_and_after_a_reboot(host, unit):
    assert host.service(unit).is_running
    assert host.service("postgresql").is_enabled


def test_the_packages_are_whole(host, versions):
    assert None not in versions.values()
    assert host.check_output("dpkg --audit") == ""


def test_the_server_takes_writes(ask):
    assert ask("create temporary table t as select 1 as n; select n from t").splitlines()[-1] == "1"


def test_settings_with_quotes_arrive_and_work(ask):
    assert ask("show cluster_name") == "it's 50% \"of\" us"
    assert ask("select setting from pg_settings where name = 'max_connections'") == "60"
    assert ask("select count(*) from pg_settings where pending_restart") == "0"


def test_the_server_listens_for_others_too(host):
    assert host.socket("tcp://0.0.0.0:5432").is_listening


def test_a_user_gets_in_with_a_password_full_of_quotes(host):
    address = host.check_output("hostname -I").split()[0]
    assert host.check_output(LOGIN, 'it\'s a "secret" 50%', address, "mover", "postgres") == "mover"


def test_nobody_gets_in_with_another_password(host):
    address = host.check_output("hostname -I").split()[0]
    assert host.run(LOGIN, "guessed", address, "mover", "postgres").rc != 0


def test_no_password_is_kept_or_logged(host, ask):
    kept = ask("select rolpassword from pg_authid where rolpassword <> ''").splitlines()
    assert [line[:14] for line in kept] == ["SCRAM-SHA-256$"] * 2
    assert host.run("grep -rlF 'secret\" 50%' /var/log/postgresql /etc/postgresql").stdout == ""
    assert host.run("journalctl -o cat | grep -F 'secret\\\\\" 50%'").stdout == ""


def test_a_user_is_member_of_what_it_was_declared(ask):
    assert ask("select pg_has_role('mover', 'readers', 'member')") == "t"
    assert ask("select rolcanlogin from pg_roles where rolname = 'readers'") == "f"


@pytest.mark.parametrize(("name", "owner"), [("old shop", "mover"), ("the app's", "app owner")])
def test_databases_belong_to_their_owners(ask, name, owner):
    quoted = name.replace("'", "''")
    found = ask(
        "select pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate from pg_database"
        f" where datname = '{quoted}'"
    )
    assert found == f"{owner}|UTF8|C.UTF-8"


@pytest.mark.parametrize("name", ["pg_hba.conf", "conf.d/wavegate.conf"])
def test_what_the_role_writes_is_for_the_server_only(host, major, name):
    file = host.file(f"/etc/postgresql/{major}/main/{name}")
    assert (file.user, file.group, oct(file.mode)) == ("postgres", "postgres", "0o640")


def test_no_copies_are_left_beside_them(host, major):
    assert [name for name in host.file(f"/etc/postgresql/{major}/main").listdir() if name.endswith("~")] == []


def test_install_records_nothing(host):
    assert host.file("/var/backups/wavegate").listdir() == ["virgin"]


@pytest.mark.parametrize("path", ["/etc", "/usr", "/var", "/var/lib", "/var/backups"])
def test_folders_of_the_system_are_as_they_were(host, path):
    folder = host.file(path)
    assert (folder.user, folder.group, oct(folder.mode)) == ("root", "root", "0o755")
