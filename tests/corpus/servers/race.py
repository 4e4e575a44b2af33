"""A module global that is wrong for two milliseconds, behind several workers with threads: GitHub's sessions of March 2021
were swapped by such a race. Every worker has a global of its own, which makes two requests meet more seldom."""

import threading
import time
from urllib.parse import parse_qsl

current = {}
lock = threading.Lock()


def lookup(email):
    current["email"] = email
    time.sleep(0.002)
    return f"account of {current['email']}\n"


def wsgi(environ, start_response):
    email = dict(parse_qsl(environ["QUERY_STRING"])).get("email", "nobody")
    if environ["PATH_INFO"] == "/locked/":
        with lock:  # the same global, but nobody else gets in between
            body = lookup(email)
    else:
        body = lookup(email)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]
