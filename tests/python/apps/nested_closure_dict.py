# locate: write=nested_closure_dict.py:18 read=nested_closure_dict.py:19 object=nested_closure_dict.banner.<closure> store['()']
# run: ["{bin}/waitress-serve", "--listen=127.0.0.1:{port}", "nested_closure_dict:app"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A decorator of the application that remembers results by arguments, of which there are none."""
from functools import wraps
from urllib.parse import parse_qs
import threading

local = threading.local()


def memoize(function):
    store = {}

    @wraps(function)
    def inner(*args):
        if args not in store:
            store[args] = function(*args)
        return store[args]

    return inner


@memoize
def banner():
    return "<b>" + local.user + "</b>"


def app(environ, start_response):
    local.user = parse_qs(environ["QUERY_STRING"])["user"][0]
    start_response("200 OK", [("Content-Type", "text/html")])
    return (part.encode() for part in [banner()])
