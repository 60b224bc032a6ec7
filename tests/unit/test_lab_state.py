from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from wavegate.errors import WavegateError
from wavegate.lab.faults import FAULTS, break_host, find_host
from wavegate.lab.inventory import inventory_data, remove_inventory, ssh_options, write_inventory
from wavegate.lab.layout import lay_out
from wavegate.lab.state import HostRecord, Lab, LabFolder, new_lab
from wavegate.lab.status import read_status, render_status

EXAMPLE = Path(__file__).parents[2] / "inventories/example/hosts.yml"


def a_lab(count: int = 9, *, balancer: bool = False) -> Lab:
    hosts = [
        HostRecord(host.name, host.group, host.cluster, f"10.89.0.{i + 3}")
        for i, host in enumerate(lay_out(count, balancer=balancer))
    ]
    return Lab("0123abcd", "bookworm", subnet="10.89.0.0/24", package_host="10.89.0.2", hosts=tuple(hosts))


def test_a_lab_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    lab = a_lab().with_faults("pilot-1", ("stop", "slow"))
    folder.save(lab)
    assert folder.load() == lab


def test_the_folder_of_a_lab_is_closed_to_others(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    folder.save(a_lab())
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert (folder.path / "lab.json").stat().st_mode & 0o777 == 0o600


def test_a_project_without_a_lab_has_none_and_says_how_to_get_one(tmp_path: Path) -> None:
    assert LabFolder(tmp_path).load() is None
    assert "wavegate lab up" in render_status(read_status(tmp_path))
    with pytest.raises(WavegateError) as caught:
        LabFolder(tmp_path).require()
    assert caught.value.code == "no-lab"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 99}', '{"version": 1, "hosts": [], "what": 1}'])
def test_a_state_file_that_cannot_be_read_is_a_clear_error(tmp_path: Path, text: str) -> None:
    folder = LabFolder(tmp_path)
    folder.make()
    (folder.path / "lab.json").write_text(text)
    with pytest.raises(WavegateError) as caught:
        folder.load()
    assert caught.value.code == "lab-state"


def test_two_labs_never_share_an_id() -> None:
    assert len({new_lab("bookworm").id for _ in range(50)}) == 50


def test_a_balancer_is_told_whom_it_serves_and_is_in_no_group_of_theirs(tmp_path: Path) -> None:
    lab = a_lab(6, balancer=True)
    assert lab.balancer is not None
    data = inventory_data(lab, LabFolder(tmp_path))["all"]["children"]
    served = {server["name"]: server["address"] for server in data["balancer"]["vars"]["balancer_servers"]}
    assert served == {host.name: host.address for host in lab.hosts if host.name != "balancer-1"}
    assert list(data["balancer"]["hosts"]) == ["balancer-1"]
    assert "balancer" not in data["intranet"]["children"]
    assert a_lab(6).balancer is None


def test_a_misspelt_host_or_fault_brings_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(WavegateError) as caught:
        find_host(a_lab(), "finanse-1")
    assert (caught.value.code, "Did you mean finance-1?" in caught.value.hint) == ("unknown-host", True)
    LabFolder(tmp_path).save(a_lab())
    with pytest.raises(WavegateError) as caught:
        break_host(tmp_path, "fulldisk", "pilot-1", print)
    assert (caught.value.code, "Did you mean full-disk?" in caught.value.hint) == ("unknown-fault", True)


def test_the_help_of_break_names_every_fault_with_its_meaning() -> None:
    from click.testing import CliRunner

    from wavegate.commands.lab import command

    said = CliRunner().invoke(command, ["break", "--help"]).output
    for fault in FAULTS:
        assert f"{fault.name:<12}{fault.meaning}" in said


def test_the_inventory_is_written_whole_and_removed_with_its_folder(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    path = write_inventory(a_lab(), folder)
    assert yaml.safe_load(path.read_text()) == inventory_data(a_lab(), folder)
    remove_inventory(folder)
    assert not path.parent.exists()
    remove_inventory(folder)


def test_removing_the_inventory_leaves_other_files_beside_it(tmp_path: Path) -> None:
    folder = LabFolder(tmp_path)
    path = write_inventory(a_lab(), folder)
    (path.parent / "group_vars").mkdir()
    remove_inventory(folder)
    assert path.parent.exists()
    assert not path.exists()


def test_host_keys_are_always_checked_and_odd_paths_survive() -> None:
    options = ssh_options(Path("/a b/50%/known_hosts"))
    assert "StrictHostKeyChecking=yes" in options
    assert 'UserKnownHostsFile="/a b/50%%/known_hosts"' in options


def test_the_example_inventory_has_the_shape_of_a_generated_one() -> None:
    example = yaml.safe_load(EXAMPLE.read_text())
    generated = inventory_data(
        replace(a_lab(), package_host="10.89.0.2"), LabFolder(Path("/home/you/project"))
    )
    assert example == generated
