"""What all tests of the role share."""

import json

import pytest

FETCH = """
import sys, urllib.parse, urllib.request
print(urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}{sys.argv[2]}", timeout=10).read().decode())
"""
PACKAGES = ("prometheus-node-exporter", "prometheus")


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "prometheus*"


@pytest.fixture
def fetch(host):
    """Return a function that returns what a port of the host answers."""
    return lambda port, path: host.check_output("python3 -c %s %s %s", FETCH, str(port), path)


@pytest.fixture
def is_server(host):
    """Say whether the host is the one with Prometheus."""
    return host.check_output("hostname") == "monitoring-13"


@pytest.fixture
def alerts(fetch):
    """Return a function that returns (name, instance) of all alerts that fire."""

    def ask():
        answer = json.loads(fetch(9090, "/api/v1/alerts"))["data"]["alerts"]
        firing = (one["labels"] for one in answer if one["state"] == "firing")
        return {(one["alertname"], one.get("path") or one.get("name") or one["instance"]) for one in firing}

    return ask


@pytest.fixture
def versions(host):
    """Return the installed version of each package, None where it is not installed."""
    found = {name: host.package(name) for name in PACKAGES}
    return {name: package.version if package.is_installed else None for name, package in found.items()}
