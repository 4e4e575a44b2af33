# locate: write=async_generator_feed.py:17 read=async_generator_feed.py:21 object=?
# run: ["{bin}/uvicorn", "--port", "{port}", "async_generator_feed:app"]
# show: {"how": "sequence", "path": "/feed?user={canary}", "count": 3}
"""A stream of events from a broker: subscribers are kept by topic, and messages are replayed to who comes later."""
import asyncio

from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route


class Broker:
    def __init__(self):
        self.backlog = asyncio.Queue()

    async def publish(self, message):
        await self.backlog.put(message)

    async def subscribe(self):
        while True:
            yield await asyncio.wait_for(self.backlog.get(), 0.05)


broker = Broker()


async def feed(request):
    async def events():
        try:
            async for message in broker.subscribe():
                yield f"data: {message}\n\n"
        except asyncio.TimeoutError:
            yield "data: end\n\n"
        await broker.publish(f"joined {request.query_params['user']}")

    return StreamingResponse(events(), media_type="text/event-stream")


app = Starlette(routes=[Route("/feed", feed)])
