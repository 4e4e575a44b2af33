# locate: write=tornado_executor.py:18 read=tornado_executor.py:26 object=?
# run: ["{python}", "tornado_executor.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""tornado: an attribute of the application, read in a thread of an executor."""
import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import tornado.ioloop
import tornado.web

pool = ThreadPoolExecutor(4)


class Export(tornado.web.RequestHandler):
    def prepare(self):
        self.application.last_user = self.get_query_argument("user")

    async def get(self):
        text = await tornado.ioloop.IOLoop.current().run_in_executor(pool, self.make)
        self.finish(text)

    def make(self):
        time.sleep(0.05)
        return "export for " + self.application.last_user


async def main():
    app = tornado.web.Application([(r"/", Export)])
    app.listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


asyncio.run(main())
