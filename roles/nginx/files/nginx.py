"""Prove that nginx runs what its configuration says, take a member out or put it back; print JSON.

Arguments: VERB [ARGUMENT...]. Verbs: `look` (who is out), `tidy` (remove certificates that nobody uses),
`prove SECONDS`, `sites SECONDS SITES` (ask each of them), `drain MEMBER UPSTREAMS SECONDS LAST`,
`undrain MEMBER UPSTREAMS SECONDS`, `out MEMBERS SECONDS` (have exactly these out). SITES, UPSTREAMS, LAST and
MEMBERS are JSON.
"""

import contextlib
import fcntl
import hashlib
import http.client
import json
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import time

FOLDER = "/etc/nginx"
FILE = f"{FOLDER}/nginx.conf"
CERTIFICATES = f"{FOLDER}/tls"
PID = "/run/nginx.pid"
BLANK = "@digest@"
DIGEST = re.compile(r'"configuration ([0-9a-f]{64})\\n"')
STATUS = re.compile(r"listen 127\.0\.0\.1:(\d+); # status")
UPSTREAM = re.compile(r"^    upstream (\S+) \{$", re.MULTILINE)
MEMBER = re.compile(
    r"^(?P<start> {8}server (?P<address>\S+)[^;]*?)(?P<down> down)?; # member (?P<name>\S+)$", re.MULTILINE
)


class Refused(Exception):
    """What is wrong, for a person."""


def read():
    """Return the configuration."""
    return pathlib.Path(FILE).read_text()


def digest_of(text):
    """Return the digest that a configuration says of itself, "" where the role did not write it."""
    found = DIGEST.search(text)
    return found[1] if found else ""


def is_as_written(text):
    """Say whether nobody but the role has changed the configuration."""
    said = digest_of(text)
    return bool(said) and hashlib.sha256(text.replace(said, BLANK).encode()).hexdigest() == said


def signed(text):
    """Return the configuration with the digest of what it says now."""
    body = text.replace(digest_of(text), BLANK)
    return body.replace(BLANK, hashlib.sha256(body.encode()).hexdigest())


def members(text):
    """Return {upstream: {member: (whether it is out, its address)}}."""
    heads = list(UPSTREAM.finditer(text))
    ends = [head.start() for head in heads[1:]] + [len(text)]
    return {
        head[1]: {
            found["name"]: (bool(found["down"]), found["address"])
            for found in MEMBER.finditer(text, head.end(), end)
        }
        for head, end in zip(heads, ends)
    }


def with_member(text, upstream, member, out):
    """Return the configuration with one member of one upstream out, or in."""
    head = next(found for found in UPSTREAM.finditer(text) if found[1] == upstream)
    line = next(found for found in MEMBER.finditer(text, head.end()) if found["name"] == member)
    changed = f"{line['start']}{' down' if out else ''}; # member {member}"
    return text[: line.start()] + changed + text[line.end() :]


@contextlib.contextmanager
def alone():
    """Keep others of this program from changing the configuration at the same time."""
    folder = os.open(FOLDER, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def check(file):
    """Have nginx read a whole configuration."""
    done = subprocess.run(["nginx", "-t", "-q", "-c", file], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"nginx refuses its configuration: {done.stderr.strip()}")


def write(text):
    """Replace the configuration as a whole, after nginx has read it."""
    handle, candidate = tempfile.mkstemp(prefix=".nginx.conf.", dir=FOLDER)
    try:
        with os.fdopen(handle, "w") as stream:
            os.fchmod(stream.fileno(), 0o644)
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        check(candidate)
        os.replace(candidate, FILE)
    except BaseException:
        os.unlink(candidate)
        raise


def master():
    """Return the process id of nginx, None where it does not run."""
    with contextlib.suppress(OSError, ValueError):
        pid = int(pathlib.Path(PID).read_text())
        if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == "nginx":
            return pid
    return None


def workers():
    """Return {process id: whether it is leaving} of the processes that serve requests."""
    pid, found = master(), {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            title = (folder / "cmdline").read_bytes().rstrip(b"\0").decode(errors="replace")
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            if title.startswith("nginx: worker process") and int(parent) == pid:
                found[int(folder.name)] = "shutting down" in title
    return found


def is_outdated():
    """Say whether the running program was replaced on the disk, as a patch does."""
    pid = master()
    return pid is not None and os.readlink(f"/proc/{pid}/exe").endswith(" (deleted)")


def running(text):
    """Return the digest of the configuration that nginx runs, "" where none answers."""
    port = STATUS.search(text)
    if not port:
        return ""
    line = http.client.HTTPConnection("127.0.0.1", int(port[1]), timeout=5)
    try:
        line.request("GET", "/configuration")
        return line.getresponse().read(200).decode(errors="replace").removeprefix("configuration ").strip()
    except (OSError, http.client.HTTPException):
        return ""
    finally:
        line.close()


def control(verb):
    """Have systemd reload or restart nginx."""
    done = subprocess.run(["systemctl", verb, "nginx"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"systemctl {verb} nginx: {done.stderr.strip()}")


def await_that(holds, end):
    """Say whether something came true before the end."""
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def last_errors():
    """Return what nginx complained about last."""
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/var/log/nginx/error.log").read_text(errors="replace").splitlines()
        return " | ".join(line for line in lines[-20:] if re.search(r"\[(emerg|alert|crit|error)\]", line))[
            -600:
        ]
    return ""


def run_it(text, end, verb="reload"):
    """Have nginx run the configuration on the disk. A reload that nginx refuses goes unnoticed by systemd."""
    before = {pid for pid, leaving in workers().items() if not leaving}
    control(verb)
    wanted = digest_of(text)

    def is_in_force():
        now = workers()
        return running(text) == wanted and all(now.get(pid, True) for pid in before)

    if not await_that(is_in_force, end):
        raise Refused(f"nginx does not run its new configuration after a {verb}; it said: {last_errors()}")


def tidy(text):
    """Remove certificates and keys that the configuration does not name any more; return their names."""
    left = [path for path in pathlib.Path(CERTIFICATES).glob("*") if str(path) not in text]
    for path in left:
        path.unlink()
    return [path.name for path in left]


def look():
    """Return who is out."""
    try:
        found = members(read())
    except FileNotFoundError:
        found = {}
    return {
        "out": {
            upstream: [name for name, (out, _) in them.items() if out] for upstream, them in found.items()
        },
        "members": {upstream: list(them) for upstream, them in found.items()},
        "changed": False,
    }


def prove(seconds):
    """Have nginx run the configuration on the disk with the program on the disk, and see that it does."""
    end = time.monotonic() + float(seconds)
    with alone():
        text = read()
        check(FILE)
        if master() is None:
            raise Refused(f"nginx does not run; it said: {last_errors()}")
        did = "restart" if is_outdated() else "reload" if running(text) != digest_of(text) else ""
        if did:
            run_it(text, end, did)
        removed = tidy(text)
    return {"did": did, "removed": removed, "changed": bool(did or removed)}


def connections(address):
    """Return how many connections nginx has to an address."""
    host, _, port = address.rpartition(":")
    wanted = {
        found[4][:2] for found in socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    }
    own = set()
    for pid in workers():
        for handle in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
            with contextlib.suppress(OSError):
                own.add(os.readlink(handle))
    count = 0
    for family, table in ((socket.AF_INET, "tcp"), (socket.AF_INET6, "tcp6")):
        with contextlib.suppress(OSError):
            for row in pathlib.Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = row.split()
                count += peer(family, fields[2]) in wanted and f"socket:[{fields[9]}]" in own
    return count


def peer(family, written):
    """Return the address and port that the kernel's table of connections tells."""
    number, _, port = written.partition(":")
    raw = bytes.fromhex(number)
    words = b"".join(
        raw[start : start + 4][:: 1 if sys.byteorder == "big" else -1] for start in range(0, len(raw), 4)
    )
    return socket.inet_ntop(family, words), int(port, 16)


def known(text, member, upstreams):
    """Return {upstream: (whether the member is out, its address)}, of the upstreams wanted or of all."""
    found = members(text)
    if not any(member in them for them in found.values()):
        names = sorted({name for them in found.values() for name in them})
        raise Refused(f"no upstream has a member {member!r}; there are {', '.join(names) or 'none'}")
    wanted = upstreams or list(found)
    return {name: found[name][member] for name in wanted if member in found.get(name, {})}


def drain(member, upstreams, seconds, last):
    """Send no new request to the member, and return when no process is left that could."""
    end = time.monotonic() + float(seconds)
    with alone():
        text = read()
        places = known(text, member, json.loads(upstreams))
        taken = [name for name, (out, _) in places.items() if not out]
        for name in taken:
            others = [one for one, (out, _) in members(text)[name].items() if one != member and not out]
            if not others and not json.loads(last):
                raise Refused(
                    f"{member} is the last member of {name} that is in: without it nobody would answer. Put"
                    " another one back first, or set nginx_drain_last"
                )
            text = with_member(text, name, member, True)
        if taken:
            write(signed(text))
            if master() is not None:
                run_it(read(), end)
    if not await_that(lambda: not any(workers().values()), end):
        # What still serves is a request from before; it may be one to another member.
        left = sum(connections(address) for address in {address for _, address in places.values()})
        if left:
            raise Refused(f"{member} is drained, and after {seconds} s there are still {left} requests in it")
    return {"taken": taken, "changed": bool(taken)}


def undrain(member, upstreams, seconds):
    """Put the member back."""
    with alone():
        text = read()
        places = known(text, member, json.loads(upstreams))
        back = [name for name, (out, _) in places.items() if out]
        for name in back:
            text = with_member(text, name, member, False)
        if back:
            write(signed(text))
            if master() is not None:
                run_it(read(), time.monotonic() + float(seconds))
    return {"places": list(places), "changed": bool(back)}


def out(wanted, seconds):
    """Have exactly these members out, of those that the configuration has."""
    wanted = json.loads(wanted)
    with alone():
        text = read()
        changed = []
        for upstream, them in members(text).items():
            for name, (is_out, _) in them.items():
                if is_out != (name in wanted.get(upstream, [])):
                    text = with_member(text, upstream, name, not is_out)
                    changed.append(f"{name} in {upstream}")
        if changed:
            write(signed(text))
            if master() is not None:
                run_it(read(), time.monotonic() + float(seconds))
    return {"changed_members": changed, "changed": bool(changed)}


def context_for(site):
    """Return how to speak TLS with a site: nothing but its own certificate is trusted."""
    context = ssl.create_default_context(cafile=site["certificate"])
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def ask(site):
    """Return what is wrong with the answer of a site, "" where nothing is."""
    try:
        with socket.create_connection(("127.0.0.1", site["port"]), timeout=5) as plain:
            line = http.client.HTTPConnection(site["host"], site["port"], timeout=5)
            line.sock = plain
            if site["certificate"]:
                line.sock = context_for(site).wrap_socket(plain, server_hostname=site["host"])
                first = pathlib.Path(site["certificate"]).read_text().partition("-----END CERTIFICATE-----")
                if line.sock.getpeercert(True) != ssl.PEM_cert_to_DER_cert(first[0] + first[1] + "\n"):
                    return "it shows another certificate than the one that was given"
            line.request("GET", site["path"], headers={"Host": site["host"], "Connection": "close"})
            status = line.getresponse().status
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    wanted = site["status"]
    is_good = status == wanted if wanted else status < 500
    return "" if is_good else f"HTTP {status}, wanted {wanted or 'below 500'}"


def sites(seconds, wanted):
    """Ask each site until it answers well; say of all what is wrong."""
    end = time.monotonic() + float(seconds)
    text = read()
    problems = {}
    if not is_as_written(text):
        raise Refused(
            f"{FILE} is not as the role wrote it: somebody has edited it; run the configure procedure"
        )
    if running(text) != digest_of(text):
        raise Refused(
            "nginx runs another configuration than the one on the disk; run the configure procedure"
        )

    def all_are_well():
        for site in json.loads(wanted):
            problems[site["name"]] = ask(site)
        return not any(problems.values())

    if not await_that(all_are_well, end):
        raise Refused("; ".join(f"site {name}: {problem}" for name, problem in problems.items() if problem))
    return {"asked": list(problems), "changed": False}


def clean():
    """Remove the certificates and keys of a configuration that was refused."""
    with alone():
        return {"removed": tidy(read()), "changed": True}


VERBS = {
    "look": look,
    "tidy": clean,
    "prove": prove,
    "sites": sites,
    "drain": drain,
    "undrain": undrain,
    "out": out,
}

if __name__ == "__main__":
    try:
        print(json.dumps(VERBS[sys.argv[1]](*sys.argv[2:])))
    except (Refused, OSError) as error:
        sys.exit(f"{error}")
