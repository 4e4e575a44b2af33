# locate: write=queue_pool.py:16 read=queue_pool.py:17 object=?
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "queue_pool:application"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A pool of buffers in a queue; a buffer is not emptied before it is given back."""
import io
import queue
from urllib.parse import parse_qs

pool = queue.SimpleQueue()
pool.put(io.StringIO())


def application(environ, start_response):
    user = parse_qs(environ["QUERY_STRING"])["user"][0]
    buffer = pool.get()
    buffer.write(f"hello {user}\n")
    body = buffer.getvalue().encode()
    pool.put(buffer)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
