# locate: write=executor_slot.py:26 read=executor_slot.py:20 object=executor_slot._job.user
# run: ["{bin}/uvicorn", "--port", "{port}", "executor_slot:app"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""Work in an executor's thread, with its argument in a module variable."""
import asyncio
import time
from dataclasses import dataclass


@dataclass
class Job:
    user: str = ""


_job = Job()


def work():
    time.sleep(0.05)
    return f"report for {_job.user}"


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    _job.user = scope["query_string"].decode().partition("=")[2]
    body = await asyncio.get_running_loop().run_in_executor(None, work)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body.encode()})
