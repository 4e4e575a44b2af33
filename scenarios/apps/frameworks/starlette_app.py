"""Starlette: an async view, which lets other requests run while PostgreSQL works."""

from contextlib import asynccontextmanager

import database
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

pool = AsyncConnectionPool(**database.POOL)


@asynccontextmanager
async def lifespan(app):
    await pool.open(wait=True)
    yield
    await pool.close()


async def first(statement, parameters):
    async with pool.connection() as connection:
        return await (await connection.execute(statement, parameters)).fetchone()


async def show(request):
    sleep = float(request.query_params.get("sleep", 0))
    row = await first(*database.query(request.path_params["item"], sleep))
    if not row:
        raise HTTPException(404)
    return JSONResponse(database.page(row))


async def health(request):
    is_ready = (await first(*database.ARE_ALL_THERE))[0]
    return PlainTextResponse("ok\n" if is_ready else "not yet\n", 200 if is_ready else 503)


app = Starlette(routes=[Route("/item/{item:int}", show), Route("/health", health)], lifespan=lifespan)
