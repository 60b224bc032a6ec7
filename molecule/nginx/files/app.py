"""What is behind nginx: says who it is, at /slow in ten parts within two seconds. Argument: its name."""

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME = sys.argv[1]


class Server(ThreadingHTTPServer):
    """A server that takes many connections at once."""

    request_queue_size = 256


class Handler(BaseHTTPRequestHandler):
    """Answers everything."""

    def do_GET(self):
        """Say the name, at once or slowly."""
        parts = 10 if self.path == "/slow" else 1
        self.send_response(200)
        self.send_header("X-Member", NAME)
        self.send_header("Content-Length", str(parts * (len(NAME) + 1)))
        self.end_headers()
        for _ in range(parts):
            self.wfile.write(f"{NAME}\n".encode())
            time.sleep(0.2 if parts > 1 else 0)

    def log_message(self, *_):
        """Say nothing."""


Server(("", 8000), Handler).serve_forever()
