"""pages.py KIND PORT: pages behind a login, one kind each, of a small threaded server."""
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler

KIND, PORT = sys.argv[1], int(sys.argv[2])
FIRST, CURRENT, BUSY = {}, {}, threading.Semaphore(2)
NAMES = {"ann-lee": ("pro", "Hola"), "bob-ray": ("free", "Hej"), "zoe-kim": ("free", "Ciao")}


def page(who):
    """Status, body and headers of the page for `who`, who is logged in."""
    plan, greeting = NAMES.get(who, ("free", "Hi"))
    if KIND.startswith("constant"):
        return 200, "<h1>Shop</h1><p>the same page for all</p>", {}
    if KIND == "nonce":  # another token each time, and nothing else
        return 200, f"<h1>Shop</h1><input value={time.time_ns()}>", {}
    if KIND == "first_user":
        return 200, f"<h1>Shop</h1><p>menu of {FIRST.setdefault('who', who)}</p>", {}
    if KIND == "first_user_in_header":
        return 200, "<h1>Shop</h1>", {"x-account": FIRST.setdefault("who", who).upper()}
    if KIND == "warmed":  # cached for somebody who asked before
        return 200, "<h1>Shop</h1><p>Welcome back, old@mail.test</p>", {}
    if KIND == "plans":  # two of the three look the same
        return 200, f"<h1>Shop</h1><p>your plan: {plan}</p>", {}
    if KIND == "article":  # clean: names one of them whoever asks, and greets each
        return 200, f"<h1>Shop</h1><p>{greeting}</p><i>by zoe-kim</i>", {}
    if KIND == "greeting_slot":  # leaks a short word that follows from who asks
        CURRENT["greeting"] = greeting
        time.sleep(0.02)
        return 200, f"<h1>Shop</h1><p>{CURRENT['greeting']}</p>", {}
    if KIND == "busy":  # tells who asks when nobody else does
        if not BUSY.acquire(blocking=False):
            return 200, "<h1>Shop</h1><p>please wait</p>", {}
        try:
            time.sleep(0.03)
            return 200, f"<h1>Shop</h1><p>menu of {who}</p>", {}
        finally:
            BUSY.release()
    return 200, f"<h1>Shop</h1><p>menu of {who}</p>", {}


def landing():
    """What nobody gets."""
    if KIND.endswith("_302"):
        return 302, "", {"location": "/login"}
    if KIND.endswith("_200"):
        return 200, "<h1>Welcome</h1><p>please log in to see this page</p>", {}
    return 401, "log in first", {}


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        who = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        status, body, headers = page(who) if who else landing()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    do_POST = do_PUT = do_GET


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    request_queue_size = 256


Server(("127.0.0.1", PORT), Page).serve_forever()
