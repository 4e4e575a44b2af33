"""Pages on twisted.web, which answers what is pipelined on one connection.

Before 23.10 two requests that came in one packet were answered as they got ready, not in their order (CVE-2023-46137): a
slow one before a fast one is enough. Before 24.7 a request that came with the end of another's body was put off behind the
next one (CVE-2024-41671): a `POST` and its follower together, then one more."""

import sys

from twisted.internet import endpoints, reactor
from twisted.web import resource, server


class Page(resource.Resource):
    isLeaf = True

    def render_GET(self, request):
        """Takes as long as `?wait=` says, in seconds or like 100ms."""
        user = request.getHeader("x-user") or "nobody"
        wait = request.args.get(b"wait", [b"0"])[0].decode()
        after = float(wait.removesuffix("ms")) / 1000 if wait.endswith("ms") else float(wait.removesuffix("s"))

        def finish():
            request.write(f"page of {user}\n".encode())
            request.finish()

        call = reactor.callLater(after, finish)
        request.notifyFinish().addErrback(lambda _: call.active() and call.cancel())
        return server.NOT_DONE_YET

    def render_POST(self, request):
        request.content.read()
        return f"saved for {request.getHeader('x-user') or 'nobody'}\n".encode()


endpoints.serverFromString(reactor, f"tcp:{sys.argv[1]}:interface=127.0.0.1:backlog=256").listen(server.Site(Page()))
reactor.run()
