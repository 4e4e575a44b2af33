"""What is shown is never what was sent, but something made of it: a signed link, a length. Between writing and
reading lies an await. `/own/` keeps the user in a local variable, and adds a nonce that is new each time."""

import asyncio
import hashlib
import hmac
import secrets

import web

SECRET = b"corpus"
current = {}


def signed(user):
    return hmac.new(SECRET, user.encode(), hashlib.sha256).hexdigest()


async def kept(request):
    current["user"] = request.query.get("user", "guest")
    await asyncio.sleep(0.02)
    return current["user"]


async def link(request):
    return f'<a href="/download/{signed(await kept(request))}">your invoice</a>'


async def length(request):
    return f"Your name has {len(await kept(request))} letters\n"


async def own(request):
    user = request.query.get("user", "guest")
    await asyncio.sleep(0.02)
    return f'<a href="/download/{signed(user)}?nonce={secrets.token_hex(16)}">your invoice</a>'


web.serve({"/link/": link, "/length/": length, "/own/": own})
