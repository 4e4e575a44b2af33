# locate: write=gevent_session.py:25 read=gevent_session.py:17 object=gevent_session.client.session.headers
# run: ["{bin}/gunicorn", "-k", "gevent", "-b", "127.0.0.1:{port}", "gevent_session:app"]
# show: {"how": "overlap", "path": "/", "headers": {"authorization": "Bearer {canary}"}}
"""A client class with a session object whose headers are updated per call, under gevent."""
import time
from types import SimpleNamespace

from flask import Flask, request


class Session:
    def __init__(self):
        self.headers = {"User-Agent": "shop"}

    def request(self, method, url):
        time.sleep(0.05)
        return SimpleNamespace(text=f"{method} {url} " + " ".join(f"{key}={value}" for key, value in self.headers.items()))


class Client:
    def __init__(self):
        self.session = Session()

    def orders(self, token):
        self.session.headers.update({"Authorization": token})
        return self.session.request("GET", "/orders")


client = Client()
app = Flask(__name__)


@app.get("/")
def home():
    return client.orders(request.headers["Authorization"]).text
