# locate: write=contextvar_outside.py:20 read=contextvar_outside.py:19 object=contextvar contextvar_outside.user
# run: ["{python}", "contextvar_outside.py", "{port}"]
# show: {"how": "sequence", "path": "/", "headers": {"x-user": "{canary}"}, "keep_alive": true}
"""asyncio.start_server: a context variable that is set once lives as long as the connection's task."""
import asyncio
import sys
from contextvars import ContextVar

user: ContextVar[str] = ContextVar("user", default="guest")


async def handle(reader, writer):
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return writer.close()
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if ": " in line)
        before = user.get()
        user.set(headers.get("x-user", "nobody"))
        body = f"before you: {before}".encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()


async def main():
    server = await asyncio.start_server(handle, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
