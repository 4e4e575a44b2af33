"""A feed: posts of all, newest first, and one post by its id. What one has saved for oneself is one's own."""

import itertools

import small

app = small.App("Feed")
numbers = itertools.count(1000)
posts = {}
drafts = {}


@app.post("/posts", body={"text": "string"}, user="cookie")
async def post(request):
    text, who = request.json()["text"], request.who()
    await small.pause()
    number = next(numbers)
    posts[number] = (who, text)
    app.created(request, number, who)
    return 201, {"id": number, "text": text}


@app.get("/feed", user="cookie")
async def feed(request):
    await small.pause()
    newest = list(posts.items())[-20:][::-1]
    return {"posts": [{"id": number, "text": text} for number, (_, text) in newest]}


@app.get("/posts/{post}", user="cookie")
async def one(request):
    number = int(request.ids["post"])
    await small.pause()
    if number not in posts:
        raise small.Problem(404, "there is no such post")
    return {"id": number, "text": posts[number][1]}


@app.put("/posts/{post}", body={"text": "string"}, user="cookie")
async def edit(request):
    number, who, text = int(request.ids["post"]), request.who(), request.json()["text"]
    await small.pause()
    if posts.get(number, (None,))[0] != who:
        raise small.Problem(404, "there is no such post of yours")
    posts[number] = (who, text)
    return {"id": number, "text": text}


@app.delete("/posts/{post}", user="cookie")
async def withdraw(request):
    number, who = int(request.ids["post"]), request.who()
    await small.pause()
    if posts.get(number, (None,))[0] != who:
        raise small.Problem(404, "there is no such post of yours")
    posts.pop(number, None)
    app.deleted(request, number, who)
    return 204, None


@app.put("/draft", body={"text": "string"}, user="cookie")
async def save_draft(request):
    who, text = request.who(), request.json()["text"]
    await small.pause()
    drafts[who] = text
    return {"text": text}


@app.get("/draft", user="cookie")
async def draft(request):
    who = request.who()
    await small.pause()
    return {"user": who, "text": drafts.get(who, "")}
