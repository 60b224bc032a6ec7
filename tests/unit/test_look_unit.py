"""wavegate_look: which systemd unit a process belongs to, out of the text of /proc/PID/cgroup."""

from __future__ import annotations

import pytest

from tests.programs import load_program

HYBRID = """\
9:name=systemd:/libpod_parent/libpod-354f/system.slice/nginx.service
8:pids:/libpod_parent/libpod-354f
0::/libpod_parent/libpod-354f.scope
"""
CASES = {
    "cgroup v2": ("0::/system.slice/nginx.service\n", "nginx.service"),
    "both versions, in a container": (HYBRID, "nginx.service"),
    "a unit of a user": ("0::/user.slice/user@0.service/app.slice/own.service\n", "own.service"),
    "a template": ("0::/system.slice/system-pg.slice/pg@15-main.service\n", "pg@15-main.service"),
    "no unit": ("0::/\n", ""),
    "nothing to read": ("", ""),
}


@pytest.mark.parametrize(("groups", "unit"), CASES.values(), ids=CASES)
def test_the_unit_is_read_from_the_hierarchy_of_systemd(groups: str, unit: str) -> None:
    assert load_program("plugins/modules/wavegate_look.py").unit_of(groups) == unit
