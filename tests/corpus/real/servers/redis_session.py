"""Sessions in Redis, which is 100 ms away. A request whose client has left is cancelled.

redis-py 4.5.1 puts the connection of a cancelled command back into its pool with the reply still to come, and whoever takes
it next reads that (redis-py#2624, the ChatGPT outage of March 2023). 4.5.5 closes it. `/session/` awaits one `get`
(CVE-2023-28859), `/profile/` a pipeline (CVE-2023-28858). The pool drops a connection on which something waits to be read, so
who comes later than 100 ms after the one who left sees nothing."""

import asyncio
import contextlib
import os
import secrets

from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

FOLDER = os.environ["FOLDER"]
DISTANCE = 0.05  # seconds, each way

redis = Redis(unix_socket_path=f"{FOLDER}/far", decode_responses=True)
near = Redis(unix_socket_path=f"{FOLDER}/redis", decode_responses=True)


async def carry(reader, writer):
    """Copies what comes, later."""
    loop = asyncio.get_running_loop()
    while data := await reader.read(65536):
        loop.call_later(DISTANCE, writer.write, data)
    loop.call_later(DISTANCE, writer.close)


async def far(reader, writer):
    theirs, to_them = await asyncio.open_unix_connection(f"{FOLDER}/redis")
    await asyncio.gather(carry(reader, to_them), carry(theirs, writer))


def while_connected(handler):
    """Cancels the handler when its client leaves."""

    async def endpoint(request):
        async def gone():
            while (await request.receive())["type"] != "http.disconnect":
                pass

        work, leaving = asyncio.ensure_future(handler(request)), asyncio.ensure_future(gone())
        await asyncio.wait([work, leaving], return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        if not work.done():
            work.cancel()
            return PlainTextResponse("nobody is there", 499)
        return work.result()

    return endpoint


async def login(request):
    form = await request.form()
    token = secrets.token_hex(16)
    await near.set(f"session:{token}", form["user"], ex=600)
    response = PlainTextResponse("welcome\n")
    response.set_cookie("session", token)
    return response


@while_connected
async def session(request):
    user = await redis.get(f"session:{request.cookies.get('session')}")
    if user is None:
        return PlainTextResponse("please log in\n", 401)
    return PlainTextResponse(f"logged in as {user}\n")


@while_connected
async def profile(request):
    user = request.headers.get("x-user", "nobody")
    async with redis.pipeline() as commands:
        commands.set(f"profile:{user}", f"the profile of {user}", ex=600, nx=True)
        commands.get(f"profile:{user}")
        _, text = await commands.execute()
    return PlainTextResponse(f"{text}\n")


routes = [Route("/login/", login, methods=["POST"]), Route("/session/", session), Route("/profile/", profile)]


@contextlib.asynccontextmanager
async def lifespan(_):
    async with await asyncio.start_unix_server(far, f"{FOLDER}/far"):
        yield


app = Starlette(routes=routes, lifespan=lifespan)
