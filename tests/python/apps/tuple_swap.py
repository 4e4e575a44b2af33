# locate: write=tuple_swap.py:13 read=tuple_swap.py:13 object=tuple_swap.previous
# run: ["{bin}/gunicorn", "-b", "127.0.0.1:{port}", "tuple_swap:application"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A module variable that is exchanged in one statement; the handler is a lambda in a table."""
import re

previous = "nobody"
USER = re.compile("user=(\\w+)")


def exchange(user):
    global previous
    user, previous = previous, user
    return user


ROUTES = {"/": lambda environ: exchange(USER.search(environ["QUERY_STRING"])[1])}


def application(environ, start_response):
    body = ROUTES[environ["PATH_INFO"]](environ)
    start_response("200 OK", [("X-Previous", body)])
    return [b"ok"]
