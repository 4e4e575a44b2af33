# locate: write=tornado_property.py:20 read=tornado_property.py:16 object=tornado_property.basket._owner
# run: ["{python}", "tornado_property.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A property over a private attribute of an object that all handlers share."""
import asyncio
import sys

import tornado.web


class Basket:
    _owner = None

    @property
    def owner(self):
        return self._owner

    @owner.setter
    def owner(self, value):
        self._owner = value


basket = Basket()


class Main(tornado.web.RequestHandler):
    def initialize(self, basket):
        self.basket = basket

    async def get(self):
        self.basket.owner = self.get_argument("user")
        await asyncio.sleep(0.06)
        self.write({"owner": self.basket.owner})


async def main():
    tornado.web.Application([("/", Main, {"basket": basket})]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
