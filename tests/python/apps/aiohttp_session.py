# locate: write=aiohttp_session.py:24 read=aiohttp_session.py:17 object=aiohttp_session.client.headers['authorization']
# run: ["{python}", "aiohttp_session.py", "{port}"]
# show: {"how": "overlap", "path": "/", "headers": {"authorization": "Bearer {canary}"}}
"""One client for all requests: its headers are set by each of them, and sent later."""
import asyncio
import sys

from aiohttp import web


class Client:
    def __init__(self):
        self.headers = {}

    async def get(self, path):
        await asyncio.sleep(0.06)
        return f"GET {path} as {self.headers['authorization']}"


client = Client()


async def home(request):
    client.headers["authorization"] = request.headers["Authorization"]
    return web.Response(text=await client.get("/orders"))


app = web.Application()
app.add_routes([web.get("/", home)])

if __name__ == "__main__":
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
