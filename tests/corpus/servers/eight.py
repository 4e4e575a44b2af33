"""Eight workers, each with a listening socket of its own (SO_REUSEPORT): the kernel deals connections out among them, and a
connection stays with the worker that has it. What a worker shares, only two requests at the same worker can confuse.

    /shared/     a global of the worker, written before a pause of 3 ms and read after it
    /ring/       four slots of the worker, handed out in turn
    /local/      a local variable
"""

import asyncio
import os
import sys

import web

current = {}
slots = [None] * 4
turn = 0


def user_of(request):
    return request.headers.get("x-user", "guest")


async def shared(request):
    current["user"] = user_of(request)
    await asyncio.sleep(0.003)
    return f"Hello, {current['user']}\n"


async def ring(request):
    global turn
    slot = turn = (turn + 1) % len(slots)
    slots[slot] = user_of(request)
    await asyncio.sleep(0.01)
    return f"Hello, {slots[slot]}\n"


async def local(request):
    user = user_of(request)
    await asyncio.sleep(0.003)
    return f"Hello, {user}\n"


async def main():
    routes = {"/shared/": shared, "/ring/": ring, "/local/": local}
    loop, port = asyncio.get_running_loop(), int(sys.argv[1])
    make = lambda: web.Connection(routes)
    server = await loop.create_server(make, "127.0.0.1", port, backlog=1024, reuse_port=True)
    await server.serve_forever()


for _ in range(7):
    if os.fork() == 0:
        break
asyncio.run(main())
