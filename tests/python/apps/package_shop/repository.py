import asyncio


class Repository:
    def __init__(self):
        self.filters = {}

    def only(self, **filters):
        self.filters.update(filters)

    async def fetch_all(self):
        await asyncio.sleep(0.06)
        return [f"line of {self.filters['customer']}"]
