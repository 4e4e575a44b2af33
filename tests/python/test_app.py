"""What the app under scenarios/apps/python promises: `make test` there runs this, without a server."""

import asyncio
import sys
import threading
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scenarios/apps/python"))

try:
    import app  # noqa: E402
except ImportError as missing:
    raise unittest.SkipTest(f"{missing}: `make test` in scenarios/apps/python has it") from None


def wsgi(path, query=""):
    """The status and body with which the WSGI app answers."""
    seen = []
    body = app.wsgi({"PATH_INFO": path, "QUERY_STRING": query}, lambda status, headers: seen.append((status, headers)))
    ((status, headers),) = seen
    body = b"".join(body)
    assert dict(headers)["Content-Length"] == str(len(body))
    return int(status.split()[0]), body.decode()


async def asgi(path, query=""):
    """The status and body with which the ASGI app answers."""
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "path": path, "query_string": query.encode()}
    await app.asgi(scope, None, send)
    start, body = sent
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()
    return start["status"], body["body"].decode()


async def together(path):
    """A long request and a short one that begins and ends while the long one sleeps."""
    long = asyncio.create_task(asgi(path, "sleep=100ms&email=long"))
    await asyncio.sleep(0.03)
    short = await asgi(path, "sleep=0&email=short")
    return (await long)[1], short[1]


async def several(path, count, sleep):
    """How long `count` requests at once take."""
    begun = time.monotonic()
    await asyncio.gather(*(asgi(path, f"sleep={sleep}") for _ in range(count)))
    return time.monotonic() - begun


class Sleep(unittest.TestCase):
    def test_is_plain_seconds_or_has_a_unit(self):
        for text, expected in {"0.1": 0.1, "2": 2, "100ms": 0.1, "1.5s": 1.5, "500us": 0.0005}.items():
            self.assertAlmostEqual(app.seconds({"sleep": text}), expected, msg=text)
        self.assertEqual(app.seconds({}), 0)

    def test_that_is_no_duration_is_refused(self):
        for text in ("-1", "1e9", "nan", "1 s", "1h", "ms", "1" * 12):
            self.assertEqual(wsgi("/sync_sleep/", f"sleep={text}")[0], 400, text)
            self.assertEqual(asyncio.run(asgi("/sync_sleep/", f"sleep={text}"))[0], 400, text)


class BothApps(unittest.TestCase):
    def answers(self, path, query=""):
        under_wsgi, under_asgi = wsgi(path, query), asyncio.run(asgi(path, query))
        self.assertEqual(under_wsgi, under_asgi)
        return under_wsgi

    def test_answer_the_same(self):
        for path in ("/", "/sync_sleep/", "/async_sleep/", "/blocking_sleep/", "/dirty/", "/clean/", "/health"):
            self.assertEqual(self.answers(path, "sleep=1ms")[0], 200, path)
        self.assertEqual(self.answers("/nowhere")[0], 404)

    def test_escape_the_email(self):
        for path in ("/dirty/", "/clean/"):
            self.assertIn("a&lt;b&gt;+&#x27;ü@x", self.answers(path, "email=a%3Cb%3E%2B%27%C3%BC%40x")[1])


class Dirt(unittest.TestCase):
    def test_shows_at_an_await(self):
        long, short = asyncio.run(together("/dirty/"))
        self.assertIn("Hello, short", long)
        self.assertIn("Hello, short", short)

    def test_does_not_show_where_the_email_is_local(self):
        long, short = asyncio.run(together("/clean/"))
        self.assertIn("Hello, long", long)
        self.assertIn("Hello, short", short)

    def test_shows_between_threads(self):
        bodies = []
        thread = threading.Thread(target=lambda: bodies.append(wsgi("/dirty/", "sleep=100ms&email=long")[1]))
        thread.start()
        time.sleep(0.03)
        wsgi("/dirty/", "sleep=0&email=short")
        thread.join()
        self.assertIn("Hello, short", bodies[0])


class Sleeps(unittest.TestCase):
    def test_of_an_async_view_overlap(self):
        self.assertLess(asyncio.run(several("/async_sleep/", 10, "50ms")), 0.4)

    def test_on_the_event_loop_follow_one_another(self):
        self.assertGreaterEqual(asyncio.run(several("/blocking_sleep/", 10, "50ms")), 0.5)

    def test_of_a_plain_view_overlap_in_forty_threads(self):
        took = asyncio.run(several("/sync_sleep/", 80, "150ms"))
        self.assertGreaterEqual(took, 0.3)  # two rounds of 40
        self.assertLess(took, 0.9)


if __name__ == "__main__":
    unittest.main()
