"""Pages and forms of one who asks, behind what makes them awkward; WITH says what.

    WITH=flaky        one answer in ten is a 503
    WITH=limit        50 requests a second, then 429 with Retry-After
    WITH=gzip         answers are compressed
    WITH=etags        ETag, and 304 to who has the page already
    WITH=closed       4 of 14 operations want a login that nobody gets
"""

import gzip
import hashlib
import html
import os
import random
import time

import small

WITH = os.environ.get("WITH", "")
app = small.App(f"Pages, {WITH or 'plain'}")
notes = {}


def view(kind):
    async def shown(request):
        who = html.escape(request.user or "guest")
        await small.pause()
        links = " ".join(f'<a href="/{name}">{name}</a>' for name in PAGES)
        return small.page(kind, f"<p>{who}, this is {kind}</p>", links, "<p>" + "Text that all pages have. " * 20 + "</p>")

    shown.__name__ = kind
    return shown


PAGES = ("home", "inbox", "calendar", "contacts", "billing")
for name in PAGES:
    app.get(f"/{name}", user="cookie", page=True)(view(name))


@app.get("/search", query={"q": "string"}, user="cookie")
async def search(request):
    query, who = request.query.get("q", ""), request.user
    await small.pause()
    return {"user": who, "query": query, "found": []}


@app.put("/note", body={"text": "string"}, user="cookie")
async def write_note(request):
    text, who = request.json()["text"], request.who()
    await small.pause()
    notes[who] = text
    return {"text": text}


@app.get("/note", user="cookie")
async def read_note(request):
    who = request.who()
    await small.pause()
    return {"text": notes.get(who, "")}


@app.post("/convert", body={"text": "string"}, user="cookie", status=200)
async def convert(request):
    text = request.json()["text"]
    await small.pause()
    return {"upper": text.upper(), "length": len(text)}


@app.get("/about", page=True)
async def about(request):
    return small.page("About", "<p>An application.</p>")


def closed(name):
    async def refused(request):
        await small.pause()
        raise small.Problem(401, "log in first")

    refused.__name__ = name
    return refused


if WITH == "closed":
    for name in ("accounts", "payroll", "keys"):
        app.get(f"/{name}", user="bearer")(closed(name))
    app.post("/transfers", body={"to": "string"}, user="bearer")(closed("transfers"))


async def flaky(request, answer):
    if random.random() < 0.1 and request.path != "/openapi.json":
        await small.pause()
        return 503, {"content-type": "text/plain"}, b"try again\n"
    return await answer()


tokens = {"left": 50.0, "at": time.monotonic()}


async def limit(request, answer):
    now = time.monotonic()
    tokens["left"] = min(50.0, tokens["left"] + (now - tokens["at"]) * 50)
    tokens["at"] = now
    if tokens["left"] < 1:
        return 429, {"retry-after": "1", "content-type": "text/plain"}, b"too many requests\n"
    tokens["left"] -= 1
    return await answer()


async def compressed(request, answer):
    status, headers, body = await answer()
    if not body or "identity" in request.headers.get("accept-encoding", ""):
        return status, headers, body
    return status, {**headers, "content-encoding": "gzip", "vary": "accept-encoding"}, gzip.compress(body, 1)


async def etags(request, answer):
    status, headers, body = await answer()
    if request.method != "GET" or status != 200:
        return status, headers, body
    tag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    headers = {**headers, "etag": tag, "cache-control": "private, no-cache", "vary": "cookie"}
    if request.headers.get("if-none-match") == tag:
        return 304, headers, b""
    return status, headers, body


app.around = {"flaky": flaky, "limit": limit, "gzip": compressed, "etags": etags}.get(WITH)
