"""Clean, and as hard to read as a bad day: random refusals, jitter, new ids and tokens in every reply, a visitor count and
the time. Nothing in it is anybody else's."""

import asyncio
import base64
import itertools
import random
import secrets
import time
import uuid

import web

visits = itertools.count(1)


async def page(request):
    number = next(visits)
    await asyncio.sleep(random.expovariate(1 / 0.02))
    if random.random() < 0.05:
        return 503, f"too busy, incident {uuid.uuid4()}\n", {"Retry-After": "1"}
    token = base64.urlsafe_b64encode(secrets.token_bytes(24)).decode()
    body = f"""<p>Hello, {request.query.get("user", "guest")}</p>
<p>You are visitor {number}; it is {time.time():.6f}</p>
<input type=hidden name=csrf value={secrets.token_hex(20)}>
<script nonce="{token}">trace("{uuid.uuid4()}")</script>
"""
    return 200, body, {"X-Request-Id": str(uuid.uuid4()), "Set-Cookie": f"csrf={secrets.token_urlsafe(18)}"}


web.serve({"/page/": page})
