# locate: write=partial_handlers.py:16 read=partial_handlers.py:18|partial_handlers.py:19 object=?
# run: ["{bin}/uvicorn", "--port", "{port}", "partial_handlers:app"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A registry of handlers made by functools.partial; one keeps a mutable argument, and a namedtuple carries it."""
import asyncio
import functools
from typing import NamedTuple


class Answer(NamedTuple):
    status: int
    text: str


async def greet(memory, user):
    memory["user"] = user
    await asyncio.sleep(0.05)
    match memory:
        case {"user": str() as name}:
            return Answer(200, f"hello {name}")
    return Answer(500, "")


handlers = {"/": functools.partial(greet, {})}


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    answer = await handlers[scope["path"]](scope["query_string"].decode().partition("=")[2])
    await send({"type": "http.response.start", "status": answer.status, "headers": []})
    await send({"type": "http.response.body", "body": answer.text.encode()})
