# locate: write=sanic_context.py:16 read=sanic_context.py:22 object=sanic_context.app.ctx.user
# run: ["{python}", "sanic_context.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""The context of the application is taken for that of the request."""
import asyncio
import sys

from sanic import Sanic
from sanic.response import text

app = Sanic("shop")


@app.on_request
async def who(request):
    request.app.ctx.user = request.args.get("user")


@app.get("/")
async def home(request):
    await asyncio.sleep(0.06)
    return text(f"hello {request.app.ctx.user}")


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), single_process=True, access_log=False)
