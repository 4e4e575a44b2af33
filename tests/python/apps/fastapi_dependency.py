# locate: write=fastapi_dependency.py:32 read=fastapi_dependency.py:20 object=fastapi_dependency.service.user
# run: ["{bin}/uvicorn", "--port", "{port}", "fastapi_dependency:app"]
# show: {"how": "overlap", "path": "/me", "headers": {"x-user": "{canary}"}}
"""Dependency injection: the service is made once, by a dependency that is cached for the process."""
import asyncio
from functools import lru_cache
from typing import Annotated

from fastapi import Depends, FastAPI, Header

app = FastAPI()


class Service:
    def __init__(self):
        self.user = None

    async def orders(self):
        await asyncio.sleep(0.08)
        return {"customer": self.user, "orders": []}


service = Service()


@lru_cache
def get_service():
    return service


def get_user(x_user: Annotated[str, Header()], service: Annotated[Service, Depends(get_service)]):
    service.user = x_user
    return x_user


@app.get("/me")
async def me(user: Annotated[str, Depends(get_user)], service: Annotated[Service, Depends(get_service)]):
    return await service.orders()
