"""Await one good answer of the service; exit 1 and say what was seen last where none comes.

Arguments: the port, the version that service and library must be at, and the seconds to wait at most.
"""

import json
import sys
import time
import urllib.error
import urllib.request

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def ask(port):
    """Return the answer of one request, or None and what went wrong."""
    try:
        with opener.open(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return json.loads(answer.read(10000)), None
    except urllib.error.HTTPError as error:
        return None, f"HTTP {error.code}: {error.read(200).decode(errors='replace')}"
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def is_good(answer, version):
    """Say whether service and library are well and at the version."""
    return (
        isinstance(answer, dict)
        and answer.get("state") == "ok"
        and answer.get("version") == version
        and answer.get("library") == version
    )


def await_good(port, version, seconds):
    """Return the good answer; leave with exit code 1 after that many seconds."""
    end = time.monotonic() + seconds
    while True:
        answer, trouble = ask(port)
        if is_good(answer, version):
            return answer
        if time.monotonic() > end:
            sys.exit(f"no good answer at version {version} on port {port} within {seconds:g} s; last seen: {trouble or answer}")
        time.sleep(0.2)


if __name__ == "__main__":
    print(json.dumps(await_good(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))
