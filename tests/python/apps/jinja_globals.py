# locate: write=jinja_globals.py:14 read=jinja_globals.py:20 object=?
# run: ["{bin}/flask", "--app", "jinja_globals", "run", "--port", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""The globals of a template environment, set per request; only the template reads them."""
import time

from flask import Flask, render_template_string, request

app = Flask(__name__)


@app.before_request
def before():
    app.jinja_env.globals["who"] = request.args["user"]


@app.get("/")
def home():
    time.sleep(0.06)
    return render_template_string("hello {{ who }}")
