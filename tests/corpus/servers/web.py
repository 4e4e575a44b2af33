"""A small HTTP/1.1 server on asyncio, by hand: what it does with a connection is in plain sight and can be overridden.

    web.serve({"/page/": page})          # async def page(request) -> a body, or (status, body), or (status, body, headers)

One request of a connection is handled at a time, replies come in order, and a handler whose client has left is cancelled,
as aiohttp, hypercorn and ASGI frameworks do it. `request.connection` is an object that lives as long as the connection.
"""

import asyncio
import http
import sys
import traceback
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit


def parse(buffer):
    """The first whole request in `buffer` and the bytes after it; None if there is none yet."""
    head, end, rest = bytes(buffer).partition(b"\r\n\r\n")
    if not end:
        return None, buffer
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    if len(rest) < length:
        return None, buffer
    url = urlsplit(target)
    cookies = dict(part.strip().split("=", 1) for part in headers.get("cookie", "").split(";") if "=" in part)
    request = SimpleNamespace(
        method=method, target=target, path=url.path, query=dict(parse_qsl(url.query)), headers=headers,
        cookies=cookies, body=rest[:length], closes=headers.get("connection", "").lower() == "close",
    )
    return request, bytearray(rest[length:])


def response(answer, closes=False):
    status, body, headers = (*answer, {})[:3] if isinstance(answer, tuple) else (200, answer, {})
    body = body if isinstance(body, bytes) else body.encode()
    head = [f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in {"Content-Type": "text/plain", **headers}.items()]
    head += ["Connection: close"] * closes
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    def __init__(self, routes):
        self.routes, self.buffer, self.task, self.state = routes, bytearray(), None, SimpleNamespace()

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.buffer += data
        self.next()

    def connection_lost(self, error):
        if self.task:
            self.task.cancel()

    def next(self):
        if self.task:
            return
        request, self.buffer = parse(self.buffer)
        if request:
            request.connection = self.state
            self.task = asyncio.ensure_future(self.handle(request))

    async def answer(self, request):
        handler = self.routes.get(request.path)
        try:
            return await handler(request) if handler else (404, "not found\n")
        except Exception:
            traceback.print_exc()
            return 500, "internal server error\n"

    async def handle(self, request):
        answer = await self.answer(request)
        self.transport.write(response(answer, request.closes))
        if request.closes:
            self.transport.close()
        self.task = None
        self.next()


def serve(routes, connection=Connection, background=None):
    """Serves on the port that is the program's argument until it is ended."""

    async def main():
        server = await asyncio.get_running_loop().create_server(
            lambda: connection(routes), "127.0.0.1", int(sys.argv[1]), backlog=1024
        )
        if background:
            await background()
        await server.serve_forever()

    asyncio.run(main())
