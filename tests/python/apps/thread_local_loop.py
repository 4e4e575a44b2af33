# locate: write=thread_local_loop.py:16 read=thread_local_loop.py:18 object=thread-local thread_local_loop.local.user
# run: ["{bin}/uvicorn", "--port", "{port}", "thread_local_loop:app"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A thread-local on an event loop: all requests share the thread."""
import asyncio
import threading

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

local = threading.local()


async def home(request):
    local.user = request.query_params["user"]
    await asyncio.sleep(0.06)
    return PlainTextResponse(getattr(local, "user", "nobody"))


app = Starlette(routes=[Route("/", home)])
