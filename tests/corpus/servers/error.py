"""What an error leaves behind: a notice kept for "the next page" in a list of the process, and a database connection that
goes back to its pool with a transaction open, so that the next user's commit writes, and shows, the failed one's row."""

import asyncio
import json

import web

notices = []


async def notice(request):
    user = request.query.get("user", "guest")
    shown = [notices.pop()] if notices else []
    try:
        page = int(request.query.get("page", "1"))
    except ValueError:
        notices.append(f"Sorry {user}, your page could not be shown")
        return 500, "something went wrong\n"
    return "\n".join([*shown, f"Page {page} of {user}"])


class Database:
    """One connection. Rows that were added are kept until `commit` writes them or `rollback` drops them."""

    def __init__(self):
        self.added = []

    def commit(self):
        written, self.added = self.added, []
        return written

    def rollback(self):
        self.added = []


def orders(roll_back):
    database = Database()

    async def order(request):
        wanted = json.loads(request.body)
        try:
            database.added.append({"customer": wanted["customer"]})
            database.added[-1]["quantity"] = int(wanted["quantity"])  # TypeError, ValueError: 500
            return json.dumps({"written": database.commit()})
        except Exception:
            if roll_back:
                database.rollback()
            raise

    return order


web.serve({"/notice/": notice, "/order/": orders(roll_back=False), "/order_rolled_back/": orders(roll_back=True)})
