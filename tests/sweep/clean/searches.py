"""Recent searches: a query is kept and shown to all. A leak would look the same, so it is declared."""

import collections

import small

app = small.App("Search with recent queries")
recent = collections.deque(maxlen=10)
THINGS = ["apple", "pear", "plum", "quince"]


@app.get("/search", query={"q": "string"}, user="header")
async def search(request):
    query = request.query.get("q", "")
    recent.append(query)
    await small.pause()
    return {"query": query, "found": [thing for thing in THINGS if query in thing]}


@app.get("/recent", user="header")
async def recently(request):
    await small.pause()
    return {"queries": list(recent)[::-1]}


@app.get("/suggest", query={"q": "string"}, user="header")
async def suggest(request):
    query = request.query.get("q", "")
    await small.pause()
    return {"query": query, "suggestions": [f"{query} {thing}" for thing in THINGS]}


@app.get("/things")
async def things(request):
    return {"things": THINGS}


@app.get("/me", user="header")
async def me(request):
    who = request.user or "guest"
    await small.pause()
    return {"user": who}
