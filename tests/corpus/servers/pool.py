"""Connections to a backend that answers in order. A handler that gives up between sending and reading, and puts its
connection back, leaves an answer on it: the next user of that connection reads it, and everybody after that is one behind.
redis-py#2624 and #2665, the ChatGPT outage of March 2023.

`/profile/` is given up when its client leaves; `/report/` when the backend takes longer than 60 ms, which it does for one
in twenty; `/query/` when what was asked for, `?wait=`, takes longer than 200 ms. Below `/strict/` a connection that was
given up on is thrown away.

`/session/` and `/session_quick/` are given up like `/profile/`, on pools that heal as redis-py's does: a connection on which
an answer stands when it is lent is thrown away. Only who comes before the late answer, within 100 or 5 ms, gets it. So do
`/cart/` and `/settings/`, which share a pool: the first compares what it got with what it asked for."""

import asyncio
import random

import web


def seconds(text):
    """`0.01` or `10ms`."""
    return float(text.removesuffix("ms")) / 1000 if text.endswith("ms") else float(text)


class Backend:
    """One connection: what is asked is answered in order, each after a while."""

    def __init__(self):
        self.answers = asyncio.Queue()

    def is_quiet(self):
        return self.answers.empty()

    def ask(self, question, after):
        asyncio.get_running_loop().call_later(after, self.answers.put_nowait, f"row of {question}")

    async def read(self):
        return await self.answers.get()


class Pool:
    def __init__(self, strict, heals=False):
        self.strict, self.heals, self.free = strict, heals, [Backend(), Backend()]

    async def query(self, question, after, patience=None):
        connection = self.free.pop() if self.free else Backend()
        if self.heals and not connection.is_quiet():
            connection = Backend()
        try:
            connection.ask(question, after)
            answer = await asyncio.wait_for(connection.read(), patience)
        except BaseException:
            if not self.strict:
                self.free.append(connection)
            raise
        self.free.append(connection)
        return answer


def routes(prefix, strict):
    profiles, reports, queries = Pool(strict), Pool(strict), Pool(strict)
    sessions, quick, shared = Pool(strict, heals=True), Pool(strict, heals=True), Pool(strict, heals=True)

    async def profile(request):
        return await profiles.query(request.cookies.get("session", "nobody"), 0.03)

    async def report(request):
        after = 0.1 if random.random() < 0.05 else 0.01
        try:
            return await reports.query(request.headers.get("x-user", "nobody"), after, patience=0.06)
        except asyncio.TimeoutError:
            return 504, "the backend is slow\n"

    async def query(request):
        after = seconds(request.query.get("wait", "10ms"))
        try:
            return await queries.query(request.query.get("user", "nobody"), after, patience=0.2)
        except asyncio.TimeoutError:
            return 504, "that takes too long\n"

    def session(pool, after, compares=False):
        async def view(request):
            user = request.cookies.get("session", "nobody")
            row = await pool.query(user, after)
            return (503, "try again\n") if compares and row != f"row of {user}" else row

        return view

    return {
        prefix + "/profile/": profile,
        prefix + "/report/": report,
        prefix + "/query/": query,
        prefix + "/session/": session(sessions, 0.1),
        prefix + "/session_quick/": session(quick, 0.005),
        prefix + "/cart/": session(shared, 0.03, compares=True),
        prefix + "/settings/": session(shared, 0.03),
    }


web.serve(routes("", strict=False) | routes("/strict", strict=True))
