# locate: write=flask_teardown.py:18 read=flask_teardown.py:21 object=flask_teardown.carts['default']
# run: ["{bin}/waitress-serve", "--listen=127.0.0.1:{port}", "flask_teardown:app"]
# show: {"how": "sequence", "path": "/cart", "headers": {"x-user": "{canary}"}}
"""A blueprint with a cart service behind current_app.extensions; the cart of the last customer is still in it."""
from collections import defaultdict

from flask import Blueprint, Flask, current_app, g, request

carts = defaultdict(list)
shop = Blueprint("shop", __name__)


class CartService:
    def __init__(self, storage):
        self.storage = storage

    def add(self, line):
        self.storage["default"].append(line)

    def lines(self):
        return list(self.storage["default"])


@shop.before_request
def who():
    g.user = request.headers["X-User"]


@shop.get("/cart")
def cart():
    service = current_app.extensions["cart"]
    service.add({"owner": g.user, "sku": 7})
    return {"lines": [line["owner"] for line in service.lines()]}


def create_app():
    app = Flask(__name__)
    app.extensions["cart"] = CartService(carts)
    app.register_blueprint(shop)
    return app


app = create_app()
