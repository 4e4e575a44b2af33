"""Shows the last thing that anybody wrote. It is stored on purpose, and nobody can tell it from a slot that leaks."""

import small

app = small.App("Last words")
last = {"text": ""}


@app.put("/last", body={"text": "string"}, user="header")
async def say(request):
    text = request.json()["text"]
    await small.pause()
    last["text"] = text
    return {"text": text}


@app.get("/last", user="header")
async def said(request):
    await small.pause()
    return {"last": last["text"]}


@app.get("/me", user="header")
async def me(request):
    who = request.user or "guest"
    await small.pause()
    return {"user": who}


@app.get("/search", query={"q": "string"}, user="header")
async def search(request):
    query = request.query.get("q", "")
    await small.pause()
    return {"query": query, "found": []}
