"""Who asks, in a context variable that an authentication in front of Starlette sets if a token came.

uvicorn handles a request in the context of what woke it: after a body that had to wait for its reader that is the handler of
the request before on the same connection (encode/uvicorn#2167). `--reset-contextvars` starts each with an empty one."""

from contextvars import ContextVar

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

user = ContextVar("user", default="nobody")


class Authentication:
    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        token = dict(scope.get("headers", [])).get(b"x-user")
        if token:
            user.set(token.decode())
        await self.app(scope, receive, send)


async def page(request):
    await request.body()
    return PlainTextResponse(f"notes of {user.get()}\n")


app = Authentication(Starlette(routes=[Route("/notes/", page, methods=["GET", "POST"])]))
