# locate: write=quart_g.py:15 read=quart_g.py:18|quart_g.py:20 object=quart_g.http.headers['x-token']
# run: ["{bin}/hypercorn", "-b", "127.0.0.1:{port}", "quart_g:app"]
# show: {"how": "overlap", "path": "/", "headers": {"x-token": "{canary}"}}
"""A shared client whose default headers are set by each request, through a helper with keyword arguments."""
import asyncio

from quart import Quart, request


class Http:
    def __init__(self):
        self.headers = dict(accept="*/*")

    def auth(self, *, token):
        self.headers["x-token"] = token

    async def get(self, url, **options):
        headers = {**self.headers, **options.get("headers", {})}
        await asyncio.sleep(0.04)
        return {"url": url, "sent": {**self.headers, **headers}}


http = Http()
app = Quart(__name__)


@app.before_request
async def before():
    http.auth(token=request.headers["X-Token"])


@app.get("/")
async def home():
    await asyncio.sleep(0.03)
    return await http.get("/orders")
