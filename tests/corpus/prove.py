#!/usr/bin/env python3
"""Proves that each server of this folder is what its first line claims, without runner's dirty check.

    tests/corpus/prove.py [FILE ...]        those of this folder; RUNNER=target/debug/runner serves the built-in modes

For each scenario the known recipe for its trigger is played with plain sockets. A server that is said to be dirty must
leak at least once in a few tries; its clean look-alike must not leak in any. Exit 1 if one is not what it claims.
"""

import contextlib
import gzip
import hashlib
import hmac
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RUNNER = os.environ.get("RUNNER", ROOT / "target/debug/runner")
TRIES = 5
TRIES_OF_CLEAN = 2
AT_ONCE = 8  # servers: each waits most of the time
FRAGMENT = 8  # characters
PATIENCE = 30  # seconds: gunicorn listens before its application is imported
SILENCE = 0.3  # seconds after which a stream of events has said what it has to say


def header(text):
    """The machine-readable first line."""
    return tomllib.loads("claims = {" + text.splitlines()[0].removeprefix("#:") + "}")["claims"]


# Servers.


class Server:
    """A server of a scenario, ended with its process group when the block is left."""

    def __init__(self, settings, folder):
        self.settings, self.folder = settings, folder

    def __enter__(self):
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        self.log = tempfile.TemporaryFile()
        if "mode" in self.settings:
            self.process = self.worker(listener)
            listener.close()
        else:
            listener.close()
            self.process = self.command()
        self.wait()
        return self

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(5)  # for what it started in turn, and its files
        except subprocess.TimeoutExpired:
            pass
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if "mode" in self.settings:
            self.leash.close()

    def worker(self, listener):
        """A built-in worker: the listening socket is its standard input, a channel its standard output."""
        self.leash, theirs = socket.socketpair()
        listener.setblocking(False)
        process = subprocess.Popen(
            [RUNNER, "__worker"], stdin=listener, stdout=theirs, stderr=self.log, start_new_session=True
        )
        theirs.close()
        script = self.folder / self.settings["script"]
        name = self.settings["mode"]
        plan = {
            "mode": {name: {"threads": self.settings.get("threads", 8)}} if name == "threaded" else name,
            "sleep": {"secs": 0, "nanos": 0},
            "on_disconnect": "continue",
            "log_requests": False,
            "allowed_hosts": [],
            "script": {"name": script.name, "source": script.read_text(), "folder": str(script.parent)},
        }
        self.leash.sendall(json.dumps(plan).encode() + b"\n")
        said = self.leash.recv(1000)
        assert said == b"ready\n", said
        return process

    def command(self):
        fill = {"{host}": "127.0.0.1", "{port}": str(self.port), "{workers}": str(self.settings.get("workers", 1))}
        command = [re.sub(r"\{\w+\}", lambda match: fill[match[0]], word) for word in self.settings["command"]]
        folder = self.folder / self.settings.get("cwd", ".")
        return subprocess.Popen(command, cwd=folder, stdout=self.log, stderr=self.log, start_new_session=True)

    def wait(self):
        for _ in range(2000):
            try:
                return socket.create_connection(("127.0.0.1", self.port)).close()
            except OSError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        self.log.seek(0)
        raise RuntimeError(f"does not start: {self.log.read().decode()}")


# Requests.


class Request:
    """The request of a [dirty] table: with an identity, without one, malformed, with a large body. `jar` are cookies of a
    log-in, `captured` what it took from replies."""

    def __init__(
        self, dirty, canary, malformed=False, big=False, long=False, page=0, suffix="", jar=None, captured=None
    ):
        sleep = dirty.get("sleep", {}).get("long" if long else "short", "")

        def fill(value):
            value = value.replace("{sleep}", sleep)
            value = re.sub(r"\{capture\.(\w+)\}", lambda match: captured[match[1]], value)
            return re.sub(r"\{(canary|identity\.\w+)\}", canary or "", value)

        def carried(value):
            return canary or not re.search(r"\{(canary|identity)", value)

        spoil = (lambda text: re.sub(r"\b\d+\b", "zz", text)) if malformed else str
        path = [dirty["path"], *dirty.get("also", [])][page]
        path, _, query = (path if canary else path.replace("{canary}/", "")).partition("?")
        path += suffix
        pairs = [spoil(pair) for pair in query.split("&") if pair and carried(pair)]
        target = fill(path + ("?" if pairs else "") + "&".join(pairs))
        headers = {name: fill(value) for name, value in dirty.get("headers", {}).items() if carried(value)}
        cookies = [f"{name}={fill(value)}" for name, value in dirty.get("cookies", {}).items() if carried(value)]
        cookies += [f"{name}={value}" for name, value in (jar or {}).items()]
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        body = "x" * 300_000 if big else ""
        if "body" in dirty and not big:
            body = fill(dirty["body"])
        if "json" in dirty:
            body = json.dumps({name: fill(spoil(value)) for name, value in dirty["json"].items() if carried(value)})
        if "form" in dirty:
            pairs = {name: fill(spoil(value)) for name, value in dirty["form"].items() if carried(value)}
            body = urlencode(pairs)
            headers["content-type"] = "application/x-www-form-urlencoded"
        method = dirty.get("method", "POST" if body else "GET")
        lines = [f"{method} {target} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.own, self.bytes = canary, ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


class Link:
    """One connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.buffer = b""

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("closed by the server")
        self.buffer += data

    def reply(self):
        """Head and body of the next reply, as text."""
        while b"\r\n\r\n" not in self.buffer:
            self.receive()
        head, _, rest = self.buffer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.I)
        self.buffer = rest
        body = self.take(int(length[1])) if length else self.chunks(head)
        if re.search(rb"content-encoding: *gzip", head, re.I):
            body = gzip.decompress(body)
        return (head + b"\r\n\r\n" + body).decode("latin-1")

    def take(self, count):
        while len(self.buffer) < count:
            self.receive()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken

    def chunks(self, head):
        """A chunked body; of a stream of events what comes until it is silent."""
        assert re.search(rb"transfer-encoding: *chunked", head, re.I), head
        body = b""
        try:
            if re.search(rb"content-type: *text/event-stream", head, re.I):
                self.socket.settimeout(SILENCE)
            while True:
                while b"\r\n" not in self.buffer:
                    self.receive()
                size, _, self.buffer = self.buffer.partition(b"\r\n")
                data = self.take(int(size, 16) + 2)
                if data == b"\r\n":
                    return body
                body += data[:-2]
        except TimeoutError:
            if not body:
                raise
            return body

    def ask(self, request):
        self.send(request.bytes)
        return self.reply()

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


# Recipes: each yields pairs of a canary (None if the request carried none) and the reply.


class Play:
    """One try: makes requests, remembers their canaries."""

    def __init__(self, server, dirty):
        self.port, self.dirty, self.canaries = server.port, dirty, []

    def canary(self, length=None):
        if "identities" in self.dirty:
            made = next(iter(self.dirty["identities"][-1 - len(self.canaries) % 2].values()))
        else:
            length = length or random.randint(21, 36)
            made = "zc" + "".join(random.choices("0123456789abcdefghjkmnpqrstvwxyz", k=length - 2))
        self.canaries.append(made)
        return made

    def request(self, length=None, **how):
        own = self.canary(length)
        return Request(self.dirty, own, jar=self.login(own) if "login" in self.dirty else None, **how)

    def login(self, own):
        """The cookies of who has logged in."""
        jar, captured = {}, {}
        login = self.dirty["login"]
        for step in login.get("step", [login]):
            link = Link(self.port)
            reply = link.ask(Request(step, own, jar=jar, captured=captured))
            link.close()
            jar |= dict(re.findall(r"^set-cookie: *([^=]+)=([^;\r]*)", reply, re.I | re.M))
            for name, place in step.get("capture", {}).items():
                field = re.search(r'<input[^>]*name="%s"[^>]*>' % place["field"], reply)[0]
                captured[name] = re.search(r'value="([^"]*)"', field)[1]
        return jar

    def anonymous(self):
        return Request(self.dirty, None)

    def alone(self, request):
        """On a connection of its own."""
        link = Link(self.port)
        try:
            return request.own, link.ask(request)
        finally:
            link.close()

    def together(self, count, **how):
        """All but the last byte of each is sent, then the last bytes."""
        requests = [self.request(**how) for _ in range(count)]
        links = [Link(self.port) for _ in requests]
        for link, request in zip(links, requests):
            link.send(request.bytes[:-1])
        time.sleep(0.02)
        for link, request in zip(links, requests):
            link.send(request.bytes[-1:])
        answered = [(request.own, link.reply()) for link, request in zip(links, requests)]
        for link in links:
            link.close()
        return answered


def overlap(play):
    for _ in range(3):
        yield from play.together(8)


def pair(play):
    for _ in range(10):
        yield from play.together(2)


def gate(play):
    for _ in range(15):
        yield from play.together(40)


def ramp(play):
    for count in (2, 3, 5, 6, 8, 9, 17, 33):
        yield from play.together(count)


def anonymous(play):
    for _ in range(4):
        yield play.alone(play.request())
        for _ in range(16):
            yield play.alone(play.anonymous())


def first(play):
    for _ in range(5):
        yield play.alone(play.request())


def same_key(play):
    for _ in range(4):
        yield play.alone(play.request())
    yield from play.together(4)


def abort(play):
    for _ in range(3):
        link = Link(play.port)
        link.send(play.request().bytes)
        time.sleep(0.01)
        link.reset()
        time.sleep(0.01)
        for _ in range(6):
            yield play.alone(play.request())
    for turn, wait in enumerate((0.001, 0.002, 0.003, 0.004)):  # with others who are ready: the last byte of each is all that lacks
        link, followers = Link(play.port), [Link(play.port) for _ in range(4)]
        # Whoever comes first gets what is left over: for one page after the other.
        asked = [play.request(page=(turn + number) % (1 + len(play.dirty.get("also", [])))) for number in range(4)]
        for follower, request in zip(followers, asked):
            follower.send(request.bytes[:-1])
        link.send(play.request().bytes)
        time.sleep(wait)
        link.reset()
        for follower, request in zip(followers, asked):
            time.sleep(0.0005)
            follower.send(request.bytes[-1:])
        for follower, request in zip(followers, asked):
            yield request.own, follower.reply()
            follower.close()


def slow(play):
    """A slow handler where there is a `{sleep}`; a slow client; and many more, for servers that are slow at times."""
    if "sleep" in play.dirty:
        play.alone(play.request(long=True))
        for _ in range(4):
            yield play.alone(play.request())
    yield play.alone(play.request())
    link, request = Link(play.port), play.request()
    link.send(request.bytes[:-1])
    time.sleep(0.5)
    link.send(request.bytes[-1:])
    yield request.own, link.reply()
    for _ in range(60):
        request = play.request()
        yield request.own, link.ask(request)
        time.sleep(0.002)


def error(play):
    for _ in range(3):
        yield play.alone(play.request(malformed=True))
        yield play.alone(play.request())
        yield play.alone(play.request(malformed=True))
        for _ in range(5):
            yield play.alone(play.anonymous())
    yield from play.together(3, malformed=True)


def keep_alive(play):
    link = Link(play.port)
    for request in (play.request(), play.request(), play.anonymous(), play.request(), play.anonymous()):
        yield request.own, link.ask(request)


def big(play):
    link = Link(play.port)
    for request in (play.request(big=True), play.anonymous(), play.request(), play.anonymous()):
        yield request.own, link.ask(request)


def pipeline(play):
    """Two in one packet and one later; many in one packet; a slow one before others."""
    link, pairs = Link(play.port), [play.request() for _ in range(3)]
    link.send(pairs[0].bytes + pairs[1].bytes)
    time.sleep(0.05)
    link.send(pairs[2].bytes)
    for request in pairs:
        yield request.own, link.reply()
    link = Link(play.port)
    requests = [play.request() for _ in range(8)]
    link.send(b"".join(request.bytes for request in requests))
    # A server that has put something aside goes on when more comes; the answers tell what came of it.
    for _ in range(2):
        time.sleep(0.05)
        requests.append(play.request())
        link.send(requests[-1].bytes)
    for request in requests[:3]:
        yield request.own, link.reply()
    link, slow = Link(play.port), [play.request(long=number == 0) for number in range(3)]
    link.send(b"".join(request.bytes for request in slow))
    for request in slow:
        yield request.own, link.reply()


def suffix(play):
    for ending in ("/x.css", ".css", ";x.css"):
        for _ in range(2):
            yield play.alone(play.request(suffix=ending))


def smuggle(play):
    """A POST whose body is a request, then an ordinary request on the same connection."""
    link, first, outer, inner = Link(play.port), play.request(), play.request(), play.request()
    yield first.own, link.ask(first)
    head = outer.bytes.partition(b"\r\n\r\n")[0].replace(b"GET ", b"POST ", 1)
    head = re.sub(rb"content-length: \d+", b"content-length: %d" % len(inner.bytes), head)
    link.send(head + b"\r\n\r\n" + inner.bytes)
    yield outer.own, link.reply()
    for _ in range(2):
        request = play.request()
        yield request.own, link.ask(request)


def residue(play):
    for request in (play.request(36), play.request(21), play.anonymous()):
        yield play.alone(request)


ALL = [overlap, pair, gate, ramp, anonymous, first, same_key, abort, slow, error, keep_alive, big, pipeline, smuggle]
ALL += [suffix, residue]
RECIPES = {recipe.__name__: recipe for recipe in ALL}


# What tells a leak.


def windows(text):
    return {text[at : at + FRAGMENT] for at in range(len(text) - FRAGMENT + 1)}


def sees_raw(text, own, others):
    """A fragment of another's canary that is none of the own one's."""
    return not others.isdisjoint(windows(text) - windows(own or ""))


def sees_made(make):
    return lambda text, own, others: any(made in text for made in others - {own and make(own)})


def sees_language(text, own, others):
    return {"de": "Guten Morgen", "fr": "Bonjour", None: "Good morning"}[own] not in text


def sees_weekday(text, own, others):
    return {"de": "Montag", "fr": "lundi", None: "Monday"}[own] not in text


def length(user):
    return f"has {len(user)} letters"


def masked(user):
    return f"{user[:6]}***"


def email(user):
    return f"{user}@mail.test"


def signed(user):
    return hmac.new(b"corpus", user.encode(), hashlib.sha256).hexdigest()


# By `shows` of the first line: what is looked for of all canaries together, and whether a reply has another's.
SHOWS = {
    "raw": (lambda canaries: set().union(*map(windows, canaries)), sees_raw),
    "hmac": (lambda canaries: set(map(signed, canaries)), sees_made(signed)),
    "length": (lambda canaries: set(map(length, canaries)), sees_made(length)),
    "masked": (lambda canaries: set(map(masked, canaries)), sees_made(masked)),
    "language": (set, sees_language),
    "weekday": (set, sees_weekday),
    "email": (lambda canaries: set(map(email, canaries)), sees_made(email)),
}


def leaks(play, recipe, gather, sees):
    """How many replies of a try leaked, and how many were as they should be otherwise. A connection that a server closes ends the recipe."""
    answered = []
    try:
        answered.extend(recipe(play))
    except OSError as error:
        print(f"      {recipe.__name__} on port {play.port}: {error}")
    sought = gather(play.canaries)
    return sum(sees(reply, own, sought) for own, reply in answered), sum(bool(re.match(r"HTTP/1.1 (2|3|403)", reply)) for _, reply in answered)


def prove(path):
    text = path.read_text()
    claims, scenario = header(text), tomllib.loads(text)
    shown = SHOWS[claims.get("shows", "raw")]
    recipes = [RECIPES[claims["trigger"]]] if "trigger" in claims else list(RECIPES.values())
    dirty = claims["expect"] == "dirty"
    found = good = tries = 0
    began = time.monotonic()
    while tries < (TRIES if dirty else TRIES_OF_CLEAN) and not (dirty and found):
        tries += 1
        for recipe in recipes:
            with Server(scenario["server"], path.resolve().parent) as server:
                leaking, answered = leaks(Play(server, scenario["dirty"]), recipe, *shown)
            found, good = found + bool(leaking), good + answered
    holds = (found > 0) == dirty and good >= tries * len(recipes)
    took = f"{time.monotonic() - began:.1f} s"
    claim = f"{'' if holds else 'NOT '}{claims['expect']}"
    print(f"{claim:9} {path.stem}: leaked in {found} of {tries} tries, {took}", flush=True)
    return holds


def main():
    wanted = [Path(name) for name in sys.argv[1:]] or sorted(HERE.glob("*.toml"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        holding = list(pool.map(prove, wanted))
    print(f"{sum(holding)} of {len(holding)} servers are what they claim")
    sys.exit(not all(holding))


if __name__ == "__main__":
    main()
