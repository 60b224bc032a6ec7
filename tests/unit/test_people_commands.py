"""The command line for people: approve, reject, votes, promote, with real SSH keys and real playbooks."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.scratch import LOCAL, Scratch

ROLLOUT = """
name: asks
playbook: site.yml
people: {{ops: [ann, bob]}}
probes: {{ok: {{command: {{argv: ["test", "!", "-e", "ill-{{{{ inventory_hostname }}}}"]}}}}}}
gates:
  go-on: {{probes: [ok], interval: 500ms, approval: {approval}}}
waves:
  - {{name: pilot, hosts: one, after: go-on}}
  - {{name: rest, hosts: two}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Scratch:
    """A project of two local hosts with a gate between them that asks people."""
    scratch = Scratch(tmp_path / "project")
    scratch.write("ansible.cfg", "[defaults]\ninventory = hosts.yml\n")
    scratch.write("hosts.yml", f"all: {{hosts: {{one: , two: }}, vars: {{{LOCAL}}}}}\n")
    scratch.write("site.yml", "- {hosts: all, gather_facts: false, tasks: [{ansible.builtin.ping: }]}\n")
    scratch.write("x.yml", ROLLOUT.format(approval="{by: [ops]}"))
    return scratch


def asks(project: Scratch) -> dict:
    """Return what the only gate that asks people wants."""
    told = json.loads(project.wavegate("votes", "--json").stdout)
    assert len(told["gates"]) == 1
    return told["gates"][0]


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join(done.stderr.split())


def test_a_pipeline_leaves_at_the_gate_and_a_tick_goes_on_after_the_vote(project: Scratch) -> None:
    left = project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    assert "waits for people at gate go-on: 0 of 1 approvals by ann, bob" in left.stdout
    project.wavegate("status", "--exit-code", code=20)
    project.wavegate("tick", code=20, LOGNAME="ci")
    asked = asks(project)
    assert asked["differences"] is None
    assert asked["measured"][0].startswith("ok (command):")
    project.wavegate("approve", "--comment", "looked at it", LOGNAME="ann")
    project.wavegate("tick", LOGNAME="ci")
    gate = json.loads(project.wavegate("report", "--json").stdout)["gates"][0]
    assert gate["verdict"] == "pass"
    assert [(vote["by"], vote["comment"]) for vote in gate["votes"]] == [("ann", "looked at it")]


def test_the_process_that_walks_hears_votes_from_another_terminal(project: Scratch) -> None:
    process = project.start("run", "x.yml", LOGNAME="ci")
    try:
        _await(lambda: _stands(project) and asks(project))
        refused = project.wavegate("approve", code=40, LOGNAME="ci")
        assert "ci is not among those who are asked: ann, bob" in error_of(refused)
        project.wavegate("approve", LOGNAME="bob")
        assert process.wait(60) == 0
    finally:
        process.kill()
    text = project.wavegate("report").stdout
    assert "approved by bob" in text
    assert "the vote of ci (approve) does not count" in text


def _stands(project: Scratch) -> bool:
    told = project.wavegate("status", "--json", code=None)
    return told.returncode == 0 and "people at gate" in json.loads(told.stdout)["waits_for"]


def _await(holds: object, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.2)


def test_a_rejection_fails_the_gate_after_a_wave(project: Scratch) -> None:
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    project.wavegate("reject", code=2)
    project.wavegate("reject", "--comment", "orders cannot be printed", LOGNAME="ann")
    halted = project.wavegate("tick", code=30, LOGNAME="ci")
    assert "rejected by ann: orders cannot be printed" in " ".join(halted.stdout.split())


def test_an_edited_plan_voids_votes_and_tells_what_is_new(project: Scratch) -> None:
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    project.wavegate("approve", LOGNAME="ann")
    project.wavegate("abort", "--reason", "it has to be edited")
    project.write("site.yml", "- {hosts: all, gather_facts: false, tasks: []}\n")
    project.write("x.yml", ROLLOUT.format(approval="{by: [ops]}") + "batch_timeout: 5m\n")
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    asked = asks(project)
    assert asked["approved_by"] == []
    assert "file changed: site.yml" in asked["differences"]
    assert "batch timeout: 3600.0 became 300.0" in asked["differences"]
    assert "whose votes count for nothing here" in project.wavegate("votes").stdout


def test_a_sign_off_keeps_its_evidence_for_its_owner_only(project: Scratch) -> None:
    project.write("x.yml", ROLLOUT.format(approval="{by: [ops], test_cases: [login]}"))
    project.write("shot.png", "a picture")
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    missing = project.wavegate("approve", code=40, LOGNAME="ann")
    assert "no result of test case 'login'" in error_of(missing)
    alone = project.wavegate("approve", "--evidence", "login=shot.png", code=40)
    assert "there is evidence of 'login', and no result" in error_of(alone)
    lost = project.wavegate("approve", "--case", "login=passed", "--evidence", "login=no.png", code=40)
    assert "cannot be read: no.png" in error_of(lost)
    project.wavegate("approve", "--case", "login=passed", "--evidence", "login=shot.png", LOGNAME="ann")
    [kept] = project.folder.glob(".wavegate/rollouts/*/evidence/*")
    assert kept.read_text() == "a picture"
    assert kept.stat().st_mode & 0o077 == 0
    sha256 = kept.name.partition("-")[0]
    project.wavegate("tick", LOGNAME="ci")
    *_, vote = json.loads(project.wavegate("report", "--json").stdout)["gates"][0]["votes"]
    assert vote["cases"] == [{"name": "login", "result": "passed", "evidence": "shot.png", "sha256": sha256}]


def test_who_starts_it_must_leave_enough_others_to_approve(project: Scratch) -> None:
    project.write("x.yml", ROLLOUT.format(approval="{by: [ops], required: 2}"))
    refused = project.wavegate("run", "x.yml", code=40, LOGNAME="ann")
    assert "gate go-on wants 2 approvals; ann starts it" in error_of(refused)
    project.wavegate("history", code=40)


def test_promote_passes_one_gate_once_and_stands_in_the_report_in_red(project: Scratch) -> None:
    project.write("x.yml", ROLLOUT.format(approval="{by: [ops]}"))
    (project.folder / "ill-one").touch()
    project.wavegate("run", "x.yml", code=30, LOGNAME="ci")
    unknown = project.wavegate("promote", "--gate", "goon", "--reason", "x", code=40)
    assert "it has no gate 'goon'" in error_of(unknown)
    done = project.wavegate("promote", "--gate", "go-on", "--reason", "the probe is wrong", LOGNAME="bob")
    assert "2/2" not in done.stdout
    html = project.wavegate("report", "--format", "html").stdout
    assert 'class="override"' in html
    report = json.loads(project.wavegate("report", "--json").stdout)
    gate = report["gates"][0]
    assert (gate["verdict"], gate["overridden_by"]) == ("fail", "bob")
    assert "overridden" in project.wavegate("report", "--format", "junit").stdout
    again = project.wavegate("promote", "--gate", "go-on", "--reason", "x", code=40)
    assert "does not keep it from going on" in error_of(again)


KEYGEN = shutil.which("ssh-keygen")


@pytest.fixture
def keys(project: Scratch) -> dict[str, Path]:
    """Keys of people; the allowed signers know ann's and the one that bob had until 2020."""
    assert KEYGEN, "signed votes need ssh-keygen"
    found = {}
    for name in ("ann", "bob", "eve"):
        found[name] = project.folder.parent / name
        subprocess.run([KEYGEN, "-q", "-t", "ed25519", "-N", "", "-f", found[name]], check=True)
    public = {name: path.with_suffix(".pub").read_text().strip() for name, path in found.items()}
    project.write("signers", f'ann {public["ann"]}\nbob valid-before="20200101" {public["bob"]}\n')
    project.write("x.yml", ROLLOUT.format(approval="{by: [ops], signed: true, allowed_signers: signers}"))
    return found


def sign_message(project: Scratch, key: Path, *words: str) -> Path:
    """Sign elsewhere: print the text, sign it by hand; return the signature's file."""
    message = project.folder.parent / "message"
    message.write_text(project.wavegate("approve", *words, "--message").stdout)
    assert KEYGEN
    Path(f"{message}.sig").unlink(missing_ok=True)
    subprocess.run([KEYGEN, "-q", "-Y", "sign", "-n", "wavegate-vote", "-f", key, message], check=True)
    return Path(f"{message}.sig")


def test_only_a_signature_that_holds_for_this_very_vote_counts(
    project: Scratch, keys: dict[str, Path]
) -> None:
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    replayed = sign_message(project, keys["ann"], "--as", "ann").rename(
        project.folder.parent / "replayed.sig"
    )
    project.wavegate("abort", "--reason", "once more")
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")

    def refuse(*words: str, code: int = 40, **env: str) -> str:
        return error_of(project.wavegate("approve", *words, code=code, **env))

    assert "wants signed votes" in refuse(LOGNAME="ann")
    assert "add --sign KEY" in refuse("--as", "ann", code=2)
    assert "by no key of ann" in refuse("--as", "ann", "--sign", str(keys["eve"]))
    assert "is not valid now" in refuse("--as", "bob", "--sign", str(keys["bob"]))
    assert "made for something else" in refuse("--as", "ann", "--signature", str(replayed))
    past = ["--expires", "2020-01-01T00:00Z"]
    expired = sign_message(project, keys["ann"], "--as", "ann", *past)
    assert "it has expired" in refuse("--as", "ann", *past, "--signature", str(expired))
    assert "has no timezone" in refuse("--expires", "2020-01-01T00:00", code=2)
    good = sign_message(project, keys["ann"], "--as", "ann")
    assert "made for something else" in refuse("--as", "ann", "--comment", "more", "--signature", str(good))
    assert "holds no SSH signature" in refuse("--as", "ann", "--signature", "x.yml")
    project.wavegate("approve", "--as", "ann", "--signature", str(good))
    project.wavegate("tick", LOGNAME="ci")
    votes = json.loads(project.wavegate("report", "--json").stdout)["gates"][0]["votes"]
    assert [vote["refused"] == "" for vote in votes] == [False] * 6 + [True]
    assert votes[-1]["key"].startswith("SHA256:")


def test_allowed_signers_are_those_that_were_frozen_with_the_plan(
    project: Scratch, keys: dict[str, Path]
) -> None:
    project.wavegate("run", "x.yml", "--no-wait", code=20, LOGNAME="ci")
    project.write("signers", f"ann {keys['eve'].with_suffix('.pub').read_text()}")
    done = project.wavegate("approve", "--as", "ann", "--sign", str(keys["eve"]), code=40)
    assert "by no key of ann" in error_of(done)
    project.wavegate("approve", "--as", "ann", "--sign", str(keys["ann"]))


def test_a_missing_file_of_signers_is_told_before_anything_starts(project: Scratch) -> None:
    project.write("x.yml", ROLLOUT.format(approval="{signed: true, allowed_signers: keys/nobody}"))
    told = error_of(project.wavegate("run", "x.yml", code=40))
    assert "there is no file keys/nobody in the project" in told
    assert "gates.go-on.approval.allowed_signers" in told
