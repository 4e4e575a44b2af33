# locate: write=generator_state.py:22 read=generator_state.py:22 object=generator_state.visitors
# run: ["{bin}/gunicorn", "-b", "127.0.0.1:{port}", "generator_state:application"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A generator that remembers who came before."""
from urllib.parse import parse_qs


def remember():
    last = "nobody"
    while True:
        user = yield
        yield last
        last = user


visitors = remember()
next(visitors)


def application(environ, start_response):
    user = parse_qs(environ["QUERY_STRING"])["user"][0]
    before = visitors.send(user)
    next(visitors)
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield f"hello {user}, ".encode()
    yield f"before you came {before}".encode()
