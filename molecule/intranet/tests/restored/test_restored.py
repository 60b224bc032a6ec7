"""What restore promises: configuration and data as recorded, under the packages that are there."""


def test_the_packages_stay(versions):
    assert versions == {"intranet": "1.1", "libintranet": "1.1"}


def test_the_service_is_well_at_the_version_that_is_there(host, health):
    assert host.service("intranet").is_running
    assert (health["version"], health["state"]) == ("1.1", "ok")


def test_the_documents_are_those_of_the_backup(titles):
    assert titles == ["Welcome to the intranet", "before"]
