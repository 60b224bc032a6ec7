"""What the team wants of every intranet host: an example of a suite for rollouts/probes-testinfra.yml."""

from __future__ import annotations


def test_the_service_runs(host):
    assert host.service("intranet").is_running, "intranet does not run"


def test_it_listens_where_the_balancer_looks(host):
    assert host.socket("tcp://0.0.0.0:8080").is_listening, "nothing listens on port 8080"


def test_its_programs_belong_to_root(host):
    assert host.file("/usr/lib/intranet/server.py").user == "root"
