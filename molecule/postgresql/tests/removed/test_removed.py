"""What rollback promises where there was nothing: it is gone, and what it held was dumped."""

testinfra_hosts = ["new"]


def test_what_was_not_there_is_gone(host, versions, major):
    assert set(versions.values()) == {None}
    assert not host.file(f"/etc/postgresql/{major}/main").exists
    assert not host.file(f"/var/lib/postgresql/{major}/main").exists


def test_its_databases_were_dumped_before(read):
    manifest = read("/var/backups/wavegate/virgin/postgresql-removed/manifest.json")
    assert manifest["databases"]["shop"]["tables"] == {"public.precious": 1}
