"""Pages on Flask under gunicorn's threads.

`/hello/` keeps who asks in a thread-local, and leaves what the last one left there. `/statement/` puts who asks into the
globals of Jinja; it is long, and compressed by Flask-Compress. `/home/` keeps who asks in the configuration of the application, and
redirects to their page; so does `/admin/`, and refuses them. Below `/own/` is each of them without the fault."""

import threading
import time

from flask import Flask, g, redirect, render_template_string, request
from flask_compress import Compress

app = Flask(__name__)
Compress(app)
local = threading.local()


def query(takes=0.002):
    """Asks a database."""
    time.sleep(takes)


@app.get("/hello/")
def hello():
    if "x-user" in request.headers:
        local.user = request.headers["x-user"]
    return f"hello {getattr(local, 'user', 'nobody')}\n"


@app.get("/own/hello/")
def own_hello():
    if "x-user" in request.headers:
        g.user = request.headers["x-user"]
    return f"hello {g.get('user', 'nobody')}\n"


STATEMENT = """<h1>Statement of {{ user }}</h1>
{% for day in range(1, 200) %}<p>Day {{ day }}: nothing was spent on account of {{ user }}.</p>
{% endfor %}"""


@app.get("/statement/")
def statement():
    app.jinja_env.globals["user"] = request.headers.get("x-user", "nobody")
    query(takes=0.02)
    return render_template_string(STATEMENT)


@app.get("/own/statement/")
def own_statement():
    query(takes=0.02)
    return render_template_string(STATEMENT, user=request.headers.get("x-user", "nobody"))


@app.get("/home/")
def home():
    app.config["USER"] = request.headers.get("x-user", "nobody")
    query()
    return redirect(f"/people/{app.config['USER']}/")


@app.get("/own/home/")
def own_home():
    user = request.headers.get("x-user", "nobody")
    query()
    return redirect(f"/people/{user}/")


def refused(user):
    return f"<h1>Forbidden</h1> {user} may not see this page.\n", 403


@app.get("/admin/")
def admin():
    app.config["USER"] = request.headers.get("x-user", "nobody")
    query(takes=0.02)
    return refused(app.config["USER"])


@app.get("/own/admin/")
def own_admin():
    query(takes=0.02)
    return refused(request.headers.get("x-user", "nobody"))
