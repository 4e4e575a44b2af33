# locate: write=default_argument.py:12 read=default_argument.py:13 object=default_argument.collect.<default seen>
# run: ["{python}", "default_argument.py", "{port}"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""http.server, and a list that is the default of an argument."""
import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


def collect(user, seen=[]):
    seen.append(user)
    return seen[-2:]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        user = parse_qs(urlsplit(self.path).query)["user"][0]
        body = json.dumps(collect(user)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
