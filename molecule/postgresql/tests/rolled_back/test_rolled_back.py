"""What rollback promises: packages and settings as recorded, data kept, a migration taken back."""


def test_all_packages_are_back(versions):
    assert None not in versions.values()
    assert [version for version in versions.values() if version.endswith("+wavegate1")] == []


def test_the_service_runs_now_and_after_a_reboot(host, unit):
    assert host.service(unit).is_running
    assert host.service("postgresql").is_enabled


def test_files_are_as_recorded(host, read, major):
    recorded = read("/var/backups/wavegate/molecule/postgresql/manifest.json")["entries"]
    files = {path: entry for path, entry in recorded.items() if entry["type"] == "file"}
    assert f"/etc/postgresql/{major}/main/conf.d/wavegate.conf" in files
    assert [path for path, entry in files.items() if host.file(path).sha256sum != entry["sha256"]] == []


def test_the_migration_is_taken_back_and_kept(ask, major):
    if major == "15":
        assert ask('select count(*) from "order"', "old shop") == "200000"
        return
    assert ask("select word from precious", "shop") == "kept"
    undone = ask("select datname from pg_database where datname like 'shop.undone.%'")
    assert ask("select count(*) from purchases", undone) == "200000"
