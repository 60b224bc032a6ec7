"""What rollback promises: package and access as recorded, snapshots kept."""


def test_the_package_is_back(version):
    assert version is not None
    assert not version.endswith("+wavegate1")


def test_the_snapshots_are_kept_and_open(snapshots):
    assert len([one for one in snapshots if "rollout=molecule" in one["tags"]]) == 1
