"""aiohttp: an async view on a server of its own, several processes of which gunicorn keeps."""

import database
from aiohttp import web
from psycopg_pool import AsyncConnectionPool

POOL = web.AppKey("pool", AsyncConnectionPool)
routes = web.RouteTableDef()


async def connections(app):
    async with AsyncConnectionPool(**database.POOL) as pool:
        await pool.wait()
        app[POOL] = pool
        yield


async def first(request, statement, parameters):
    async with request.app[POOL].connection() as connection:
        return await (await connection.execute(statement, parameters)).fetchone()


@routes.get(r"/item/{item:\d+}")
async def show(request):
    sleep = float(request.query.get("sleep", 0))
    row = await first(request, *database.query(int(request.match_info["item"]), sleep))
    if not row:
        raise web.HTTPNotFound
    return web.json_response(database.page(row))


@routes.get("/health")
async def health(request):
    if not (await first(request, *database.ARE_ALL_THERE))[0]:
        raise web.HTTPServiceUnavailable
    return web.Response(text="ok\n")


app = web.Application()
app.add_routes(routes)
app.cleanup_ctx.append(connections)
