"""What all tests of the role share."""

import http.client
import json
import os
import socket
import ssl
from pathlib import Path

import pytest

NAME = "shop.example.org"
PROGRAM = Path(__file__).parents[3] / "roles" / "nginx" / "files" / "nginx.py"
FETCH = """
import http.client, json, sys
port, host, path = int(sys.argv[1]), sys.argv[2], sys.argv[3]
line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
line.request("GET", path, headers={"Host": host})
answer = line.getresponse()
print(json.dumps([answer.status, dict(answer.getheaders()), answer.read().decode()]))
"""


@pytest.fixture
def unit():
    """Return the systemd unit of the role."""
    return "nginx"


@pytest.fixture
def fetch(host):
    """Return a function that returns status, headers and text of an answer without TLS."""
    return lambda name, path="/", port=80: json.loads(
        host.check_output("python3 -c %s %s %s %s", FETCH, str(port), name, path)
    )


@pytest.fixture
def out(host):
    """Return which members are out, by upstream."""
    return json.loads(host.check_output("python3 -c %s look", PROGRAM.read_text()))["out"]


@pytest.fixture
def other(host):
    """Return the name of the other host, which is drained here."""
    return {"nginx-12": "nginx-13", "nginx-13": "nginx-12"}[host.check_output("hostname")]


@pytest.fixture
def versions(host):
    """Return the installed version of each package, None where it is not installed."""
    found = {name: host.package(name) for name in ("nginx", "nginx-common")}
    return {name: package.version if package.is_installed else None for name, package in found.items()}


@pytest.fixture
def visit(host):
    """Return a function that asks the shop with TLS, from here, and trusts only the test's own authority."""
    address = host.check_output("hostname -I").split()[0]
    authority = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "tls" / "authority.crt"
    context = ssl.create_default_context(cafile=authority)

    def ask(path):
        with socket.create_connection((address, 443), timeout=5) as plain:
            line = http.client.HTTPSConnection(NAME, timeout=5)
            line.sock = context.wrap_socket(plain, server_hostname=NAME)
            serial = line.sock.getpeercert()["serialNumber"]
            line.request("GET", path, headers={"Connection": "close"})
            answer = line.getresponse()
            return answer.status, serial, answer.read().decode()

    return ask
