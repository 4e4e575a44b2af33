# locate: write=threading_condition.py:19 read=threading_condition.py:21 object=threading_condition.batch.rows
# run: ["{python}", "threading_condition.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}", "apart": 0.03}
"""Requests are put together into a batch, and each takes the batch's first row."""
import sys
import threading
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIServer, make_server
from socketserver import ThreadingMixIn


class Batch:
    def __init__(self):
        self.lock = threading.Condition()
        self.rows = []

    def join(self, row):
        with self.lock:
            self.rows.insert(len(self.rows), row)
            self.lock.wait(0.08)
            first, *others = self.rows
            return first


batch = Batch()


def application(environ, start_response):
    user = parse_qs(environ["QUERY_STRING"])["user"][0]
    row = batch.join(dict(user=user, wants=1))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [row["user"].encode()]


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


make_server("127.0.0.1", int(sys.argv[1]), application, Server).serve_forever()
