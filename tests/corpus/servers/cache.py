"""A page cache in front of an account page, as Steam and Klarna had it: the key is the URL, and the user is in a cookie.
Beside it the same cache with the user in its key, and one that holds nothing but what is public."""

import asyncio
import secrets
import time

import web

TTL = 1.0  # seconds
cache = {}


async def account(user):
    await asyncio.sleep(0.01)
    return f"<h1>Account of {user}</h1>"


async def cached(key, make):
    made, body = cache.get(key, (None, None))
    if made is None or time.monotonic() - made > TTL:
        body = await make()
        cache[key] = (time.monotonic(), body)
    return body


def user_of(request):
    return request.cookies.get("session", "guest")


async def page(request):
    return await cached(request.target, lambda: account(user_of(request)))


async def keyed(request):
    return await cached((request.target, user_of(request)), lambda: account(user_of(request)))


async def news():
    await asyncio.sleep(0.01)
    return f"<li>News {secrets.token_hex(16)}</li>" * 3


async def public(request):
    return await account(user_of(request)) + await cached(request.target, news)


web.serve({"/page/": page, "/keyed/": keyed, "/public/": public})
