# locate: write=flask_middleware.py:24 read=flask_middleware.py:30 object=flask_middleware.current.name
# run: ["{bin}/flask", "--app", "flask_middleware", "run", "--port", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""A middleware puts the user into an object of the module; the view reads it after a pause."""
import time

from flask import Flask, request

app = Flask(__name__)


class Current:
    __slots__ = ("name", "plan")

    def __init__(self):
        self.name = self.plan = None


current = Current()


@app.before_request
def who():
    current.name = request.args.get("user")


@app.get("/")
def index():
    time.sleep(0.08)
    return {"hello": current.name}
