"""What probes leave beside a rollout's evidence, and what host probes of one instant share."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

from tests.unit.probe_tools import FakeHostRunner
from wavegate.adapters.executor.launch import Launch
from wavegate.adapters.probes.host import HostPool
from wavegate.adapters.probes.host_wishes import read_expectation
from wavegate.adapters.probes.junit_files import merge_junit
from wavegate.adapters.probes.kept import MOST_KEPT, keep_text
from wavegate.adapters.redact import Redactor
from wavegate.core.outcomes import Reading

FREE = {"disk": {"/": {"free_percent": 50.0}}, "memory_available_percent": 50.0, "errors": {}}
AGES = {"unit": "a", "pattern": "x", "ages": [30.0], "newest": "x"}


def launch(work):
    return Launch(rollout_id="r", work=work, material=work, project=work, playbooks={})


def test_only_the_newest_texts_are_kept_and_none_is_overwritten(tmp_path):
    for number in range(MOST_KEPT + 3):
        keep_text(launch(tmp_path), "../odd/name", f"pilot after {number}.txt", "x")
    again = keep_text(launch(tmp_path), "../odd/name", "pilot after 12.txt", "y")
    assert again.name == "pilot after 12 try 2.txt"
    folder = again.parent
    assert folder.parent == tmp_path / "probes"
    assert len(list(folder.iterdir())) == MOST_KEPT
    assert not (folder / "pilot after 0.txt").exists()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_reports_are_put_together_without_secrets_and_without_those_that_were_cut_off(tmp_path):
    secret = 'a<b>&"c'
    failure = (
        '<testsuites><testsuite><testcase name="one"><failure message="a&lt;b&gt;&amp;&quot;c">'
        "see a&lt;b&gt;&amp;&quot;c</failure></testcase></testsuite></testsuites>"
    )
    texts = [
        failure,
        "<testsuites><testsuite><testcase",
        '<testsuite><testcase name="two"/></testsuite>',
    ]
    paths = []
    for number, text in enumerate(texts):
        paths.append(tmp_path / f"{number}.xml")
        paths[-1].write_text(text)
    merged = merge_junit([*paths, Path("/none.xml")], "suite", Redactor([secret]))
    assert merged.count("<testcase") == 2
    assert "a&lt;b" not in merged
    assert merged.count("********") == 2


def measure(pool, *questions):
    async def ask():
        return await asyncio.gather(
            *(
                pool.measure({host: read_expectation(settings) for host in hosts}, timeout)
                for hosts, settings, timeout in questions
            )
        )

    return asyncio.run(ask())


def test_probes_that_are_due_together_share_one_round_trip_and_each_judges_by_its_own():
    runner = FakeHostRunner({"web1": FREE, "web2": FREE})
    pool = HostPool(runner, lambda _: None)
    disk = (["web1", "web2"], {"disk_free": {"/": {"percent": 60}}}, 5.0)
    memory = (["web1"], {"memory_free": 10}, 5.0)
    patient = (["web2"], {"memory_free": 10}, 9.0)
    of_disk, of_memory, of_patient = measure(pool, disk, memory, patient)
    assert [call[0] for call in runner.calls] == [("web1", "web2"), ("web2",)]
    assert runner.calls[0][1] == {"services": [], "paths": ["/"]}
    assert {host: one.reading for host, one in of_disk.items()} == {"web1": Reading.BAD, "web2": Reading.BAD}
    assert of_memory["web1"].reading is Reading.GOOD
    assert of_patient["web2"].reading is Reading.GOOD
    measure(pool, disk)
    assert len(runner.calls) == 3


def test_a_log_is_looked_at_as_far_as_the_longest_change_and_judged_by_each_hosts_own():
    runner = FakeHostRunner({host: {"logs": [AGES], "errors": {}} for host in ("old", "new", "never")})
    pool = HostPool(runner, {"old": 100.0, "new": 10.0}.get)
    settings = {"logs": [{"unit": "a", "pattern": "x", "at_most": 0, "since": None}]}
    (judged,) = measure(pool, (["old", "new", "never"], settings, 5.0))
    (look,) = runner.calls[0][1]["logs"]
    assert look["seconds"] >= 100.0
    assert {host: one.reading for host, one in judged.items()} == {
        "old": Reading.BAD,
        "new": Reading.GOOD,
        "never": Reading.ERROR,
    }
