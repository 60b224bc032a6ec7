"""The intranet of the lab: a page, documents, and a health page that tells version and state."""

import configparser
import html
import json
import os
import socket
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import libintranet

VERSION = "@VERSION@"
# A version that turns bad does so this many seconds after its first good answer: it installs and starts
# well, and on a slow machine too it is the gate that finds out, not the procedure that installed it.
GOOD_SECONDS = float("@GOOD_SECONDS@")
CONFIGURATIONS = ("/usr/share/intranet/intranet.conf", "/etc/intranet/intranet.conf")
LONGEST_DOCUMENT = 65536


class Intranet(ThreadingHTTPServer):
    """The server with its documents."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, banner: str, documents: libintranet.Documents) -> None:
        super().__init__(("", port), Answer)
        self.banner = banner
        self.documents = documents
        self.first_asked = 0.0

    def is_failing(self) -> bool:
        """Return whether this version has begun to fail."""
        self.first_asked = self.first_asked or time.monotonic()
        return time.monotonic() - self.first_asked > GOOD_SECONDS


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Intranet
    server_version = f"intranet/{VERSION}"
    timeout = 10

    def do_GET(self) -> None:
        """Answer the page, the documents or the health page."""
        if self.path == "/healthz":
            self._health()
        elif self.path == "/documents":
            self._json(200, self.server.documents.all())
        elif self.path == "/":
            page = f"<!doctype html><title>Intranet</title><h1>{html.escape(self.server.banner)}</h1>"
            self._answer(200, "text/html; charset=utf-8", page)
        else:
            self._json(404, {"error": "not found"})

    def do_POST(self) -> None:
        """Keep a document: a JSON object with a title."""
        if self.path != "/documents":
            self._json(404, {"error": "not found"})
            return
        try:
            length = min(int(self.headers.get("Content-Length") or 0), LONGEST_DOCUMENT)
            document = {"title": str(json.loads(self.rfile.read(length))["title"])}
        except (ValueError, KeyError, TypeError):
            self._json(400, {"error": "a JSON object with a title is wanted"})
            return
        try:
            self._json(201, {"documents": self.server.documents.add(document)})
        except OSError as error:
            self._json(507, {"error": error.strerror})

    def log_message(self, *_: object) -> None:
        """Keep the journal for what matters."""

    def _health(self) -> None:
        failing = self.server.is_failing()
        state = {
            "version": VERSION,
            "state": "failing" if failing else "ok",
            "documents": len(self.server.documents.all()),
            "library": libintranet.VERSION,
        }
        self._json(503 if failing else 200, state)

    def _json(self, status: int, data: object) -> None:
        self._answer(status, "application/json", json.dumps(data) + "\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def notify_ready() -> None:
    """Tell systemd that requests are answered from now on (sd_notify(3))."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(b"READY=1", address.replace("@", "\0", 1))


def main() -> None:
    """Serve until stopped."""
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(CONFIGURATIONS, encoding="utf-8")
    section = configuration["intranet"]
    documents = libintranet.Documents(Path(section["data_dir"]))
    server = Intranet(section.getint("port"), section["banner"], documents)
    notify_ready()
    server.serve_forever()


if __name__ == "__main__":
    main()
