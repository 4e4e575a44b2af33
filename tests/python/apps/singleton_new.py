# locate: write=singleton_new.py:28 read=singleton_new.py:32 object=?
# run: ["{bin}/uvicorn", "--port", "{port}", "singleton_new:app"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A singleton by __new__, with properties that are computed from a nested settings object."""
import asyncio

from fastapi import FastAPI


class Settings:
    __slots__ = {"values": "what is set"}

    def __init__(self):
        self.values = {}


class Container:
    _instance = None

    def __new__(cls):
        if cls._instance is None:
            cls._instance = super().__new__(cls)
            cls._instance.settings = Settings()
        return cls._instance

    def bind(self, **values):
        for key, value in values.items():
            self.settings.values[key] = value

    @property
    def user(self):
        return self.settings.values.get("user")


app = FastAPI()


@app.get("/")
async def home(user: str):
    Container().bind(user=user)
    await asyncio.sleep(0.05)
    return {"hello": Container().user}
