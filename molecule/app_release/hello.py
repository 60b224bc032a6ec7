"""A small application: its data must be in the form that its version knows (see migrate)."""

import hashlib
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = "@VERSION@"
FORM = 2 if VERSION.startswith("2") else 1
DATA = Path("/var/lib/hello/data.json")


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        form = json.loads(DATA.read_text())["form"] if DATA.exists() else FORM
        body = {
            "version": VERSION,
            "data": form,
            "arguments": sys.argv[1:],
            "greeting": os.environ["GREETING"],
            "token": hashlib.sha256(os.environ["TOKEN"].encode()).hexdigest(),
        }
        self.send_response(200 if form == FORM else 503)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


def main():
    if not DATA.exists():
        DATA.write_text(json.dumps({"form": FORM}))
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()


def migrate():
    DATA.write_text(json.dumps({"form": FORM}))
    print("migrated to", FORM, "as", os.environ["GREETING"], sys.argv[1:])
