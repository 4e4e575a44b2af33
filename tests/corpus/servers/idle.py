"""A connection that has been idle for 300 ms is told so with a 408 and closed, as HAProxy and nginx in front of old
applications do. Those bytes answer nothing: a client that had just sent a request must not take them for its reply."""

import asyncio

import web


class Connection(web.Connection):
    def connection_made(self, transport):
        super().connection_made(transport)
        self.watch()

    def watch(self):
        self.timer = asyncio.get_running_loop().call_later(0.3, self.tell)

    def tell(self):
        self.transport.write(web.response((408, "idle for too long\n"), closes=True))
        self.transport.close()

    async def handle(self, request):
        self.timer.cancel()
        await super().handle(request)
        self.watch()


async def page(request):
    await asyncio.sleep(0.002)
    return f"<p>Hello, {request.query.get('user', 'guest')}</p>"


web.serve({"/page/": page}, connection=Connection)
