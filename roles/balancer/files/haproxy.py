"""Ask a running HAProxy about one server, drain it, or put it back; print one line of JSON.

Arguments: SOCKET STATE_FILE BACKEND VERB [SERVER [SECONDS]]. Verbs: `look`, `drain` (waits at most SECONDS
until no request is in it), `undrain`, `servers` (which it has, after writing down who is drained).
"""

import csv
import io
import json
import os
import socket
import sys
import time

MAINTENANCE, DRAINED = 0x01, 0x08  # what a person can set; see `show servers state` in HAProxy's manual
RUNNING = 2


class Refused(Exception):
    """What is wrong, for a person."""


def ask(path, command):
    """Return what HAProxy answers on its socket."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(10)
        line.connect(path)
        line.sendall(command.encode() + b"\n")
        parts = []
        while part := line.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def change(path, command):
    """Have HAProxy change something; it answers with nothing when it did."""
    said = ask(path, command).strip()
    if said:
        raise Refused(f"HAProxy refused {command!r}: {said}")


def servers(path, backend):
    """Return {server: {"drained", "maintenance", "up"}} of a backend."""
    text = ask(path, f"show servers state {backend}")
    version, *lines = text.splitlines() or [""]
    if version.strip() != "1" or not lines:
        raise Refused(f"HAProxy does not know {backend!r}: {text.strip()}")
    names, *entries = [line.lstrip("# ").split() for line in lines if line.strip()]
    return {row["srv_name"]: read_state(row) for row in (dict(zip(names, entry)) for entry in entries)}


def read_state(row):
    """Return what a row of `show servers state` says."""
    admin = int(row["srv_admin_state"])
    return {
        "drained": bool(admin & DRAINED),
        "maintenance": bool(admin & MAINTENANCE),
        "up": int(row["srv_op_state"]) == RUNNING,
    }


def look(path, backend, server):
    """Return the state of one server."""
    known = servers(path, backend)
    if server not in known:
        raise Refused(f"HAProxy has no server {server!r} in {backend!r}; it has {', '.join(sorted(known))}")
    return known[server]


def sessions(path, backend, server):
    """Return how many requests are in the server now."""
    table = csv.DictReader(io.StringIO(ask(path, "show stat").lstrip("# ")))
    return next(int(row["scur"]) for row in table if (row["pxname"], row["svname"]) == (backend, server))


def drain(path, backend, server, seconds):
    """Send no new request to the server, and return when none is in it any more."""
    change(path, f"set server {backend}/{server} state drain")
    deadline = time.monotonic() + seconds
    while left := sessions(path, backend, server):
        if time.monotonic() >= deadline:
            raise Refused(f"{server} is drained, and after {seconds:g} s there are still {left} requests in it")
        time.sleep(0.1)


def undrain(path, backend, server):
    """Put the server back; return why not, "" when it is. Whoever put it into maintenance had a reason."""
    if look(path, backend, server)["maintenance"]:
        return "somebody has put it into maintenance"
    change(path, f"set server {backend}/{server} state ready")
    return ""


def keep(path, file):
    """Write down, as a whole, who is drained."""
    text = ask(path, "show servers state")
    with open(f"{file}.new", "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(f"{file}.new", file)


def act(path, file, backend, verb, server="", seconds="0"):
    """Do what is asked and return what a role wants to know."""
    if verb == "servers":
        keep(path, file)
        return {"servers": servers(path, backend), "changed": False}
    before = look(path, backend, server)
    if verb == "look":
        return {**before, "changed": False}
    left = ""
    try:
        if verb == "drain":
            drain(path, backend, server, float(seconds))
        else:
            left = undrain(path, backend, server)
    finally:
        keep(path, file)
    after = look(path, backend, server)
    return {**after, "changed": after["drained"] != before["drained"], "left_alone": left}


if __name__ == "__main__":
    try:
        print(json.dumps(act(*sys.argv[1:])))
    except (Refused, OSError) as error:
        sys.exit(f"{error} (asked at {sys.argv[1]})")
