"""What observations mean, as tables that read like sentences."""

from __future__ import annotations

import pytest

from wavegate.core.judgement import TROUBLES, ProgramEnd, Trouble, judge_command, judge_trouble, seconds_text
from wavegate.core.judgement_host import FreeSpace, HostExpectation, judge_host
from wavegate.core.judgement_http import HttpAnswer, HttpExpectation, equal_values, judge_http
from wavegate.core.outcomes import Reading

GOOD, BAD, ERROR = Reading.GOOD, Reading.BAD, Reading.ERROR


def wants(*statuses, **more):
    return HttpExpectation(statuses=statuses or (200,), **more)


def answers(status=200, body=b"", seconds=0.01, **more):
    return HttpAnswer(status=status, body=body, seconds=seconds, **more)


def wants_json(**values):
    return wants(values=values)


HTTP = [
    ("wanted status", wants(200), answers(200), GOOD, "answered 200 in 0.01 s"),
    ("one of several", wants(200, 204), answers(204), GOOD, "answered 204 in 0.01 s"),
    ("other status", wants(200), answers(503), BAD, "answered 503, wanted 200"),
    ("other than several", wants(200, 204), answers(500), BAD, "answered 500, wanted 200 or 204"),
    ("text in body", wants(text="ready"), answers(body=b"I am ready."), GOOD, "answered 200 in 0.01 s"),
    ("text not in body", wants(text="ready"), answers(body=b"wait"), BAD, '"ready" is not in the body'),
    (
        "text not in the part of an endless body",
        wants(text="ready"),
        answers(body=b"x", whole=False),
        BAD,
        '"ready" is not in the first MiB of the body',
    ),
    (
        "endless body that nobody asked about",
        wants(),
        answers(body=b"x", whole=False),
        GOOD,
        "answered 200 in 0.01 s",
    ),
    (
        "text in another charset",
        wants(text="grün"),
        answers(body="grün".encode("latin-1"), charset="ISO-8859-1"),
        GOOD,
        "answered 200 in 0.01 s",
    ),
    (
        "a made-up charset is read as utf-8",
        wants(text="grün"),
        answers(body="grün".encode(), charset="unicode_escape"),
        GOOD,
        "answered 200 in 0.01 s",
    ),
    (
        "compressed body",
        wants(text="ready"),
        answers(body=b"\x1f\x8b", encoding="gzip"),
        BAD,
        "answered in the encoding gzip, though it was asked for none",
    ),
    (
        "json value",
        wants_json(version="1.1"),
        answers(body=b'{"version": "1.1"}'),
        GOOD,
        "answered 200 in 0.01 s",
    ),
    (
        "other json value",
        wants_json(version="1.1"),
        answers(body=b'{"version": "1.0"}'),
        BAD,
        'json version is "1.0", wanted "1.1"',
    ),
    (
        "missing json value",
        wants_json(version="1.1"),
        answers(body=b"{}"),
        BAD,
        'json version: there is no "version" in the answer, wanted "1.1"',
    ),
    (
        "missing part of a path",
        wants(values={"service.state.name": "up"}),
        answers(body=b'{"service": {"name": "x"}}'),
        BAD,
        'json service.state.name: there is no "state" in "service", wanted "up"',
    ),
    (
        "path through a scalar",
        wants(values={"service.state": "up"}),
        answers(body=b'{"service": 3}'),
        BAD,
        'json service.state: there is no "state" in "service", which is 3, wanted "up"',
    ),
    (
        "list index",
        wants(values={"a.1.b": 2}),
        answers(body=b'{"a": [0, {"b": 2}]}'),
        GOOD,
        "answered 200 in 0.01 s",
    ),
    (
        "list index beyond the end",
        wants(values={"a.5": 2}),
        answers(body=b'{"a": [0]}'),
        BAD,
        'json a.5: there is no "5" in "a", wanted 2',
    ),
    (
        "value that is an object",
        wants_json(a="x"),
        answers(body=b'{"a": {"b": 1}}'),
        BAD,
        'json a is an object with 1 keys, wanted "x"',
    ),
    ("too slow", wants(max_latency=1.0), answers(seconds=2.5), BAD, "took 2.5 s, wanted at most 1 s"),
    ("just in time", wants(max_latency=1.0), answers(seconds=1.0), GOOD, "answered 200 in 1 s"),
    (
        "everything wrong is told",
        wants(200, values={"version": "1.1"}, max_latency=1.0),
        answers(503, b'{"version": "1.2"}', 1.5),
        BAD,
        'answered 503, wanted 200; json version is "1.2", wanted "1.1"; took 1.5 s, wanted at most 1 s',
    ),
]


@pytest.mark.parametrize(
    ("expected", "answer", "reading", "detail"), [c[1:] for c in HTTP], ids=[c[0] for c in HTTP]
)
def test_an_answer_is_judged_by_what_was_wanted(expected, answer, reading, detail):
    judgement = judge_http(expected, answer)
    assert (judgement.reading, judgement.detail) == (reading, detail)
    assert judgement.value == answer.seconds


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a": ', b'{"a": NaN}', b"\xff\xfe\xfa", b"[" * 100_000, b"1" * 5000],
    ids=["empty", "html", "half", "not-a-number", "no-text", "deep", "huge-number"],
)
def test_a_body_that_is_not_json_is_bad_where_json_was_wanted(body):
    judgement = judge_http(wants_json(a=1), answers(body=body))
    assert judgement.reading is BAD
    assert "JSON" in judgement.detail


def test_json_that_was_cut_off_is_bad_and_not_parsed():
    judgement = judge_http(wants_json(a=1), answers(body=b'{"a": 1}', whole=False))
    assert (judgement.reading, judgement.detail) == (
        BAD,
        "the body is longer than 1048576 bytes, too long for JSON",
    )


EQUAL = [
    ("1.1", '"1.1"', True),
    ("1.1", "1.1", True),
    ("1.10", "1.1", False),
    ("1.1", "1.10", False),
    ("1.10", "1.10", True),
    ("3", "3", True),
    ("3", "3.0", False),
    ("03", "3", False),
    ("True", "true", True),
    ("true", "true", True),
    ("false", "true", False),
    ("1", "true", False),
    ("None", "null", True),
    ("", "null", False),
    (3, "3", True),
    (3, "3.0", True),
    (3, '"3"', False),
    (1, "true", False),
    (0, "false", False),
    (True, "1", False),
    (True, "true", True),
    (None, "null", True),
    (None, "0", False),
    (0.1, "0.1", True),
    ([1, "2"], "[1, 2]", True),
    ([1], "[1, 2]", False),
    ({"a": "1"}, '{"a": 1}', True),
    ({"a": 1}, '{"a": 1, "b": 2}', False),
    ("[1]", "[1]", False),
]


@pytest.mark.parametrize(("expected", "written", "equal"), EQUAL)
def test_json_values_equal_what_a_template_writes(expected, written, equal):
    judgement = judge_http(wants_json(a=expected), answers(body=b'{"a": ' + written.encode() + b"}"))
    assert (judgement.reading is GOOD) is equal


def test_values_of_other_kinds_are_never_equal():
    assert not equal_values(3, {"a": 3})
    assert not equal_values([3], 3)


COMMANDS = [
    (0, ProgramEnd(0), GOOD, "ended with exit code 0"),
    (0, ProgramEnd(0, "all well", "a warning"), GOOD, "ended with exit code 0: all well"),
    (0, ProgramEnd(1, "trying", "it is down"), BAD, "ended with exit code 1, wanted 0: it is down"),
    (0, ProgramEnd(1, "it is down"), BAD, "ended with exit code 1, wanted 0: it is down"),
    (3, ProgramEnd(3), GOOD, "ended with exit code 3"),
    (3, ProgramEnd(0), BAD, "ended with exit code 0, wanted 3"),
    (0, ProgramEnd(-9), ERROR, "was killed by signal 9 before it could answer"),
]


@pytest.mark.parametrize(("expected", "end", "reading", "detail"), COMMANDS)
def test_a_program_is_judged_by_its_exit_code(expected, end, reading, detail):
    judgement = judge_command(expected, end)
    assert (judgement.reading, judgement.detail) == (reading, detail)


WELL = {
    "services": {"intranet": "active", "cron": "active"},
    "failed_units": [],
    "disk": {"/": {"free_percent": 45.04, "free_bytes": 5 * 2**30, "total_bytes": 11 * 2**30}},
    "load_per_core": 0.2,
    "memory_available_percent": 60.0,
    "reboot_required": False,
    "errors": {},
}


def host(**changes):
    return {**WELL, **changes}


def disk(percent, count=5 * 2**30):
    return {"/": {"free_percent": percent, "free_bytes": count, "total_bytes": 2**34}}


def asks(**wanted):
    return HostExpectation(**wanted)


TEN_PERCENT = asks(disk_free={"/": FreeSpace(percent=10)})
FIVE_GIB = asks(disk_free={"/": FreeSpace(bytes=5 * 2**30)})
INTRANET = asks(services=("intranet",))
HOSTS = [
    ("service active", INTRANET, host(), GOOD, "service intranet is active"),
    (
        "service failed",
        INTRANET,
        host(services={"intranet": "failed"}),
        BAD,
        "service intranet is failed, wanted active",
    ),
    (
        "service unknown to the answer",
        INTRANET,
        host(services={}),
        ERROR,
        "service intranet could not be measured: the host gave no answer to it",
    ),
    (
        "no systemd",
        INTRANET,
        host(services={}, errors={"services": "no systemctl"}),
        ERROR,
        "service intranet could not be measured: no systemctl",
    ),
    ("no failed units", asks(no_failed_units=True), host(), GOOD, "no failed units"),
    (
        "failed units",
        asks(no_failed_units=True),
        host(failed_units=["a.service", "b.mount"]),
        BAD,
        "2 failed units, wanted none: a.service, b.mount",
    ),
    (
        "units not measured",
        asks(no_failed_units=True),
        host(failed_units=None),
        ERROR,
        "failed units could not be measured: the host gave no answer to it",
    ),
    ("disk with enough", TEN_PERCENT, host(), GOOD, "/ has 45% free"),
    ("disk exactly enough", TEN_PERCENT, host(disk=disk(10)), GOOD, "/ has 10% free"),
    ("disk nearly enough", TEN_PERCENT, host(disk=disk(9.99)), BAD, "/ has 9.9% free, wanted at least 10%"),
    ("bytes with enough", FIVE_GIB, host(), GOOD, "/ has 5 GiB free"),
    (
        "bytes too few",
        FIVE_GIB,
        host(disk=disk(45, 5 * 2**30 - 1)),
        BAD,
        "/ has 4.99 GiB free, wanted at least 5 GiB",
    ),
    (
        "path not there",
        TEN_PERCENT,
        host(disk={}, errors={"/": "no such path"}),
        ERROR,
        "free space of / could not be measured: no such path",
    ),
    ("load", asks(load_per_core=4), host(), GOOD, "load per core is 0.2"),
    (
        "load barely too high",
        asks(load_per_core=4),
        host(load_per_core=4.001),
        BAD,
        "load per core is 4.01, wanted at most 4",
    ),
    (
        "load not measured",
        asks(load_per_core=4),
        host(load_per_core=None),
        ERROR,
        "load could not be measured: the host gave no answer to it",
    ),
    ("memory", asks(memory_free_percent=20), host(), GOOD, "memory has 60% free"),
    (
        "memory too low",
        asks(memory_free_percent=20),
        host(memory_available_percent=3.2),
        BAD,
        "memory has 3.2% free, wanted at least 20%",
    ),
    (
        "memory not measured",
        asks(memory_free_percent=20),
        host(memory_available_percent=None),
        ERROR,
        "free memory could not be measured: the host gave no answer to it",
    ),
    ("no reboot", asks(no_reboot_required=True), host(), GOOD, "no reboot is required"),
    (
        "reboot",
        asks(no_reboot_required=True),
        host(reboot_required=True),
        BAD,
        "a reboot is required, wanted none",
    ),
    (
        "reboot not measured",
        asks(no_reboot_required=True),
        host(reboot_required=None),
        ERROR,
        "whether a reboot is required could not be measured: the host gave no answer to it",
    ),
    (
        "all good things are told",
        asks(services=("intranet", "cron"), load_per_core=4),
        host(),
        GOOD,
        "service intranet is active; service cron is active; load per core is 0.2",
    ),
    (
        "all bad things are told, good ones are not",
        asks(services=("intranet", "cron"), disk_free={"/": FreeSpace(percent=10)}),
        host(services={"intranet": "failed", "cron": "active"}, disk=disk(4)),
        BAD,
        "service intranet is failed, wanted active; / has 4% free, wanted at least 10%",
    ),
    (
        "bad wins over not measured",
        asks(services=("intranet",), load_per_core=4),
        host(services={"intranet": "inactive"}, load_per_core=None),
        BAD,
        "service intranet is inactive, wanted active",
    ),
    (
        "not measured wins over good",
        asks(services=("intranet",), load_per_core=4),
        host(load_per_core=None),
        ERROR,
        "load could not be measured: the host gave no answer to it",
    ),
    (
        "nothing asked is no pass",
        asks(),
        host(),
        ERROR,
        "cannot be measured with these settings: nothing was asked of the host",
    ),
]


@pytest.mark.parametrize(
    ("expected", "state", "reading", "detail"), [c[1:] for c in HOSTS], ids=[c[0] for c in HOSTS]
)
def test_a_host_is_judged_by_everything_asked_of_it(expected, state, reading, detail):
    judgement = judge_host(expected, state)
    assert (judgement.reading, judgement.detail) == (reading, detail)


def test_an_empty_state_is_never_good():
    everything = HostExpectation(
        services=("a",),
        no_failed_units=True,
        disk_free={"/": FreeSpace(1, 1)},
        load_per_core=1,
        memory_free_percent=1,
        no_reboot_required=True,
    )
    assert judge_host(everything, {}).reading is ERROR


MEASURED_BAD = {
    Trouble.REFUSED,
    Trouble.RESET,
    Trouble.HOST_GONE,
    Trouble.NOT_ACCEPTED,
    Trouble.NOT_ANSWERED,
    Trouble.NOT_FINISHED,
    Trouble.BROKEN_OFF,
    Trouble.CERTIFICATE,
    Trouble.HANDSHAKE,
    Trouble.NOT_HTTP,
    Trouble.REDIRECTED_AWAY,
    Trouble.REDIRECTED_TOO_OFTEN,
}


@pytest.mark.parametrize("trouble", Trouble)
def test_what_the_service_does_is_bad_and_what_keeps_us_away_is_an_error(trouble):
    judgement = judge_trouble(trouble, "web:80", "2 s")
    assert judgement.reading is (BAD if trouble in MEASURED_BAD else ERROR)
    assert judgement.detail
    assert "{" not in judgement.detail


def test_every_trouble_has_a_sentence():
    assert set(TROUBLES) == set(Trouble)


def test_braces_in_what_was_seen_are_text():
    assert judge_trouble(Trouble.BROKEN_OFF, "a{b}", "{0}").detail == "a{b} broke off its answer: {0}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2, "2 s"),
        (2.0, "2 s"),
        (0.0123, "0.012 s"),
        (1.5, "1.5 s"),
        (0.0004, "less than 0.001 s"),
        (100, "100 s"),
    ],
)
def test_durations_read_as_people_write_them(seconds, text):
    assert seconds_text(seconds) == text


def test_the_load_is_the_number_of_a_host_that_is_asked_for_it():
    assert judge_host(asks(load_per_core=4), host(load_per_core=1.5)).value == 1.5
    assert judge_host(asks(load_per_core=1), host(load_per_core=1.5)).value == 1.5
    assert judge_host(asks(load_per_core=4), host(load_per_core=None)).value is None
    assert judge_host(asks(services=("intranet",)), host()).value is None
