# locate: write=quart_cache.py:21 read=quart_cache.py:19 object=quart_cache.cache.pages['/account']
# run: ["{bin}/hypercorn", "-b", "127.0.0.1:{port}", "quart_cache:app"]
# show: {"how": "sequence", "path": "/account", "headers": {"cookie": "session={canary}"}}
"""A cache of pages as a decorator; its key is the path, and the user is in a cookie."""
import functools

from quart import Quart, request

app = Quart(__name__)


class Cache:
    def __init__(self):
        self.pages = {}

    def cached(self, view):
        @functools.wraps(view)
        async def inner():
            page = self.pages.get(request.path)
            if page is None:
                page = self.pages[request.path] = await view()
            return page

        return inner


cache = Cache()


@app.get("/account")
@cache.cached
async def account():
    return f"account of {request.cookies['session']}"
