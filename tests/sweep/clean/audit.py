"""An audit log: an auditor's page says who did what. That is meant, and nobody can see it from outside: it is declared."""

import collections
import itertools

import small

app = small.App("Documents with an audit log")
numbers = itertools.count(1)
documents = {}
log = collections.deque(maxlen=100)


@app.post("/documents", body={"title": "string"}, user="scheme")
async def add(request):
    title, who = request.json()["title"], request.who()
    await small.pause()
    number = next(numbers)
    documents[number] = (who, title)
    log.append({"who": who, "did": "add", "title": title})
    app.created(request, number, who)
    return 201, {"id": number, "title": title}


@app.get("/documents", user="scheme")
async def mine(request):
    who = request.who()
    await small.pause()
    own = [{"id": number, "title": title} for number, (owner, title) in documents.items() if owner == who]
    return {"documents": own}


@app.get("/documents/{document}", user="scheme")
async def one(request):
    who, number = request.who(), int(request.ids["document"])
    await small.pause()
    owner, title = documents.get(number, (None, ""))
    if owner != who:
        raise small.Problem(404, "there is no such document of yours")
    return {"id": number, "title": title}


@app.delete("/documents/{document}", user="scheme")
async def drop(request):
    who, number = request.who(), int(request.ids["document"])
    await small.pause()
    if documents.get(number, (None,))[0] != who:
        raise small.Problem(404, "there is no such document of yours")
    _, title = documents.pop(number)
    log.append({"who": who, "did": "drop", "title": title})
    app.deleted(request, number, who)
    return 204, None


@app.get("/audit", user="scheme")
async def audit(request):
    await small.pause()
    return {"log": list(log)[::-1]}


@app.get("/me", user="scheme")
async def me(request):
    who = request.who()
    await small.pause()
    return {"user": who}
