"""What migrate promises, and that rollback refuses to go back over it."""

import json


def test_the_data_is_in_the_new_form_and_belongs_to_the_service(host):
    file = host.file("/var/lib/hello/data.json")
    assert json.loads(file.content_string) == {"form": 2}
    assert file.user == "hello"


def test_the_migration_is_written_down_as_a_point_of_no_return(host):
    migrations = json.loads(host.file("/opt/hello/migrations.json").content_string)
    assert migrations["2.0"]["done"] > migrations["2.0"]["begun"]
    assert migrations["2.0"]["way_back"] is False


def test_the_refused_rollback_changed_nothing(host, answer):
    assert host.service("hello").is_running
    assert (answer["version"], answer["data"]) == ("2.0", 2)
