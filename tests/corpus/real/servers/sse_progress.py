"""The progress of a report, as server-sent events, on Starlette and sse-starlette.

`/progress/` takes its events from one bulletin for all, `/own/progress/` from the request. `/inbox/` is a stream without an
end, to which everybody's messages go; `/own/inbox/` gets one's own."""

import asyncio

from sse_starlette.sse import EventSourceResponse
from starlette.applications import Starlette
from starlette.routing import Route

bulletin = {"user": None}
inboxes = {}
STEPS = 5


def user_of(request):
    return request.headers.get("x-user", "nobody")


async def steps(read):
    for step in range(STEPS):
        await asyncio.sleep(0.02)
        yield {"event": "progress", "id": str(step), "data": f"step {step} of the report for {read()}"}


async def progress(request):
    bulletin["user"] = user_of(request)
    return EventSourceResponse(steps(lambda: bulletin["user"]))


async def own_progress(request):
    user = user_of(request)
    return EventSourceResponse(steps(lambda: user))


async def messages(user, topic):
    inbox = asyncio.Queue()
    inboxes.setdefault(topic, []).append(inbox)
    try:
        for other in inboxes[topic]:
            other.put_nowait(f"a message for {user}")
        while True:
            yield {"data": await inbox.get()}
    finally:
        inboxes[topic].remove(inbox)


async def inbox(request):
    return EventSourceResponse(messages(user_of(request), "all"))


async def own_inbox(request):
    return EventSourceResponse(messages(user_of(request), user_of(request)))


app = Starlette(routes=[
    Route("/progress/", progress), Route("/own/progress/", own_progress),
    Route("/inbox/", inbox), Route("/own/inbox/", own_inbox),
])
