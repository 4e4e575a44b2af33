"""A generated application that leaks where its truth says so: `app:wsgi` for gunicorn, `app:asgi` for uvicorn.

    ENDPOINTS=50 LEAKS=12 SEED=1 uvicorn --port 8000 app:asgi
    ENDPOINTS=50 LEAKS=12 SEED=1 gunicorn --worker-class gthread --threads 8 --bind 127.0.0.1:8000 app:wsgi

    CLEAN=1             the same without leaks
    MIDDLEWARE_SLOT=1   one slot that a middleware fills and all operations read, and no other leak
    OWNERS=loose        everybody may read and change everything whose id is known
    STORE=files         what is stored is in files, for several workers
    TRUTH=path          the leaks, as JSON
    JOURNAL=path        what was asked, as JSON lines, and what is left of what was created

plan.py says which operations there are, leaks.py how they leak. A handler is a generator: it yields the milliseconds that it
waits, so that one definition serves threads and an event loop.
"""

import asyncio
import atexit
import html
import http
import json
import os
import secrets
import socket
import threading
import time
import traceback
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qsl

import leaks
import plan
import store

CLEAN = os.environ.get("CLEAN", "") not in ("", "0")
MIDDLEWARE_SLOT = os.environ.get("MIDDLEWARE_SLOT", "") not in ("", "0")
SHARED = os.environ.get("STORE") == "files"
STRICT = os.environ.get("OWNERS", "strict") == "strict"
ENDPOINTS = int(os.environ.get("ENDPOINTS", 50))
PLAN = plan.Plan(
    seed=int(os.environ.get("SEED", 1)),
    endpoints=ENDPOINTS,
    leaks=int(os.environ.get("LEAKS") or (12 if ENDPOINTS <= 50 else 28)),
    middleware=MIDDLEWARE_SLOT,
)
DOCUMENT = json.dumps(plan.document(PLAN.operations)).encode()
ADMIN = "admin"
PATIENCE = 10  # seconds for what another request works on


def write_truth():
    if path := os.environ.get("TRUTH"):
        planted = [] if CLEAN else [leak.as_json() for leak in PLAN.leaks]
        operations = [{"name": one.name, "kind": one.kind, "auth": one.auth, "danger": one.danger} for one in PLAN.operations]
        fresh = Path(f"{path}.{os.getpid()}")  # each worker writes it
        fresh.write_text(json.dumps({"leaks": planted, "operations": operations}, indent=1) + "\n")
        fresh.replace(path)


class Journal:
    """What was asked of the application, by which its safety from a prober is judged."""

    def __init__(self):
        path = os.environ.get("JOURNAL")
        self.file = open(path, "a", buffering=1) if path else None
        self.write({"event": "start", "pid": os.getpid(), "unique_ids": True})

    def write(self, entry):
        if self.file:
            self.file.write(json.dumps({"at": round(time.time(), 4), **entry}) + "\n")

    def end(self):
        if self.file:
            self.write({"event": "end", "pid": os.getpid(), "left": [one for one in made.values() if stored.get(one["id"])]})
            self.file.close()
            self.file = None


stored = store.Files() if SHARED else store.Memory()
made = {}  # by id: what requests made of this process


def fill():
    """What was there before anybody came: whoever deletes it does damage."""
    resources = [one.noun for one in PLAN.operations if one.kind == "create" and "{" not in one.path]
    for number, noun in enumerate(resources, 1):
        content = {"title": "kept", "quantity": 1}
        if not stored.get(number):
            stored.add({"id": number, "noun": noun, "owner": ADMIN, "parent": None, "content": content, "made": False})


def view(row):
    return {"id": row["id"], **row["content"]}


class Problem(Exception):
    def __init__(self, status, message):
        self.status, self.message = status, message


class Request:
    def __init__(self, method, path, query, headers, body, peer, gone=None):
        self.method, self.path, self.headers, self.body, self.peer, self.gone = method, path, headers, body, peer, gone
        self.query = dict(parse_qsl(query, keep_blank_values=True))
        self.noted = {}  # for the journal
        self.ids = []
        self.operation = None
        self.user = None

    def cookie(self, name):
        try:
            cookies = SimpleCookie(self.headers.get("cookie", ""))
        except CookieError:
            return None
        return cookies[name].value if name in cookies else None

    def identify(self):
        """Who asks, in the way that the operation documents."""
        auth = self.operation.auth
        if auth in (plan.HEADER, plan.SCHEME):
            self.user = self.headers.get("x-user")
        elif auth == plan.COOKIE:
            self.user = self.cookie("session")
        elif auth == plan.BEARER:
            self.user = stored.tokens.get(self.headers.get("authorization", "").removeprefix("Bearer "))

    def json(self):
        try:
            content = json.loads(self.body)
        except ValueError:
            raise Problem(422, "the body is not JSON") from None
        if not isinstance(content, dict):
            raise Problem(422, "the body is not an object")
        return content

    def content(self):
        """The body, checked against its schema."""
        content = self.json()
        schema = plan.SCHEMAS[plan.BODIES[self.operation.kind]]
        for name in schema["required"]:
            if content.get(name) is None:
                raise Problem(422, f"{name} is missing")
        for name, value in content.items():
            kind = schema["properties"].get(name, {}).get("type", "")
            if kind == "string" and not isinstance(value, str) or kind == "integer" and type(value) is not int:
                raise Problem(422, f"{name} is not of type {kind}")
        return {name: value for name, value in content.items() if name in schema["properties"]}

    @property
    def told(self):
        """What only this request's sender may see again."""
        what = self.operation.tells
        if what == "query":
            return self.query.get("q")
        if what == "identity":
            return self.user
        try:
            value = json.loads(self.body).get("text" if self.operation.kind == "preview" else "title")
        except (ValueError, AttributeError):
            return None
        return value if isinstance(value, str) else None

    def failed(self, message):
        return Response({"error": message}, 500)


class Response:
    def __init__(self, data, status=200, page=False):
        self.data, self.status, self.page, self.headers, self.body = data, status, page, {}, None

    def copy(self):
        other = Response(dict(self.data), self.status, self.page)
        other.headers = dict(self.headers)
        return other

    def add(self, name, value):
        if value:
            self.data[name] = value
        return self

    def show(self, user):
        return self.add("user", user)

    def encode(self):
        if self.body is not None or self.status == 204:
            return self.body or b""
        if not self.page:
            self.headers.setdefault("content-type", "application/json")
            return json.dumps(self.data).encode()
        self.headers.setdefault("content-type", "text/html; charset=utf-8")
        lines = [f"<p class={name}>{html.escape(str(value))}</p>" for name, value in self.data.items()]
        return ("<!doctype html>\n<title>Page</title>\n" + "\n".join(lines) + "\n").encode()


# Handlers: a function for each kind of operation.


def required(request):
    if not request.user:
        raise Problem(401, "who asks?")


def above(request):
    """The id of the resource that a nested one belongs to."""
    noun = request.operation.noun
    return found(request.ids[0], noun.rpartition("/{")[0], request)["id"] if "{" in noun else None


def found(number, noun, request):
    row = stored.get(int(number)) if number.isdigit() else None
    if not row or row["noun"] != noun or STRICT and row["owner"] != request.user:
        raise Problem(404, "there is no such thing")
    return row


def wanted(request):
    required(request)
    parent = above(request)
    row = found(request.ids[-1], request.operation.noun, request)
    if row["parent"] != parent:
        raise Problem(404, "there is no such thing")
    return row


def create(request):
    required(request)
    noun, parent, content = request.operation.noun, above(request), request.content()
    yield
    row = {"id": store.new_id(), "noun": noun, "owner": request.user, "parent": parent, "content": content, "made": True}
    stored.add(row)
    made[row["id"]] = {"resource": noun, "id": row["id"], "owner": request.user}
    request.noted["created"] = row["id"]
    return Response(view(row), 201)


def listing(request):
    required(request)
    parent = above(request)
    yield
    return Response({"items": [view(row) for row in stored.listed(request.operation.noun, parent, request.user)]})


def one(request):
    row = wanted(request)
    yield
    return Response(view(row))


def replace(request):
    row, content = wanted(request), request.content()
    yield
    row = {**row, "content": content}
    stored.write(row)
    return Response(view(row))


def change(request):
    row, content = wanted(request), request.content()
    yield
    row = {**row, "content": {**row["content"], **content}}
    stored.write(row)
    return Response(view(row))


def remove(request):
    row = wanted(request)
    yield
    gone = stored.remove(row)
    for number in gone:
        made.pop(number, None)
    own = row["owner"] == request.user
    request.noted |= {"deleted": row["id"], "with": gone[1:], "own": own, "of_run": row["made"]}
    return Response({}, 204)


def search(request):
    query = request.query.get("q")
    if query is None:
        raise Problem(422, "q is missing")
    yield
    return Response({"query": query, "results": [], "count": 0})


def profile(request):
    yield
    return Response({"user": request.user or "guest", "plan": "basic"})


def home(request):
    yield
    return Response({"user": request.user or "guest", "text": "Welcome back"}, page=True)


def about(request):
    yield
    return Response({"name": "A generated application", "version": 1})


def report(request):
    yield
    limit = int(request.query.get("limit", "20"))  # fails as handlers do
    return Response({"user": request.user or "guest", "rows": list(range(min(limit, 100)))})


def preview(request):
    content = request.content()
    yield
    return Response({"text": content["text"], "length": len(content["text"])})


def settings(request):
    yield
    return Response({"user": request.user or "guest", "colour": "blue"})


def news(request):
    yield
    return Response({"text": "Nothing happened today"}, page=True)


def signup(request):
    content = request.content()
    yield
    if content["username"] in stored.passwords:
        raise Problem(409, "this name is taken")
    stored.passwords[content["username"]] = content["password"]
    request.noted["signed_up"] = True
    return Response({"id": store.new_id(), "username": content["username"]}, 201)


def login(request):
    content = request.content()
    yield
    if stored.passwords.get(content["username"]) != content["password"]:
        raise Problem(401, "no such name, or another password")
    token = secrets.token_hex(16)
    stored.tokens[token] = content["username"]
    return Response({"access_token": token, "token_type": "bearer"})


def logout(request):
    required(request)
    yield
    stored.tokens.pop(request.headers.get("authorization", "").removeprefix("Bearer "), None)
    return Response({}, 204)


def delete_me(request):
    required(request)
    yield
    stored.passwords.pop(request.user, None)
    return Response({}, 204)


def reset(request):
    yield
    stored.clear()
    made.clear()
    return Response({"status": "empty"})


HANDLERS = {
    "create": create, "listing": listing, "one": one, "replace": replace, "change": change, "remove": remove,
    "search": search, "profile": profile, "home": home, "about": about, "report": report, "preview": preview,
    "settings": settings, "news": news, "signup": signup, "login": login, "logout": logout, "delete_me": delete_me,
    "reset": reset,
}  # fmt: skip


# From a request to its handler and back.


def tree(operations):
    """Segments of paths, nested; below the last, methods."""
    root = {}
    for operation in operations:
        node = root
        for part in operation.path.split("/")[1:]:
            node = node.setdefault("{}" if part.startswith("{") else part, {})
        node.setdefault("methods", {})[operation.method] = operation
    return root


def route(request):
    node, ids = ROUTES, []
    for part in request.path.split("/")[1:]:
        if part in node and part not in ("{}", "methods"):
            node = node[part]
        elif "{}" in node:
            node = node["{}"]
            ids.append(part)
        else:
            raise Problem(404, "there is no such page")
    methods = node.get("methods")
    if not methods:
        raise Problem(404, "there is no such page")
    if request.method not in methods:
        raise Problem(405, "not in this way")
    return methods[request.method], ids


def handle(request):
    """A generator of what it waits for, in seconds or as leaks.py has it; its value is the response."""
    if request.method == "GET" and request.path in ("/openapi.json", "/health"):
        response = Response({"status": "ok"})
        if request.path == "/openapi.json":
            response.body, response.headers["content-type"] = DOCUMENT, "application/json"
        return response
    try:
        request.operation, request.ids = route(request)
        request.identify()
        if request.operation.auth == plan.BEARER:
            required(request)

        mechanism = MECHANISMS.get(request.operation.name)
        response = yield from (mechanism(request, lambda: work(request)) if mechanism else work(request))
    except Problem as problem:
        response = Response({"detail": problem.message}, problem.status)
    except Exception:
        if os.environ.get("TRACE"):
            traceback.print_exc()
        response = Response({"error": "internal server error"}, 500)
    note(request, response)
    return response


def work(request):
    """The operation itself: a handler's part before the wait, the wait, and the part after it."""
    handler = HANDLERS[request.operation.kind](request)
    next(handler)
    if request.operation.wait:
        yield request.operation.wait / 1000
    try:
        next(handler)
    except StopIteration as end:
        return end.value


def note(request, response):
    if not journal.file:
        return
    operation = request.operation
    entry = {"method": request.method, "path": request.path, "status": response.status, "user": request.user}
    if operation:
        entry |= {"operation": operation.name, "dangerous": operation.danger}
    journal.write(entry | request.noted)


def mechanisms():
    """One object for each leak: what its operations share."""
    made = {} if CLEAN else {id(leak): getattr(leaks, leak.kind)() for leak in PLAN.leaks}
    leaky = [operation for operation in PLAN.operations if operation.leak and id(operation.leak) in made]
    return {operation.name: getattr(made[id(operation.leak)], operation.role) for operation in leaky}


ROUTES = tree(PLAN.operations)
MECHANISMS = mechanisms()
fill()
write_truth()
journal = Journal()


def text_headers(response, body):
    return {"content-length": str(len(body)), **{name: str(value) for name, value in response.headers.items()}}


# Threads.


def left(environ):
    connection = environ.get("gunicorn.socket")
    try:
        return connection is not None and connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def wsgi(environ, start_response):
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    body = environ["wsgi.input"].read()
    peer = environ.get("REMOTE_ADDR"), environ.get("REMOTE_PORT")
    request = Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("QUERY_STRING", ""), headers, body, peer)
    steps, value = handle(request), None
    try:
        while True:
            step, value = steps.send(value), None
            if isinstance(step, leaks.Join):
                value = step.future.result(PATIENCE)
            elif isinstance(step, leaks.Later):
                threading.Timer(step.seconds, step.action).start()
            elif isinstance(step, leaks.Gone):
                value = left(environ)
            else:
                time.sleep(step)
    except StopIteration as end:
        response = end.value
    body = response.encode()
    status = f"{response.status} {http.HTTPStatus(response.status).phrase}"
    start_response(status, list(text_headers(response, body).items()))
    return [body]


# An event loop.


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        return await lifespan(receive, send)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    request = Request(scope["method"], scope["path"], scope["query_string"].decode("latin-1"), headers, body, tuple(scope["client"]))
    response = await driven(handle(request), receive)
    body = response.encode()
    lines = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in text_headers(response, body).items()]
    await send({"type": "http.response.start", "status": response.status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


async def driven(steps, receive):
    value = None
    try:
        while True:
            step, value = steps.send(value), None
            if isinstance(step, leaks.Join):
                value = await asyncio.wait_for(asyncio.wrap_future(step.future), PATIENCE)
            elif isinstance(step, leaks.Later):
                asyncio.get_running_loop().call_later(step.seconds, step.action)
            elif isinstance(step, leaks.Gone):
                value = await has_left(receive)
            else:
                await asyncio.sleep(step)
    except StopIteration as end:
        return end.value


async def has_left(receive):
    """After the whole body, a server has one more message: that the client has left."""
    try:
        message = await asyncio.wait_for(receive(), 0.001)
    except TimeoutError:
        return False
    return message["type"] == "http.disconnect"


async def lifespan(receive, send):
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        else:
            journal.end()
            return await send({"type": "lifespan.shutdown.complete"})


if not CLEAN and PLAN.leaks and os.environ.get("TRACE"):
    print(f"{len(PLAN.operations)} operations, {len(PLAN.leaks)} leaks", flush=True)


atexit.register(journal.end)
