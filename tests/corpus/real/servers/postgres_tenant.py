"""Pages on Starlette from PostgreSQL, whose connections are pooled and remember what was set on them.

`/tenant/` sets who asks for the policies of the database, if somebody is known; the pool does not reset it. `/orders/` sets
it, and resets it unless a query fails. `/basket/` collects in a temporary table, which asyncpg's reset does not drop. Below
`/own/` the setting is local to a transaction, and so is the table."""

import os
from contextlib import asynccontextmanager

import asyncpg
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

FOLDER = os.environ["FOLDER"]
pools = {}


@asynccontextmanager
async def lifespan(_):
    dsn = f"host={FOLDER} user=app dbname=postgres"
    async with AsyncConnectionPool(dsn, min_size=4, max_size=4, kwargs={"autocommit": True}, open=False) as psycopg:
        async with asyncpg.create_pool(host=FOLDER, user="app", database="postgres", min_size=4, max_size=4) as pg:
            pools.update(psycopg=psycopg, asyncpg=pg)
            yield


SET = "SELECT set_config('app.tenant', %s, %s)"
SEEN = "SELECT coalesce(nullif(current_setting('app.tenant', true), ''), 'nobody')"
ORDERS = f"{SEEN} || ', page ' || %s::text::int"


async def one(connection, query, *arguments):
    return (await (await connection.execute(query, arguments)).fetchone())[0]


async def tenant(request):
    async with pools["psycopg"].connection() as connection:
        if user := request.cookies.get("user"):
            await connection.execute(SET, (user, False))
        return PlainTextResponse(f"tenant {await one(connection, SEEN)}\n")


async def own_tenant(request):
    async with pools["psycopg"].connection() as connection, connection.transaction():
        if user := request.cookies.get("user"):
            await connection.execute(SET, (user, True))
        return PlainTextResponse(f"tenant {await one(connection, SEEN)}\n")


async def orders(request):
    async with pools["psycopg"].connection() as connection:
        if user := request.cookies.get("user"):
            await connection.execute(SET, (user, False))
        text = await one(connection, ORDERS, request.query_params.get("page", "1"))
        await connection.execute("RESET app.tenant")
        return PlainTextResponse(f"{text}\n")


async def own_orders(request):
    async with pools["psycopg"].connection() as connection, connection.transaction():
        if user := request.cookies.get("user"):
            await connection.execute(SET, (user, True))
        return PlainTextResponse(f"{await one(connection, ORDERS, request.query_params.get('page', '1'))}\n")


async def collect(connection, user, then):
    await connection.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS basket (item text) {then}")
    await connection.execute("INSERT INTO basket VALUES ($1)", f"an apple for {user}")
    items = await connection.fetch("SELECT item FROM basket ORDER BY ctid DESC LIMIT 5")
    return PlainTextResponse("".join(f"{row['item']}\n" for row in items))


async def basket(request):
    async with pools["asyncpg"].acquire() as connection:
        return await collect(connection, request.cookies.get("user", "nobody"), "")


async def own_basket(request):
    async with pools["asyncpg"].acquire() as connection, connection.transaction():
        return await collect(connection, request.cookies.get("user", "nobody"), "ON COMMIT DROP")


pages = {"tenant": tenant, "own/tenant": own_tenant, "orders": orders, "own/orders": own_orders, "basket": basket, "own/basket": own_basket}
app = Starlette(routes=[Route(f"/{path}/", page) for path, page in pages.items()], lifespan=lifespan)
