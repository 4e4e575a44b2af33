"""Accounts on Flask-Login, with a login form that Flask-WTF guards, and pages that Flask-Caching keeps.

`/orders/` is kept by its path, and whoever comes next gets it; `/own/` by its path and the user."""

import secrets

from flask import Flask, redirect, render_template_string
from flask_caching import Cache
from flask_login import LoginManager, UserMixin, current_user, login_required, login_user
from flask_wtf import FlaskForm
from wtforms import PasswordField, StringField
from wtforms.validators import DataRequired

app = Flask(__name__)
app.secret_key = secrets.token_hex()
cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
login_manager = LoginManager(app)
login_manager.login_view = "login"

FORM = """<form method="post">{{ form.csrf_token }} {{ form.user }} {{ form.password }} <button>Log in</button></form>
{{ form.errors or "" }}\n"""


class User(UserMixin):
    def __init__(self, name):
        self.id = name


class Login(FlaskForm):
    user = StringField(validators=[DataRequired()])
    password = PasswordField(validators=[DataRequired()])


@login_manager.user_loader
def load(name):
    return User(name)


@app.route("/login/", methods=["GET", "POST"])
def login():
    form = Login()
    if form.validate_on_submit():
        login_user(User(form.user.data))
        return redirect("/orders/")
    return render_template_string(FORM, form=form)


def orders():
    return f"<h1>Orders of {current_user.id}</h1>\n"


def page_of_user():
    return f"orders of {current_user.id}"


app.add_url_rule("/orders/", "orders", login_required(cache.cached(timeout=60)(orders)))
app.add_url_rule("/own/", "own", login_required(cache.cached(timeout=60, make_cache_key=page_of_user)(orders)))
