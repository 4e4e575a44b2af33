"""A cache in front of an application that takes whatever ends like a static file for one, whoever asked for it; and the
application answers `/account/x.css` as it does `/account` (web cache deception).

    suffix.py PORT            keeps what looks like a file
    suffix.py PORT asks       keeps nothing that the application calls private
    suffix.py PORT strict     keeps what looks like a file whatever its query, of an application that has one path for a page
"""

import asyncio
import re
import sys

import web

MODE = sys.argv[2] if len(sys.argv) > 2 else ""
FILE = re.compile(r"[.](css|js|png)$")
cache = {}


class Connection(web.Connection):
    async def answer(self, request):
        if request.target in cache:
            return cache[request.target]
        answer = await self.application(request)
        if FILE.search(request.path if MODE == "strict" else request.target) and answer[0] == 200 and not (MODE == "asks" and "private" in answer[2].values()):
            cache[request.target] = answer
        return answer

    async def application(self, request):
        await asyncio.sleep(0.005)
        found = request.path == "/account" if MODE == "strict" else request.path.startswith("/account")
        if not found:
            return 404, "not found\n", {}
        return 200, f"<h1>Account of {request.cookies.get('session', 'guest')}</h1>", {"Cache-Control": "private"}


web.serve({}, connection=Connection)
