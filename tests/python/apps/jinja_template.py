# locate: write=jinja_template.py:14 read=jinja_template.py:21 object=jinja_template.context['user']
# run: ["{bin}/flask", "--app", "jinja_template", "run", "--port", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""The context of a template is a dictionary of the module."""
import time

from flask import Flask, render_template_string, request

app = Flask(__name__)
context = {"title": "Shop", "user": None}


def fill():
    context["user"] = request.args["user"]


@app.get("/")
def index():
    fill()
    time.sleep(0.08)
    return render_template_string("<h1>{{ title }}</h1><p>{{ user }}</p>", **context)
