"""What looks alike and is not: values that are kept by a cache, by a connection, and by the process.

    /path/      a cache in the process whose key is the path, as Flask-Caching's `cached` has it without `query_string`:
                it ends after 1.5 s
    /front/     a cache in front whose key is the URL: it says how old its answers are, and does not ask the handler
    /joined/    requests for one page at the same time share a call to the backend
    /context/   a context variable of a connection's own task, read before it is set (uvicorn#2167)
    /previous/  a global that is read before it is set: each visitor sees who came before

Below `/own/` each knows who asks."""

import asyncio
import time
from contextvars import ContextVar

import web

TTL = 1.5  # seconds
visitor = ContextVar("visitor", default="nobody")
kept, fronted, flying = {}, {}, {}
last = {"visitor": "nobody"}


def user_of(request):
    return request.query.get("user") or request.headers.get("x-user", "nobody")


async def account(request):
    await asyncio.sleep(0.01)
    return f"<h1>Account of {user_of(request)}</h1>"


def key_of(request, key):
    return (key, user_of(request) if request.path.startswith("/own/") else None)


async def path(request):
    key = key_of(request, request.path)
    made, body = kept.get(key, (None, None))
    if made is None or time.monotonic() - made > TTL:
        body = await account(request)
        kept[key] = (time.monotonic(), body)
    return body


async def front(request):
    key = key_of(request, request.target)
    if key not in fronted:
        fronted[key] = (time.monotonic(), await account(request))
        return 200, fronted[key][1], {"X-Cache": "MISS"}
    made, body = fronted[key]
    return 200, body, {"X-Cache": "HIT", "Age": int(time.monotonic() - made)}


async def joined(request):
    key = key_of(request, request.path)
    if key not in flying:
        flying[key] = asyncio.ensure_future(account(request))
        flying[key].add_done_callback(lambda _: flying.pop(key))
    return await asyncio.shield(flying[key])


async def context(request):
    before = visitor.get()
    visitor.set(user_of(request))
    return f"<p>Signed in as {user_of(request) if request.path.startswith('/own/') else before}</p>"


async def previous(request):
    before = last["visitor"]
    last["visitor"] = user_of(request)
    return f"<p>Signed in as {user_of(request) if request.path.startswith('/own/') else before}</p>"


class Connection(web.Connection):
    """All requests of a connection run in one context, as in a server that has a task for each connection."""

    def __init__(self, routes):
        super().__init__(routes)
        self.requests = asyncio.Queue()

    def connection_made(self, transport):
        super().connection_made(transport)
        self.task = asyncio.ensure_future(self.work())

    def next(self):
        while True:
            request, self.buffer = web.parse(self.buffer)
            if not request:
                return
            self.requests.put_nowait(request)

    async def work(self):
        while True:
            request = await self.requests.get()
            self.transport.write(web.response(await self.answer(request), request.closes))
            if request.closes:
                self.transport.close()


views = {"/path/": path, "/front/": front, "/joined/": joined, "/context/": context, "/previous/": previous}
web.serve(views | {f"/own{name}": view for name, view in views.items()}, connection=Connection)
