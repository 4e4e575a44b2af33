"""A small ASGI framework for the clean applications of this folder: routes with their OpenAPI document, who asks, a journal.

    app = small.App("Guest book")

    @app.post("/guestbook", body={"message": "string"}, user="header")
    async def write(request):
        return 201, {"id": 1}

A handler returns data (JSON) or text (HTML), or a status and that, or also headers. `app.around` is a middleware.
JOURNAL=path keeps what was asked, as the generated applications do.
"""

import asyncio
import json
import os
import random
import re
import time
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl

SCHEMES = {
    "scheme": {"type": "apiKey", "in": "header", "name": "X-User"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


async def pause(least=2, most=12):
    """As long as a query takes, in milliseconds."""
    await asyncio.sleep(random.uniform(least, most) / 1000)


class Problem(Exception):
    def __init__(self, status, message):
        self.status, self.message = status, message


class Request:
    def __init__(self, scope, body):
        self.method, self.path, self.body = scope["method"], scope["path"], body
        self.headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        self.query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        self.ids, self.noted, self.route = {}, {}, None

    def json(self):
        try:
            content = json.loads(self.body)
        except ValueError:
            raise Problem(422, "the body is not JSON") from None
        if not isinstance(content, dict):
            raise Problem(422, "the body is not an object")
        for name in self.route.body:
            if not isinstance(content.get(name), str):
                raise Problem(422, f"{name} is missing, or no text")
        return content

    @property
    def user(self):
        """Who asks, in the way that the route documents."""
        how = self.route.user
        if how in ("header", "scheme"):
            return self.headers.get("x-user")
        if how == "cookie":
            try:
                cookie = SimpleCookie(self.headers.get("cookie", "")).get("session")
            except CookieError:
                return None
            return cookie and cookie.value
        return None

    def who(self):
        if not self.user:
            raise Problem(401, "who asks?")
        return self.user


class Route:
    def __init__(self, method, path, handler, body, query, user, page, danger, status):
        self.method, self.path, self.handler = method, path, handler
        self.body, self.query, self.user = body or {}, query, user
        self.page, self.danger, self.status = page, danger, status
        self.pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))

    @property
    def name(self):
        return f"{self.method} {self.path}"

    def described(self):
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "integer"}}
            for name in re.findall(r"\{(\w+)\}", self.path)
        ]
        for name, kind in self.query.items():
            parameters.append({"name": name, "in": "query", "required": True, "schema": {"type": kind}})
        entry = {"operationId": self.handler.__name__, "parameters": parameters}
        if self.user == "header":
            parameters.append({"name": "X-User", "in": "header", "required": True, "schema": {"type": "string"}})
        elif self.user:
            entry["security"] = [{self.user: []}]
        if self.body:
            properties = {name: {"type": kind, "minLength": 1} for name, kind in self.body.items()}
            schema = {"type": "object", "properties": properties, "required": list(properties)}
            entry["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
        answer = {"description": "done"}
        if self.page:
            answer["content"] = {"text/html": {"schema": {"type": "string"}}}
        elif self.status != 204:
            properties = {"id": {"type": "integer"}} if self.status == 201 else {}
            answer["content"] = {"application/json": {"schema": {"type": "object", "properties": properties}}}
        entry["responses"] = {str(self.status): answer}
        return entry


class App:
    def __init__(self, title):
        self.title, self.routes, self.around = title, [], None
        path = os.environ.get("JOURNAL")
        self.journal = open(path, "a", buffering=1) if path else None
        self.made = {}  # by operation and id: what this run created
        self.note({"event": "start", "pid": os.getpid()})

    def route(self, method, path, body=None, query=None, user=None, page=False, danger=False, status=200):
        def added(handler):
            self.routes.append(Route(method, path, handler, body, query or {}, user, page, danger, status))
            # Before a path with an id in the same place.
            self.routes.sort(key=lambda route: "{" in route.path)
            return handler

        return added

    def get(self, path, **how):
        return self.route("GET", path, **how)

    def post(self, path, status=201, **how):
        return self.route("POST", path, status=status, **how)

    def put(self, path, **how):
        return self.route("PUT", path, **how)

    def delete(self, path, **how):
        return self.route("DELETE", path, status=204, **how)

    def document(self):
        paths = {}
        for route in self.routes:
            paths.setdefault(route.path, {})[route.method.lower()] = route.described()
        info = {"title": self.title, "version": "1"}
        return {"openapi": "3.1.0", "info": info, "paths": paths, "components": {"securitySchemes": SCHEMES}}

    def note(self, entry):
        if self.journal:
            self.journal.write(json.dumps({"at": round(time.time(), 4), **entry}) + "\n")

    def created(self, request, id_, owner):
        self.made[id_] = {"resource": request.route.path, "id": id_, "owner": owner}
        request.noted["created"] = id_

    def deleted(self, request, id_, owner):
        of_run = self.made.pop(id_, None) is not None
        request.noted |= {"deleted": id_, "own": owner == request.user, "of_run": of_run}

    async def handled(self, request):
        if request.path == "/openapi.json":
            return 200, self.document(), {}
        others = False
        for route in self.routes:
            if found := route.pattern.fullmatch(request.path):
                if route.method == request.method:
                    request.route, request.ids = route, found.groupdict()
                    break
                others = True
        else:
            return (405 if others else 404), {"detail": "there is no such page"}, {}
        try:
            answer = await route.handler(request)
        except Problem as problem:
            answer = problem.status, {"detail": problem.message}
        if not isinstance(answer, tuple):
            answer = route.status, answer
        return (*answer, {})[:3]

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.lifespan(receive, send)
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = Request(scope, body)
        encode = self.encoded
        if self.around:
            status, headers, body = await self.around(request, lambda: encode(request))
        else:
            status, headers, body = await encode(request)
        if request.route:
            name, danger = request.route.name, request.route.danger
            entry = {"method": request.method, "path": request.path, "status": status, "operation": name, "dangerous": danger}
            self.note(entry | request.noted)
        lines = [(name.encode(), str(value).encode("latin-1", "replace")) for name, value in headers.items()]
        if status not in (204, 304):
            lines.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": body})

    async def encoded(self, request):
        status, data, headers = await self.handled(request)
        if status == 204:
            return status, headers, b""
        if isinstance(data, str):
            return status, {"content-type": "text/html; charset=utf-8", **headers}, data.encode()
        return status, {"content-type": "application/json", **headers}, json.dumps(data).encode()

    async def lifespan(self, receive, send):
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                self.note({"event": "end", "pid": os.getpid(), "left": list(self.made.values())})
                return await send({"type": "lifespan.shutdown.complete"})


def page(title, *lines):
    return f"<!doctype html>\n<title>{title}</title>\n" + "\n".join(lines) + "\n"
