# locate: write=ring_of_slots.py:16 read=ring_of_slots.py:20 object=ring_of_slots.ring._slots['0']
# run: ["{bin}/granian", "--interface", "asgi", "--port", "{port}", "ring_of_slots:app"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A ring of slots with a capacity of one."""
import asyncio
from itertools import cycle


class Ring:
    def __init__(self, size):
        self._slots = [None] * size
        self._turn = cycle(range(size))

    def put(self, value):
        slot = next(self._turn)
        self._slots[slot] = value
        return slot

    def __getitem__(self, slot):
        return self._slots[slot]


ring = Ring(1)


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    slot = ring.put(scope["query_string"])
    await asyncio.sleep(0.05)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": ring[slot]})
