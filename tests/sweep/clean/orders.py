"""Own ids: orders with numbers that count up for all, each seen by its owner alone."""

import itertools
import time

import small

app = small.App("Orders")
numbers = itertools.count(5000)
orders = {}


def own(request):
    who, number = request.who(), int(request.ids["order"]) if request.ids["order"].isdigit() else 0
    if orders.get(number, {}).get("owner") != who:
        raise small.Problem(404, "there is no such order of yours")
    return number, orders[number]


def shown(number, order):
    return {"id": number, "address": order["address"], "items": order["items"], "placed": order["placed"]}


@app.post("/orders", body={"address": "string"}, user="cookie")
async def place(request):
    address, who = request.json()["address"], request.who()
    number = next(numbers)
    await small.pause()
    orders[number] = {"owner": who, "address": address, "items": [], "placed": time.time()}
    app.created(request, number, who)
    return 201, shown(number, orders[number])


@app.get("/orders", user="cookie")
async def mine(request):
    who = request.who()
    await small.pause()
    return {"orders": [shown(number, order) for number, order in orders.items() if order["owner"] == who]}


@app.get("/orders/{order}", user="cookie")
async def one(request):
    number, order = own(request)
    await small.pause()
    return shown(number, order)


@app.put("/orders/{order}", body={"address": "string"}, user="cookie")
async def readdress(request):
    number, order = own(request)
    address = request.json()["address"]
    await small.pause()
    order["address"] = address
    return shown(number, order)


@app.post("/orders/{order}/items", body={"name": "string"}, user="cookie")
async def add_item(request):
    number, order = own(request)
    name = request.json()["name"]
    await small.pause()
    order["items"].append(name)
    return 201, {"id": len(order["items"]), "name": name}


@app.delete("/orders/{order}", user="cookie")
async def cancel(request):
    number, order = own(request)
    await small.pause()
    orders.pop(number, None)
    app.deleted(request, number, order["owner"])
    return 204, None


@app.get("/statistics")
async def statistics(request):
    return {"orders": len(orders), "last_number": max(orders, default=None)}
