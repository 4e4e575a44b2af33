"""Clean: several workers, threads, a random pause; each reply names the process and thread that made it."""

import os
import random
import threading
import time
from urllib.parse import parse_qsl


def wsgi(environ, start_response):
    user = dict(parse_qsl(environ["QUERY_STRING"])).get("user", "guest")
    time.sleep(random.uniform(0, 0.01))
    body = f"Hello, {user}, from process {os.getpid()}, thread {threading.get_ident()}\n".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
