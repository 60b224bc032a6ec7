"""Ask servers all the time, each request over a connection of its own, until a file appears.

Arguments: the authority's certificate, the file, and the addresses. Prints JSON: for each address how many
requests were answered, by whom, by which configurations (header X-Configuration), and what went wrong.
"""

import collections
import http.client
import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

NAME = "shop.example.org"
PAUSE = 0.1  # so that the load is on the servers' connections, and not on the machine that all run on


class Asked:
    """What became of the requests to one address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.good = 0
        self.members: collections.Counter[str] = collections.Counter()
        self.configurations: collections.Counter[str] = collections.Counter()
        self.bad: list[str] = []
        self.lock = threading.Lock()

    def ask(self, context: ssl.SSLContext, path: str) -> None:
        """Send one request and read the whole answer."""
        try:
            with socket.create_connection((self.address, 443), timeout=10) as plain:
                line = http.client.HTTPSConnection(NAME, timeout=10)
                line.sock = context.wrap_socket(plain, server_hostname=NAME)
                line.request("GET", path, headers={"Connection": "close"})
                answer = line.getresponse()
                answer.read()
                line.close()
        except (OSError, http.client.HTTPException) as error:
            with self.lock:
                self.bad.append(f"{path}: {type(error).__name__}: {error}")
            return
        with self.lock:
            if answer.status != 200:
                self.bad.append(f"{path}: HTTP {answer.status}")
                return
            self.good += 1
            self.members[answer.getheader("X-Member", "")] += 1
            self.configurations[answer.getheader("X-Configuration", "none")] += 1


def load(authority: str, end: Path, addresses: list[str]) -> dict[str, object]:
    """Ask until the file is there."""
    context = ssl.create_default_context(cafile=authority)
    all_asked = [Asked(address) for address in addresses]

    def keep_asking(asked: Asked, path: str) -> None:
        while not end.exists():
            asked.ask(context, path)
            time.sleep(PAUSE)

    threads = [
        threading.Thread(target=keep_asking, args=(asked, path))
        for asked in all_asked
        for path in ("/", "/", "/slow")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        asked.address: {
            "good": asked.good,
            "members": asked.members,
            "configurations": asked.configurations,
            "bad": asked.bad[:20],
        }
        for asked in all_asked
    }


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
