"""A context variable that is set before a large body has been read. uvicorn pauses reading at 64 KiB, and the handler that
asks for more makes it go on: from then on the connection's bytes are received in that handler's context, and the next
request of the connection starts with a copy of it (uvicorn#2167, cpython#140947; on asyncio's own event loop).
`--reset-contextvars` mends it."""

import asyncio
import contextvars

user = contextvars.ContextVar("user", default="guest")


async def asgi(scope, receive, send):
    assert scope["type"] == "http"
    name = dict(scope["headers"]).get(b"x-user")
    if name:
        user.set(name.decode())
    await asyncio.sleep(0.01)  # who is that? Meanwhile the body comes in.
    while (await receive()).get("more_body"):
        pass
    body = f"upload by {user.get()}\n".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})
