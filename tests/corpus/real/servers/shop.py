"""A shop on Flask, to be put behind a cache. Its pages say whose they are by a cookie."""

from flask import Flask, request

app = Flask(__name__)


@app.get("/account/")
@app.get("/account/<path:rest>")
def account(rest=""):
    user = request.cookies.get("session", "nobody")
    headers = {"cache-control": "private"} if rest else {}
    return f"<h1>Account of {user}</h1>\n", 200, headers
