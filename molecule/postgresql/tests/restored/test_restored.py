"""What restore promises: settings, users and databases as recorded, under the packages that are there."""

testinfra_hosts = ["new"]


def test_the_packages_stay(versions):
    assert all(version.endswith("+wavegate1") for version in versions.values())


def test_the_rows_are_back(ask):
    assert ask("select count(*), sum(amount) from purchases", "shop") == "200000|2500012500.000"


def test_owner_and_rights_are_back(ask):
    assert ask("select distinct tableowner from pg_tables where schemaname = 'public'", "shop") == "app owner"
    assert ask("select pg_has_role('mover', 'readers', 'member')") == "t"


def test_the_setting_is_back_and_works(ask):
    assert ask("show cluster_name") == "it's 50% \"of\" us"


def test_what_was_replaced_is_kept(ask):
    (kept,) = [
        name
        for name in ask("select datname from pg_database where datname like 'shop.before.%'").splitlines()
        if ask("select to_regclass('purchases') is not null", name) == "t"
    ]
    assert ask("select count(*) from purchases", kept) == "0"
