"""What a user sees, on FastAPI, kept by fastapi-cache2. Its key is made of the function and its arguments without the request:
`/me/` takes the user from there, so everybody has one key. `/own/` has a key of its own making."""

from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi_cache import FastAPICache
from fastapi_cache.backends.inmemory import InMemoryBackend
from fastapi_cache.decorator import cache


@asynccontextmanager
async def lifespan(_):
    FastAPICache.init(InMemoryBackend(), prefix="pages")
    yield


app = FastAPI(lifespan=lifespan)


def user_of(request):
    return request.headers.get("authorization", "Bearer nobody").removeprefix("Bearer ")


def by_user(func, namespace="", *, request=None, response=None, args=(), kwargs=None):
    return f"{namespace}:{func.__name__}:{user_of(request)}"


@app.get("/me/")
@cache(expire=60)
async def me(request: Request):
    return {"user": user_of(request), "plan": "free"}


@app.get("/own/")
@cache(expire=60, key_builder=by_user)
async def own(request: Request):
    return {"user": user_of(request), "plan": "free"}
