#!/usr/bin/env python3
"""A server that answers each request after a delay drawn by chance, and accounts for how long each really took.

    delaying.py PORT LOG      TERM ends it; LOG is then a JSON list of microseconds, one for each request answered

The account is taken where the bytes come and go, so that what the event loop adds to the drawn delay is in it.
"""

import asyncio
import json
import random
import signal
import sys
import time
from pathlib import Path

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\nhello world\n"
# Seconds: most answers take some 8 ms, one in a hundred 50 ms, one in a thousand 100 ms.
MEDIAN, SPREAD = 0.008, 0.8


class Delaying(asyncio.Protocol):
    def __init__(self, draw, took):
        self.draw, self.took = draw, took

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        # Requests come whole and one at a time.
        began = time.perf_counter()
        asyncio.get_running_loop().call_later(self.draw(), self.answer, began)

    def answer(self, began):
        self.transport.write(ANSWER)
        self.took.append((time.perf_counter() - began) * 1e6)


async def main(port, log):
    chance, took = random.Random(1), []
    draw = lambda: MEDIAN * chance.lognormvariate(0, SPREAD)
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(lambda: Delaying(draw, took), "127.0.0.1", port)
    async with server:
        await ended.wait()
    Path(log).write_text(json.dumps(took))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
