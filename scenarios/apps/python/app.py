"""One small app, twice: `app:wsgi` for gunicorn and `app:asgi` for uvicorn.

No framework, so that nothing stands between a server and its handlers. What a framework would do is done the same way:
a handler written with plain `def` runs in a pool of 40 threads under ASGI, as under Starlette and FastAPI.

    /sync_sleep/?sleep=0.1           WSGI: time.sleep    ASGI: time.sleep in the thread pool
    /async_sleep/?sleep=0.1          WSGI: time.sleep    ASGI: await asyncio.sleep
    /blocking_sleep/?sleep=0.1       WSGI: time.sleep    ASGI: time.sleep on the event loop
    /dirty/?sleep=0.3&email=dev      shows an e-mail that it kept in a shared object while it slept
    /clean/?sleep=0.3&email=dev      shows an e-mail that it kept in a local variable while it slept
    /health                          answers at once
    /                                is the view that the environment names: VIEW=async_sleep
"""

import asyncio
import html
import inspect
import logging
import os
import re
import time
from urllib.parse import parse_qsl

import anyio.to_thread

UNITS = {"": 1, "s": 1, "ms": 1 / 1000, "us": 1 / 1_000_000}


class BadRequest(Exception):
    pass


def seconds(query):
    """The query's `sleep`: plain seconds (0.1) or a number with a unit (100ms)."""
    text = query.get("sleep", "0")
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(us|ms|s|)", text)
    if not match:
        raise BadRequest(f"sleep is not a duration: {text!r}; try 0.1 or 100ms")
    return float(match[1]) * UNITS[match[2]]


def page(email):
    return f"<!doctype html>\n<title>Account</title>\n<p>Hello, {html.escape(email)}</p>\n"


class Account:
    """Made once per process, below: every request of a worker reads and writes the same one."""

    email = ""


account = Account()


def health(query):
    return "ok\n"


# WSGI: a request has its worker (sync), its thread (gthread) or its greenlet (gevent) for itself, so handlers just block.
# Under gevent, gunicorn has replaced time.sleep by one that lets other greenlets run.


def wsgi_sleep(query):
    time.sleep(seconds(query))
    return "slept\n"


def wsgi_dirty(query):
    account.email = query.get("email", "")
    time.sleep(seconds(query))  # with threads or greenlets, other requests run here, and may write account.email
    return page(account.email)


def wsgi_clean(query):
    email = query.get("email", "")
    time.sleep(seconds(query))
    return page(email)


WSGI_VIEWS = {
    "sync_sleep": wsgi_sleep,
    "async_sleep": wsgi_sleep,
    "blocking_sleep": wsgi_sleep,
    "dirty": wsgi_dirty,
    "clean": wsgi_clean,
    "health": health,
}


# ASGI: all requests of a worker share one thread, which goes on with another request at each `await`.

# gunicorn logs no requests unless asked to. uvicorn does, which costs it a third of its throughput: compare like with like.
logging.getLogger("uvicorn.access").handlers.clear()


def asgi_sync_sleep(query):
    time.sleep(seconds(query))  # a plain `def`: in the thread pool, see call(), so this blocks one of 40 threads
    return "slept\n"


async def asgi_async_sleep(query):
    await asyncio.sleep(seconds(query))
    return "slept\n"


async def asgi_blocking_sleep(query):
    time.sleep(seconds(query))  # the classic mistake: no other request of this worker gets anywhere meanwhile
    return "slept\n"


async def asgi_dirty(query):
    account.email = query.get("email", "")
    await asyncio.sleep(seconds(query))  # other requests run here, and may write account.email
    return page(account.email)


async def asgi_clean(query):
    email = query.get("email", "")
    await asyncio.sleep(seconds(query))
    return page(email)


async def asgi_health(query):  # `async`, so that it needs no thread of the pool and answers also while that is busy
    return health(query)


ASGI_VIEWS = {
    "sync_sleep": asgi_sync_sleep,
    "async_sleep": asgi_async_sleep,
    "blocking_sleep": asgi_blocking_sleep,
    "dirty": asgi_dirty,
    "clean": asgi_clean,
    "health": asgi_health,
}


DEFAULT_VIEW = os.environ.get("VIEW", "sync_sleep")
if DEFAULT_VIEW not in WSGI_VIEWS:
    raise SystemExit(f"VIEW={DEFAULT_VIEW} is no view; there are {', '.join(WSGI_VIEWS)}")


def find(views, path):
    return views.get(path.strip("/") or DEFAULT_VIEW)


def headers(body):
    kind = "text/html" if body.startswith("<") else "text/plain"
    return [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body.encode())))]


def wsgi(environ, start_response):
    view = find(WSGI_VIEWS, environ["PATH_INFO"])
    status, body = "404 Not Found", "not found\n"
    if view:
        try:
            status, body = "200 OK", view(dict(parse_qsl(environ["QUERY_STRING"])))
        except BadRequest as error:
            status, body = "400 Bad Request", f"{error}\n"
    start_response(status, headers(body))
    return [body.encode()]


async def call(view, query):
    if inspect.iscoroutinefunction(view):
        return await view(query)
    return await anyio.to_thread.run_sync(view, query)  # 40 threads; a 41st request waits for one of them


async def asgi(scope, receive, send):
    assert scope["type"] == "http"  # there is nothing to do for `lifespan`; servers take a refusal for that
    view = find(ASGI_VIEWS, scope["path"])
    status, body = 404, "not found\n"
    if view:
        try:
            status, body = 200, await call(view, dict(parse_qsl(scope["query_string"].decode("latin-1"))))
        except BadRequest as error:
            status, body = 400, f"{error}\n"
    fields = [(name.lower().encode(), value.encode()) for name, value in headers(body)]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body.encode()})
