"""An upstream service for the servers of this folder, in a thread of their process: `start()` gives its address.

`/login?user=NAME` sets a cookie, `/me` says whose cookie or bearer token came. Each answer takes 10 ms."""

import asyncio
import re
import threading


def answer(head):
    """The reply to a request."""
    login = re.match(r"GET /login\?user=(\S*)", head)
    asks = login or re.search(r"^cookie: user=(\S+)|^authorization: Bearer (\S+)", head, re.I | re.M)
    user = next(filter(None, asks.groups()), "nobody") if asks else "nobody"
    body = f'{{"user": "{user}"}}'
    cookie = f"set-cookie: user={user}; Path=/\r\n" if login else ""
    return f"HTTP/1.1 200 OK\r\n{cookie}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"


async def serve(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(0.01)
            writer.write(answer(head.decode()).encode())
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


def start():
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, backlog=256))
    threading.Thread(target=loop.run_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
