# locate: write=decorated_closure.py:16 read=decorated_closure.py:18 object=decorated_closure.with_user.<closure> user
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "decorated_closure:application"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A decorator keeps the user in a variable of its own, which all calls share."""
import functools
import time
from urllib.parse import parse_qs


def with_user(view):
    user = None

    @functools.wraps(view)
    def inner(environ):
        nonlocal user
        user = parse_qs(environ["QUERY_STRING"])["user"][0]
        view(environ)
        return f"hello {user}"

    return inner


@with_user
def page(environ):
    time.sleep(0.08)


def application(environ, start_response):
    body = page(environ).encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
