"""Replies that do not belong to the request they follow. A client that sends several requests on a connection can only
count: the first reply is the first request's.

    /ready_first/   pipelined requests are handled at once and answered in the order in which they are ready
    /in_order/      the same, answered in the order in which they came; so is /waits/
    /overtakes/     answered in their order, but for one that takes longer than 100 ms: those behind it are not kept waiting
    /late/          after 50 ms a 504 is sent, and later the answer all the same: two replies to one request
    /dropped/       after 50 ms a 504 is sent, and nothing more
"""

import asyncio
import random

import web


class Connection(web.Connection):
    """Starts on every request as soon as it has come."""

    last = None

    def next(self):
        while True:
            request, self.buffer = web.parse(self.buffer)
            if not request:
                return
            handle = {
                "/ready_first/": self.ready_first,
                "/in_order/": self.in_order,
                "/overtakes/": self.overtakes,
                "/waits/": self.in_order,
            }.get(request.path, self.in_time)
            self.last = asyncio.ensure_future(handle(request, self.last))

    def send(self, answer, request):
        self.transport.write(web.response(answer, request.closes))
        if request.closes:
            self.transport.close()

    async def ready_first(self, request, before):
        self.send(await self.answer(request), request)

    async def in_order(self, request, before):
        answer = await self.answer(request)
        if before:
            await before
        self.send(answer, request)

    async def overtakes(self, request, before):
        answer = await self.answer(request)
        if before:
            await asyncio.wait([before], timeout=0.1)
        self.send(answer, request)

    async def in_time(self, request, before):
        if before:
            await before
        work = asyncio.ensure_future(self.answer(request))
        done, _ = await asyncio.wait([work], timeout=0.05)
        if done:
            return self.send(work.result(), request)
        self.send((504, "that took too long\n"), request)
        if request.path == "/late/":
            work.add_done_callback(lambda work: self.send(work.result(), request))


async def quick_or_not(request):
    await asyncio.sleep(random.uniform(0.002, 0.03))
    return f"<p>Hello, {request.query.get('user', 'guest')}</p>"


def seconds(text):
    """`0.01` or `10ms`."""
    return float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text)


async def as_long_as_asked(request):
    await asyncio.sleep(seconds(request.query.get("wait", "5ms")))
    return f"<p>Hello, {request.query.get('user', 'guest')}</p>"


async def slow_at_times(request):
    await asyncio.sleep(0.08 if random.random() < 0.1 else 0.005)
    return f"<p>Hello, {request.query.get('user', 'guest')}</p>"


web.serve(
    {
        "/ready_first/": quick_or_not,
        "/in_order/": quick_or_not,
        "/overtakes/": as_long_as_asked,
        "/waits/": as_long_as_asked,
        "/late/": slow_at_times,
        "/dropped/": slow_at_times,
    },
    connection=Connection,
)
