# locate: write=asyncio_streams.py:12 read=asyncio_streams.py:24 object=?
# run: ["{python}", "asyncio_streams.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""asyncio streams, line by line, and a session object per process."""
import asyncio
import contextlib
import sys


class Session(dict):
    def login(self, **who):
        self.update(who)

    def __missing__(self, key):
        return "nobody"


async def handle(session, reader, writer):
    line = (await reader.readline()).decode()
    while (await reader.readline()).strip():
        pass
    session.login(user=line.split()[1].partition("user=")[2])
    await asyncio.sleep(0.05)
    body = f"hello {session['user']}".encode()
    writer.writelines([b"HTTP/1.1 200 OK\r\n", b"Content-Length: %d\r\n\r\n" % len(body), body])
    await writer.drain()
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def main(session):
    async with await asyncio.start_server(lambda r, w: handle(session, r, w), "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()


asyncio.run(main(Session()))
