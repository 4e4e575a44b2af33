"""Pages on Flask that ask another service, each in the name of its user.

`/profile/` logs in there with one `requests.Session` for all, whose cookie is the last user's. `/plan/` asks
an object that is made for each user, by a method whose result dogpile.cache keeps: its key leaves out `self`. Below `/own/` is
each of them without the fault."""

import requests
import upstream
from dogpile.cache import make_region
from flask import Flask, request

app = Flask(__name__)
SERVICE = upstream.start()

session = requests.Session()
region = make_region().configure("dogpile.cache.memory", expiration_time=60)


def user():
    return request.headers.get("x-user", "nobody")


def profile_with(session):
    session.get(f"{SERVICE}/login", params={"user": user()})
    session.get(f"{SERVICE}/rates")
    return f"profile of {session.get(f'{SERVICE}/me').json()['user']}\n"


@app.get("/profile/")
def profile():
    return profile_with(session)


@app.get("/own/profile/")
def own_profile():
    with requests.Session() as session:
        return profile_with(session)


class Plans:
    def __init__(self, user):
        self.user = user

    @region.cache_on_arguments()
    def of_month(self, month):
        return f"the plan of {self.user} for {month}\n"


@region.cache_on_arguments()
def plan_of(user, month):
    return f"the plan of {user} for {month}\n"


@app.get("/plan/<month>/")
def plan(month):
    return Plans(user()).of_month(month)


@app.get("/own/plan/<month>/")
def own_plan(month):
    return plan_of(user(), month)
