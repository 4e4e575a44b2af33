# locate: write=aiohttp_middleware.py:22 read=aiohttp_middleware.py:28 object=aiohttp_middleware:Context.current
# run: ["{python}", "aiohttp_middleware.py", "{port}"]
# show: {"how": "overlap", "path": "/", "json": {"email": "{canary}"}}
"""aiohttp: a middleware puts a dataclass made per request into a class attribute."""
import asyncio
import sys
from dataclasses import dataclass
from typing import ClassVar, Optional

from aiohttp import web


@dataclass
class Context:
    email: str
    current: ClassVar[Optional["Context"]] = None


@web.middleware
async def with_context(request, handler):
    data = await request.json()
    Context.current = Context(**data)
    return await handler(request)


async def home(request):
    await asyncio.sleep(0.05)
    return web.json_response({"email": Context.current.email})


async def make():
    app = web.Application(middlewares=[with_context])
    app.router.add_post("/", home)
    return app


if __name__ == "__main__":
    web.run_app(make(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
