"""A guest book: what anybody writes is shown to all, for that is what it is for. Who asks is shown to themselves alone."""

import html
import itertools

import small

app = small.App("Guest book")
numbers = itertools.count(1)
entries = {}


@app.post("/guestbook", body={"message": "string"}, user="header")
async def write(request):
    message, who = request.json()["message"], request.who()
    await small.pause()
    number = next(numbers)
    entries[number] = (who, message)
    app.created(request, number, who)
    return 201, {"id": number, "message": message}


@app.get("/guestbook", user="header")
async def read(request):
    await small.pause()
    return {"entries": [{"id": number, "message": message} for number, (_, message) in list(entries.items())[-50:]]}


@app.get("/guestbook/page", user="header", page=True)
async def read_page(request):
    who = request.user or "guest"
    await small.pause()
    lines = [f"<li>{html.escape(message)}" for _, message in list(entries.values())[-50:]]
    return small.page("Guest book", f"<p>Hello, {html.escape(who)}</p>", *lines)


@app.get("/guestbook/count")
async def count(request):
    return {"count": len(entries)}


@app.delete("/guestbook/{entry}", user="header")
async def take_back(request):
    who, number = request.who(), int(request.ids["entry"])
    if entries.get(number, (None,))[0] != who:
        raise small.Problem(404, "there is no such entry of yours")
    await small.pause()
    entries.pop(number, None)
    app.deleted(request, number, who)
    return 204, None


@app.get("/me", user="header")
async def me(request):
    who = request.user or "guest"
    await small.pause()
    return {"user": who}
