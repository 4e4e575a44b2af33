"""The leaks that are planted, each as somebody has written it. A mechanism is wrapped around an operation's work.

`source`, `victim`, `both` and `arm` are generators, as all handlers of app.py: they run unchanged in threads and on an event
loop. `yield from work()` is the operation itself, which waits for some milliseconds, as for a query. `request.told` is what
the request alone may see again: who asks, or what was searched for or written.
"""

import contextvars
import functools
import io
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass
from urllib.parse import quote


@dataclass
class Join:
    """Waits for what another request of the process works on."""

    future: Future


@dataclass
class Later:
    """Has something done after the answer."""

    seconds: float
    action: object


class Gone:
    """Asks whether the client has left."""


class Middleware:
    """A middleware notes who asks in a module; whatever is rendered after a wait reads it there."""

    user = None

    def both(self, request, work):
        self.user = request.told
        response = yield from work()
        return response.show(self.user)


class GlobalSlot:
    """One operation notes who asks for as long as it works; another, slow one shows it."""

    user = None

    def source(self, request, work):
        self.user = request.told
        try:
            return (yield from work())
        finally:
            self.user = None

    def victim(self, request, work):
        response = yield from work()
        return response.show(self.user or request.told)


class OwnSlot:
    """An operation that gets its own user confused."""

    user = None

    def both(self, request, work):
        self.user = request.told
        response = yield from work()
        return response.show(self.user)


class CurrentUser:
    """A dictionary that operations write while they work; others read it after their wait."""

    def __init__(self):
        self.current = {}

    def source(self, request, work):
        self.current["user"] = request.told
        try:
            return (yield from work())
        finally:
            self.current.pop("user", None)

    def victim(self, request, work):
        response = yield from work()
        return response.show(self.current.get("user") or request.told)

    def writer(self, request, work):
        self.current["user"] = request.told
        response = yield from work()
        return response.show(self.current.get("user") or request.told)


class Serializer:
    """A buffer that is used again and again."""

    def __init__(self):
        self.buffer = io.StringIO()

    def both(self, request, work):
        self.buffer.seek(0)
        self.buffer.truncate()
        self.buffer.write(request.told or "")
        response = yield from work()
        return response.show(self.buffer.getvalue())


class SharedHeaders:
    """Headers of the response that is being made, in an object of the process."""

    def __init__(self):
        self.headers = {}

    def source(self, request, work):
        self.headers["x-rendered-for"] = quote(request.told or "")
        try:
            return (yield from work())
        finally:
            self.headers.pop("x-rendered-for", None)

    def victim(self, request, work):
        response = yield from work()
        response.headers.update({name: value for name, value in self.headers.items() if value})
        return response


class SingleFlight:
    """Who asks while the answer is being made gets that one; the user is not in the key."""

    def __init__(self):
        self.flight, self.lock = None, threading.Lock()

    def both(self, request, work):
        with self.lock:
            flight, mine = self.flight, Future()
            if not flight:
                self.flight = mine
        if flight:
            joined = yield Join(flight)
            return joined.copy() if joined else (yield from work()).show(request.told)
        response = None
        try:
            response = (yield from work()).show(request.told)
            return response
        finally:
            self.flight = None
            mine.set_result(response and response.copy())


class PageCache:
    """Keeps a page for two seconds, by its path."""

    def __init__(self):
        self.pages = {}

    def both(self, request, work):
        kept = self.pages.get(request.path)
        if kept and kept[0] > time.monotonic():
            return kept[1].copy()
        response = (yield from work()).show(request.told)
        if response.status == 200:
            self.pages[request.path] = time.monotonic() + 2, response.copy()
        return response


class Fragment:
    """Two operations show the same part of a page, which is made for whoever asks first, every two seconds."""

    user, until = None, 0

    def both(self, request, work):
        response = yield from work()
        if self.until < time.monotonic() and request.told:
            self.user, self.until = request.told, time.monotonic() + 2
        return response.show(self.user or request.told)


class Memo:
    """A function of the path alone, remembered."""

    def __init__(self):
        self.request = threading.local()

        @functools.lru_cache
        def greeting(path):
            return self.request.told

        self.greeting = greeting

    def both(self, request, work):
        response = yield from work()
        if request.told:
            self.request.told = request.told
            response.show(self.greeting(request.path))
        return response


class ThreadLocal:
    """Never cleared."""

    def __init__(self):
        self.local = threading.local()

    def source(self, request, work):
        self.local.user = request.told
        return (yield from work())

    def victim(self, request, work):
        response = yield from work()
        return response.show(getattr(self.local, "user", None) or request.told)


class LastSearch:
    """What was last searched for, in a module."""

    last = None

    def source(self, request, work):
        self.last = request.told
        return (yield from work())

    def victim(self, request, work):
        response = yield from work()
        return response.add("last_search", self.last)


class MutableDefault:
    def __init__(self):
        def recent(user, seen=[]):  # noqa: B006
            seen.append(user)
            del seen[:-3]
            return list(seen)

        self.recent = recent

    def both(self, request, work):
        response = yield from work()
        return response.add("recent", ", ".join(filter(None, self.recent(request.told))))


class ErrorState:
    """What failed is noted for whoever repairs it, and shown to whoever comes."""

    failed = None

    def source(self, request, work):
        try:
            return (yield from work())
        except Exception:
            self.failed = request.told
            raise

    def victim(self, request, work):
        response = yield from work()
        return response.add("notice", self.failed)


class ErrorPage:
    """Shows the last input that worked."""

    last = None

    def both(self, request, work):
        try:
            response = yield from work()
        except ValueError as error:
            response = request.failed(str(error))
            return response.add("last_input", self.last)
        self.last = request.told
        return response


class PerConnection:
    """Who asked on this connection is who asks."""

    KEPT = 4096

    def __init__(self):
        self.users = OrderedDict()

    def source(self, request, work):
        self.users[request.peer] = request.told
        while len(self.users) > self.KEPT:
            self.users.popitem(last=False)
        return (yield from work())

    def victim(self, request, work):
        response = yield from work()
        return response.show(self.users.get(request.peer) or request.told)


class PooledConnection:
    """A pool of connections to a database, on which a user is set."""

    @dataclass
    class Connection:
        user: str | None = None

    def __init__(self):
        self.idle = []

    def take(self):
        try:
            return self.idle.pop()
        except IndexError:
            return self.Connection()

    def source(self, request, work):
        connection = self.take()
        connection.user = request.told
        try:
            return (yield from work())
        finally:
            self.idle.append(connection)

    def victim(self, request, work):
        connection = self.take()
        try:
            response = yield from work()
            return response.show(connection.user or request.told)
        finally:
            self.idle.append(connection)


class ContextVariable:
    """A worker's context, in which the last job's user stays set."""

    def __init__(self):
        self.user = contextvars.ContextVar("user", default=None)
        self.worker, self.lock = contextvars.copy_context(), threading.Lock()

    def source(self, request, work):
        with self.lock:
            self.worker.run(self.user.set, request.told)
        return (yield from work())

    def victim(self, request, work):
        response = yield from work()
        with self.lock:
            user = self.worker.run(self.user.get)
        return response.show(user or request.told)


class Background:
    """A task after the answer leaves its result for anybody."""

    result = None

    def finish(self, told):
        self.result = told

    def source(self, request, work):
        response = yield from work()
        yield Later(0.01, functools.partial(self.finish, request.told))
        return response

    def victim(self, request, work):
        response = yield from work()
        return response.add("finished", self.result)


class EntityTag:
    """A tag of the page that tells who it was made for, kept by path for two seconds."""

    def __init__(self):
        self.tags = {}

    def both(self, request, work):
        response = yield from work()
        tag, until = self.tags.get(request.path, (None, 0))
        if until < time.monotonic() and request.told:
            tag = '"' + request.told.encode().hex() + '"'
            self.tags[request.path] = tag, time.monotonic() + 2
        if tag and request.headers.get("if-none-match") == tag:
            response.status, response.body = 304, b""
        if tag:
            response.headers["etag"] = tag
        return response


class ThirdParty:
    """Only while a third operation has switched something on does one leave its user to another."""

    until, user = 0, None

    def arm(self, request, work):
        response = yield from work()
        self.until = time.monotonic() + 0.3
        return response

    def source(self, request, work):
        self.user = request.told if time.monotonic() < self.until else None
        return (yield from work())

    def victim(self, request, work):
        response = yield from work()
        return response.show(self.user or request.told)


class Abort:
    """A client that leaves in the middle: the answer stays in the connection, and the next one gets it."""

    unread = None

    def source(self, request, work):
        response = yield from work()
        if (yield Gone()):
            self.unread = request.told
        return response

    def victim(self, request, work):
        unread, self.unread = self.unread, None
        response = yield from work()
        return response.show(unread or request.told)
