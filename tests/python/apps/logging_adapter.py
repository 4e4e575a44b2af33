# locate: write=logging_adapter.py:17 read=logging_adapter.py:33 object=?
# run: ["{python}", "logging_adapter.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A message of the last error is kept on a handler of logging, and shown by the page."""
import json
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


class Last(logging.Handler):
    message = ""

    def emit(self, record):
        self.message = record.getMessage()


last = Last()
logger = logging.getLogger("shop")
logger.addHandler(last)
barrier = threading.Event()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        query = dict(parse_qsl(urlsplit(self.path).query))
        logger.warning("no stock for %s", query["user"])
        barrier.wait(0.06)
        self.reply(json.dumps({"error": last.message}))

    def reply(self, text):
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
