"""A page on Flask that asks another service through requests-cache.

`/report/` asks through one `CachedSession`, which tells URLs apart and no `Authorization`; `/own/report/` through one that
does."""

import requests_cache
import upstream
from flask import Flask, request

app = Flask(__name__)
SERVICE = upstream.start()

by_url = requests_cache.CachedSession(backend="memory", expire_after=60)
# `match_headers` alone does not do: secrets are blanked before they are compared, as long as they are "ignored".
by_user = requests_cache.CachedSession(backend="memory", expire_after=60, match_headers=["Authorization"], ignored_parameters=[])


def report_with(session):
    user = request.headers.get("x-user", "nobody")
    answer = session.get(f"{SERVICE}/me", headers={"Authorization": f"Bearer {user}"})
    return f"report for {answer.json()['user']}\n"


@app.get("/report/")
def report():
    return report_with(by_url)


@app.get("/own/report/")
def own_report():
    return report_with(by_user)
