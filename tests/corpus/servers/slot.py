"""A service object made once, with the user of the request as an attribute: a Spring @Service or a NestJS provider with a
field, a scoped session whose scope is the process. Two awaits lie between writing and reading it."""

import asyncio
import json

import web


class Orders:
    user = None

    async def summary(self, user):
        self.user = user
        await asyncio.sleep(0.01)  # the orders
        await asyncio.sleep(0.01)  # their prices
        return {"customer": self.user, "orders": 3}


singleton = Orders()


async def shared(request):
    return json.dumps(await singleton.summary(json.loads(request.body)["customer"]))


async def one_each(request):
    return json.dumps(await Orders().summary(json.loads(request.body)["customer"]))


web.serve({"/shared/": shared, "/one_each/": one_each})
