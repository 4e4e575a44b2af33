# locate: write=fastapi_state.py:18 read=fastapi_state.py:23|fastapi_state.py:24 object=?
# run: ["{bin}/uvicorn", "--port", "{port}", "fastapi_state:create_app", "--factory"]
# show: {"how": "overlap", "path": "/report?email={canary}"}
"""A factory; the application's state has a builder of reports with a fluent interface, one for all requests."""
import asyncio
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI, Request

router = APIRouter()


class ReportBuilder:
    def __init__(self):
        self._parts = {}

    def with_email(self, email):
        self._parts |= {"email": email}
        return self

    async def build(self):
        await asyncio.sleep(0.05)
        parts = self._parts
        return {**parts, "lines": 3}


@asynccontextmanager
async def lifespan(app):
    app.state.builder = ReportBuilder()
    yield


@router.get("/report")
async def report(request: Request, email: str):
    return await request.app.state.builder.with_email(email).build()


def create_app():
    app = FastAPI(lifespan=lifespan)
    app.include_router(router)
    return app
