# locate: write=flask_class_view.py:17 read=flask_class_view.py:22 object=flask_class_view:Profile.user
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "flask_class_view:app"]
# show: {"how": "overlap", "path": "/profile?user={canary}"}
"""A class-based view that keeps the user on its class."""
import time

from flask import Flask, request
from flask.views import MethodView

app = Flask(__name__)


class Profile(MethodView):
    user = None

    def load(self):
        type(self).user = request.args["user"]
        time.sleep(0.08)

    def get(self):
        self.load()
        return f"profile of {self.user}"


app.add_url_rule("/profile", view_func=Profile.as_view("profile"))
