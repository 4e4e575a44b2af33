# locate: write=starlette_background.py:17 read=starlette_background.py:22 object=starlette_background.outbox
# run: ["{bin}/uvicorn", "--port", "{port}", "starlette_background:app"]
# show: {"how": "sequence", "path": "/?user={canary}", "pause": 0.2}
"""A background task puts a notice into a list of the module; the next request shows it."""
import asyncio

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import PlainTextResponse
from starlette.routing import Route

outbox = []


async def notify(user):
    await asyncio.sleep(0.02)
    outbox.append(f"order of {user} is on its way")


async def home(request):
    user = request.query_params["user"]
    notice = outbox[-1] if outbox else ""
    return PlainTextResponse(f"hello {user}. {notice}", background=BackgroundTask(notify, user))


app = Starlette(routes=[Route("/", home)])
