"""FastAPI: as under Starlette, with parameters that are validated."""

from contextlib import asynccontextmanager

import database
from fastapi import FastAPI, HTTPException
from psycopg_pool import AsyncConnectionPool

pool = AsyncConnectionPool(**database.POOL)


@asynccontextmanager
async def lifespan(app):
    await pool.open(wait=True)
    yield
    await pool.close()


app = FastAPI(lifespan=lifespan)


async def first(statement, parameters):
    async with pool.connection() as connection:
        return await (await connection.execute(statement, parameters)).fetchone()


@app.get("/item/{item}")
async def show(item: int, sleep: float = 0):
    row = await first(*database.query(item, sleep))
    if not row:
        raise HTTPException(404)
    return database.page(row)


@app.get("/health")
async def health():
    if not (await first(*database.ARE_ALL_THERE))[0]:
        raise HTTPException(503)
    return "ok"
