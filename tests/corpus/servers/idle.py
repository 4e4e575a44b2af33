"""A client that takes too long is told so with a 408, as HAProxy and nginx in front of old applications do.

    /page/    no request for 300 ms: a 408 answers nobody, and the connection is closed
    /closed/  a request that is not whole after 300 ms: a 408, and the connection is closed
    /kept/    the same, but the connection is kept, and the request is answered all the same once it is whole: two replies
              to one request, and everybody after that reads the reply before theirs
"""

import asyncio

import web


class Connection(web.Connection):
    timer = None

    def connection_made(self, transport):
        super().connection_made(transport)
        self.watch()

    def data_received(self, data):
        super().data_received(data)
        if not self.task:
            self.watch()

    def watch(self):
        if self.timer:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(0.3, self.tell)

    def tell(self):
        keeps = b" /kept/" in self.buffer
        self.transport.write(web.response((408, "too slow\n"), closes=not keeps))
        if not keeps:
            self.transport.close()

    async def handle(self, request):
        self.timer.cancel()
        await super().handle(request)
        self.watch()


async def page(request):
    await asyncio.sleep(0.002)
    return f"<p>Hello, {request.query.get('user', 'guest')}</p>"


web.serve({"/page/": page, "/closed/": page, "/kept/": page}, connection=Connection)
