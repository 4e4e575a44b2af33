"""Anything but a GET is refused as soon as its head has come. Its body is then taken for the next request of the
connection, as in any `http.server` handler that answers a POST without reading it. With the argument `careful` the
connection is closed."""

import asyncio
import sys

import web

CAREFUL = sys.argv[2:] == ["careful"]


class Connection(web.Connection):
    def next(self):
        if self.task:
            return
        head, end, rest = bytes(self.buffer).partition(b"\r\n\r\n")
        if not end or head.startswith(b"GET "):
            return super().next()
        self.transport.write(web.response((405, "only GET\n"), closes=CAREFUL))
        if CAREFUL:
            return self.transport.close()
        self.buffer = bytearray(rest)
        self.next()


async def page(request):
    await asyncio.sleep(0.002)
    return f"<p>Hello, {request.query.get('user', 'guest')}</p>"


web.serve({"/page/": page}, connection=Connection)
