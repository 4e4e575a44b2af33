# locate: write=asyncio_gather.py:12 read=asyncio_gather.py:21 object=asyncio_gather.results
# run: ["{bin}/hypercorn", "-b", "127.0.0.1:{port}", "asyncio_gather:app"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""Several tasks of a request put their parts into a list of the module, which is emptied by who reads it."""
import asyncio

results = []


async def part(number, user):
    await asyncio.sleep(0.01 * number)
    results.append((number, user))


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    user = scope["query_string"].decode().split("=")[1]
    async with asyncio.timeout(3):
        await asyncio.gather(*(part(number, user) for number in range(1, 5)))
    body = ", ".join(f"{number}: {name}" for number, name in sorted(results))
    results.clear()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": body.encode()})
