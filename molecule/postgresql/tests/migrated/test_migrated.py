"""What migrate promises: all of the old data as declared, compared, and nothing lost where it was refused."""

import pytest

testinfra_hosts = ["new"]
REPORTS = "/var/backups/wavegate/migration/postgresql-migrations"


@pytest.fixture
def report(read):
    """Return the report of the migration."""
    return read(f"{REPORTS}/shop.json")


def test_every_row_is_there(ask):
    assert ask("select count(*) from people", "shop") == "19990"
    assert ask("select count(*), min(id), max(id), sum(amount) from purchases", "shop") == (
        "200000|1|200000|2500012500.000"
    )


def test_rows_are_cleansed_as_declared(ask):
    assert ask("select name, mail from people where id = 7", "shop") == "Person 7|p7@example.org"
    assert ask("select count(*) from people where mail <> lower(mail) or name ~ '^\\s|\\s$'", "shop") == "0"


def test_a_column_that_is_computed_is_computed(ask):
    years = "select distinct year = extract(year from at at time zone 'UTC') from purchases"
    assert ask(years, "shop") == "t"


def test_odd_names_and_bytes_arrive(ask):
    query = "select count(*), bool_and(v = decode(md5(substr(k, 2)), 'hex')) from \"it's \"\"odd\"\"\""
    assert ask(query, "shop") == "1000|t"


def test_new_rows_get_new_numbers(ask):
    assert ask("select nextval(pg_get_serial_sequence('people', 'id'))", "shop") == "20001"


def test_foreign_keys_hold(ask):
    assert ask("select convalidated from pg_constraint where conname = 'purchase_of'", "shop") == "t"


def test_the_new_owner_owns_all_of_it(ask):
    found = ask("select distinct tableowner from pg_tables where schemaname = 'public'", "shop")
    assert found == "app owner"


def test_the_report_says_what_was_compared(report):
    tables = {table["from"]: table for table in report["tables"]}
    assert (tables["public.order"]["rows"], tables["public.order"]["source_rows"]) == (200000, 200000)
    assert all(table["checksum"] == table["source_checksum"] for table in tables.values())
    assert tables["public.customer"]["rejected"] == 10
    assert [key["orphans"] for key in report["foreign_keys"]] == [0]
    assert {pair["from"]: pair["target"] for pair in report["sequences"]} == {
        "public.customer_id_seq": 20000,
        "public.order_id_seq": 200000,
    }
    assert report["checks"] == {"no blanks": True}
    assert report["refused"] == []


def test_rejected_rows_are_kept_in_a_file_for_root_only(host):
    file = host.file(f"{REPORTS}/shop-rejected-public.customer.csv")
    assert (file.user, oct(file.mode)) == ("root", "0o600")
    assert len([line for line in file.content_string.splitlines() if "Person" in line]) == 10


def test_what_was_replaced_is_kept(ask):
    kept = ask("select datname from pg_database where datname like 'shop.before.%'")
    assert ask("select word from precious", kept) == "kept"


def test_nothing_half_done_is_left(ask):
    assert ask("select count(*) from pg_database where datname like '%.incoming'") == "0"


def test_the_password_is_in_no_report_and_no_log(host):
    found = host.run("grep -rlF 'secret\\\\\" 50%' /var/backups/wavegate /var/log/postgresql")
    assert found.stdout == ""
