# locate: write=lru_cached.py:19 read=lru_cached.py:19 object=?
# run: ["{bin}/waitress-serve", "--listen=127.0.0.1:{port}", "lru_cached:application"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A function that lru_cache keeps, though what it gives depends on who asks."""
import threading
from functools import lru_cache
from urllib.parse import parse_qs

request = threading.local()


@lru_cache(maxsize=None)
def greeting(language):
    return {"en": "Hello"}[language] + ", " + request.user


def application(environ, start_response):
    request.user = parse_qs(environ["QUERY_STRING"])["user"][0]
    body = greeting("en").encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
