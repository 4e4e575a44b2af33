"""What an error leaves behind: a notice kept for "the next page" in a list of the process, and a database connection that
goes back to its pool with a transaction open, so that the next user's commit writes, and shows, the failed one's row.

Two debug pages, for failed requests alone: `/debug/` says who asked, from a variable of the process that is written before
a pause, and `/debug_last/` what failed before."""

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


class Debug:
    user = last = None


async def page_of(request):
    await asyncio.sleep(0.02)
    return int(request.query.get("page", "1"))


async def debug(request):
    Debug.user = user = request.query.get("user", "guest")
    try:
        return f"Page {await page_of(request)} of {user}"
    except ValueError as error:
        return 500, f"{error}, for {Debug.user}"


async def debug_last(request):
    user = request.query.get("user", "guest")
    try:
        return f"Page {await page_of(request)} of {user}"
    except ValueError as error:
        last, Debug.last = Debug.last, f"{error}, for {user}"
        return 500, f"{Debug.last}; before that: {last}"


async def debug_own(request):
    user = request.query.get("user", "guest")
    try:
        return f"Page {await page_of(request)} of {user}"
    except ValueError as error:
        return 500, f"{error}, for {user}"


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


web.serve({
    "/notice/": notice,
    "/debug/": debug,
    "/debug_last/": debug_last,
    "/debug_own/": debug_own,
    "/order/": orders(roll_back=False),
    "/order_rolled_back/": orders(roll_back=True),
})
