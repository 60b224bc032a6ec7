"""What backup and patch promise."""

import pytest

CHANGE = "/var/backups/wavegate/molecule"
DUMPS = f"{CHANGE}/postgresql-dumps"


@pytest.fixture
def manifest(read):
    """Return what the dumps say of themselves."""
    return read(f"{DUMPS}/manifest.json")


def test_all_packages_moved(versions):
    assert all(version.endswith("+wavegate1") for version in versions.values())


def test_the_server_that_runs_is_the_new_one(host, unit, major):
    pid = host.check_output("systemctl show %s -p MainPID --value", unit)
    program = host.check_output("runuser -u postgres -- readlink /proc/%s/exe", pid)
    assert program == f"/usr/lib/postgresql/{major}/bin/postgres"


def test_the_data_is_there(ask, major):
    tables = {"15": ("old shop", '"order"'), "17": ("shop", "purchases")}
    database, table = tables[major]
    assert ask(f"select count(*) from {table}", database) == "200000"


def test_the_dumps_hold_every_database_and_say_how_many_rows(manifest, major):
    names = {"old shop", "the app's", "postgres"} | ({"shop"} if major == "17" else set())
    assert set(manifest["databases"]) == names
    database, table = {"15": ("old shop", "public.order"), "17": ("shop", "public.purchases")}[major]
    assert manifest["databases"][database]["tables"][table] == 200000


def test_the_dumps_hold_what_their_checksums_say(host, manifest):
    for entry in [manifest["globals"], *manifest["databases"].values(), *manifest["base"]]:
        assert host.file(f"{DUMPS}/{entry['file']}").sha256sum == entry["sha256"]


def test_the_base_backup_is_whole(host, major):
    host.check_output("mkdir -p /root/base && tar -xf %s -C /root/base", f"{DUMPS}/base.tar")
    made = host.run("/usr/lib/postgresql/%s/bin/pg_verifybackup -q /root/base", major)
    assert (made.rc, made.stderr) == (0, "")


@pytest.mark.parametrize("path", ["/var/backups/wavegate", CHANGE, DUMPS, f"{CHANGE}/postgresql"])
def test_the_backup_is_for_root_only(host, path):
    folder = host.file(path)
    assert (folder.user, oct(folder.mode)) == ("root", "0o700")


def test_the_first_backup_of_a_change_is_kept(read, names):
    recorded = read(f"{CHANGE}/postgresql/manifest.json")["packages"]
    assert [name for name in names if recorded[name].endswith("+wavegate1")] == []


def test_no_half_written_backup_is_left(host):
    assert sorted(host.file(CHANGE).listdir()) == ["postgresql", "postgresql-dumps"]
