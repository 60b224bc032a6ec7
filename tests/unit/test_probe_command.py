"""The command probe with real programs."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.unit.probe_tools import measure_all, measure_one
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR, INCONCLUSIVE = Reading.GOOD, Reading.BAD, Reading.ERROR, Reading.INCONCLUSIVE


def sh(script, **more):
    return {"argv": ["sh", "-c", script], "exit_code": 0, **more}


def python(script, **more):
    return {"argv": [sys.executable, "-c", script], "exit_code": 0, **more}


CASES = [
    ("well", sh("true"), GOOD, "ended with exit code 0"),
    ("last words", sh("echo one; echo two; echo"), GOOD, "ended with exit code 0: two"),
    ("ill", sh("echo x; echo it is down >&2; exit 3"), BAD, "ended with exit code 3, wanted 0: it is down"),
    ("ill as wanted", sh("exit 3", exit_code=3), GOOD, "ended with exit code 3"),
    ("code from a template", sh("exit 3", exit_code="3"), GOOD, "ended with exit code 3"),
    ("killed itself", sh("kill -9 $$"), ERROR, "was killed by signal 9 before it could answer"),
    ("knows its target", sh("echo $WAVEGATE_TARGET"), GOOD, "ended with exit code 0: web1"),
    ("own variables", sh("echo $LEVEL", env={"LEVEL": 5}), GOOD, "ended with exit code 0: 5"),
    ("no input", sh("cat; echo end"), GOOD, "ended with exit code 0: end"),
    (
        "words that are no text",
        sh(r"printf '\377\n'"),
        GOOD,
        "ended with exit code 0: \N{REPLACEMENT CHARACTER}",
    ),
    (
        "no such program",
        {"argv": ["no-such-program-here"]},
        ERROR,
        "cannot be run: No such file or directory",
    ),
    ("not executable", {"argv": ["/etc/passwd"]}, ERROR, "cannot be run: Permission denied"),
    ("no program", {"argv": []}, ERROR, "argv names no program"),
    ("no list", {"argv": "rm -rf x"}, ERROR, 'argv is "rm -rf x", wanted a list'),
]


@pytest.mark.parametrize(
    ("settings", "reading", "detail"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_program_is_measured(settings, reading, detail):
    measurement = measure_one("command", settings)
    assert measurement.reading is reading, measurement.detail
    assert detail in measurement.detail


def test_arguments_are_never_read_by_a_shell():
    words = "$(touch /tmp/x); `id` 'a b'"
    measurement = measure_one("command", {"argv": ["echo", words]})
    assert measurement.detail == f"ended with exit code 0: {words}"


def alive(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def seen_gone(pid, seconds=5.0):
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        os.sched_yield()
    return not alive(pid)


def test_a_program_that_does_not_end_is_killed_with_its_children_and_measured_nothing(tmp_path):
    note = tmp_path / "pids"
    script = f"trap '' TERM; sleep 1000 & echo $$ $! > {note}; wait"
    start = time.monotonic()
    measurement = measure_one("command", sh(script), timeout=0.5)
    assert time.monotonic() - start < 3
    assert (measurement.reading, measurement.detail) == (ERROR, "sh did not end within 0.5 s and was killed")
    assert all(seen_gone(int(pid)) for pid in note.read_text().split())


def test_a_child_left_behind_delays_nobody_and_is_ended(tmp_path):
    note = tmp_path / "pid"
    start = time.monotonic()
    measurement = measure_one("command", sh(f"sleep 1000 & echo $! > {note}; echo done"))
    assert time.monotonic() - start < 3
    assert measurement.detail == "ended with exit code 0: done"
    assert seen_gone(int(Path(note).read_text()))


def test_a_flood_of_output_is_read_without_keeping_it():
    words = "import sys\nfor _ in range(400): sys.stdout.write('x' * 99999 + '\\n')\nprint('the end')"
    measurement = measure_one("command", python(words), timeout=30)
    assert measurement.detail == "ended with exit code 0: the end"


def test_a_line_that_was_cut_is_not_shown():
    measurement = measure_one("command", python("print('x' * 200_000)"), timeout=30)
    assert measurement.detail == "ended with exit code 0: (a line of more than 65536 bytes)"


def test_a_secret_in_the_output_is_redacted():
    measurement = measure_one(
        "command", sh("echo token s3cret"), redact=lambda text: text.replace("s3cret", "***")
    )
    assert measurement.detail == "ended with exit code 0: token ***"


def test_many_targets_are_asked_at_once_and_told_in_order():
    rendered = {f"web{n}": sh("sleep 0.3; echo $WAVEGATE_TARGET") for n in range(20)}
    start = time.monotonic()
    measurements = measure_all("command", rendered, timeout=20)
    assert time.monotonic() - start < 4
    assert [m.target for m in measurements] == list(rendered)
    assert all(m.detail.endswith(f": {m.target}") for m in measurements)


def asks(written, good="", bad="", **more):
    """Return the settings of a program that writes this text and is asked about it."""
    return python(
        f"import sys; sys.stdout.write({written!r})", output="json", good_when=good, bad_when=bad, **more
    )


LAG = '{"lag": 3, "value": 0.5, "nodes": ["a", "b"]}'
JSON = [
    ("good", asks(LAG, "result.lag < 5"), GOOD, "good_when (result.lag < 5) is true", 0.5),
    ("bad", asks(LAG, "result.lag < 2"), BAD, "good_when (result.lag < 2) is false", 0.5),
    (
        "both",
        asks(LAG, "result.lag < 2", "result.lag > 9"),
        INCONCLUSIVE,
        "and bad_when (result.lag > 9)",
        0.5,
    ),
    ("a number", asks(" 7 \n", "result == 7"), GOOD, "good_when (result == 7) is true", 7.0),
    (
        "a list",
        asks("[1, 2]", "", "result | length > 1"),
        BAD,
        "bad_when (result | length > 1) is true",
        None,
    ),
    ("no such key", asks(LAG, "result.leg < 5"), ERROR, "'dict object' has no attribute 'leg'", None),
    ("true is no number", asks("true", "result"), GOOD, "good_when (result) is true", None),
    ("a huge number", asks("1" + "0" * 400, "result > 1"), GOOD, "is true", None),
    ("no JSON", asks("lag: 3", "result"), ERROR, "the program wrote no proper JSON: Expecting value", None),
    ("nothing", asks("", "result"), ERROR, "the program wrote no proper JSON", None),
    ("words before it", asks("warning\n{}", "result"), ERROR, "the program wrote no proper JSON", None),
    ("two of it", asks("{}\n{}", "result"), ERROR, "no proper JSON: Extra data", None),
    ("NaN", asks('{"lag": NaN}', "", "result.lag > 5"), ERROR, "NaN is not JSON", None),
    ("nested without end", asks("[" * 60_000, "result"), ERROR, "nested too deeply", None),
    (
        "too much",
        asks("[" + "1," * 40_000 + "1]", "result"),
        ERROR,
        "wrote more than can be read as JSON",
        None,
    ),
    (
        "another exit code",
        sh("echo '{}'; exit 4", output="json", good_when="true or result"),
        BAD,
        "ended with exit code 4, wanted 0",
        None,
    ),
]


@pytest.mark.parametrize(
    ("settings", "reading", "detail", "value"), [case[1:] for case in JSON], ids=[case[0] for case in JSON]
)
def test_what_a_program_writes_is_judged_as_json(settings, reading, detail, value):
    measurement = measure_one("command", settings)
    assert measurement.reading is reading, measurement.detail
    assert detail in measurement.detail
    assert measurement.value == value
