"""Pages on Starlette that ask another service by httpx.

`/profile/` sets the header of the one client that all requests share, `/balance/` that of the next of five clients, and
both give it with the request below `/own/`."""

import itertools

import httpx
import upstream
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

SERVICE = upstream.start()
LIMITS = httpx.Limits(max_connections=100)

client = httpx.AsyncClient(base_url=SERVICE, limits=LIMITS)
clients = itertools.cycle([httpx.AsyncClient(base_url=SERVICE, limits=LIMITS) for _ in range(5)])


def token(request):
    return f"Bearer {request.headers.get('x-user', 'nobody')}"


async def asked_by(client, request):
    await client.get("/health")
    return JSONResponse((await client.get("/me")).json())


async def profile(request):
    client.headers["Authorization"] = token(request)
    return await asked_by(client, request)


async def balance(request):
    mine = next(clients)
    mine.headers["Authorization"] = token(request)
    return await asked_by(mine, request)


async def asked_for(client, request):
    await client.get("/health")
    return JSONResponse((await client.get("/me", headers={"Authorization": token(request)})).json())


async def own_profile(request):
    return await asked_for(client, request)


async def own_balance(request):
    return await asked_for(next(clients), request)


pages = {"profile": profile, "balance": balance, "own/profile": own_profile, "own/balance": own_balance}
app = Starlette(routes=[Route(f"/{path}/", page) for path, page in pages.items()])
