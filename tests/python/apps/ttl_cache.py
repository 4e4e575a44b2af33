# locate: write=ttl_cache.py:23 read=ttl_cache.py:20 object=?
# run: ["{bin}/uvicorn", "--port", "{port}", "ttl_cache:app"]
# show: {"how": "sequence", "path": "/profile", "headers": {"cookie": "sid={canary}"}}
"""cachetools: a TTL cache with a decorator whose key leaves out the user."""
import asyncio

from cachetools import TTLCache
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

cache = TTLCache(100, 30)


def remembered(function):
    async def wrapper(request: Request):
        key = (function.__name__, request.url.path)
        try:
            return cache[key]
        except KeyError:
            value = await function(request)
            cache[key] = value
            return value

    return wrapper


@remembered
async def load(request):
    await asyncio.sleep(0.001)
    return {"sid": request.cookies["sid"]}


async def profile(request):
    return JSONResponse(await load(request))


app = Starlette(routes=[Route("/profile", profile)])
