# locate: write=gevent_deque.py:14 read=gevent_deque.py:16 object=gevent_deque.jobs
# run: ["{bin}/gunicorn", "-k", "gevent", "-b", "127.0.0.1:{port}", "gevent_deque:application"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""Greenlets that hand work over by a deque and take whatever is in it."""
import time
from collections import deque
from urllib.parse import parse_qs

jobs = deque(maxlen=20)


def application(environ, start_response):
    user = parse_qs(environ["QUERY_STRING"])["user"][0]
    jobs.append({"user": user})
    time.sleep(0.06)
    job = jobs.pop()
    body = f"done for {job['user']}".encode()
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
