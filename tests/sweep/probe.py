#!/usr/bin/env python3
"""Shows without runner that an application leaks where its truth says so, and nowhere else.

    tests/sweep/probe.py FILE...          scenarios of tests/sweep
    tests/sweep/probe.py --passes 6 FILE  more storms over all operations

Requests with canaries go to a server that the scenario's command starts: one after the other, in storms of 64 over all
operations, over one connection for several who ask, failing, and left in the middle. Each planted leak is also aimed at, with
its own sources and victims. A planted leak that nobody sees is a fault of the application; so is a foreign canary that
no leak and no store explains. Exit 1 for either.
"""

import argparse
import asyncio
import gzip
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

AT_ONCE = 64
TRIES = 12  # storms aimed at a leak
LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
CANARY = re.compile(rb"zq[0-9a-z]{24}")
IN_HEX = re.compile(rb"7a71(?:[0-9a-f]{2}){24}")
PATIENCE = 20  # seconds
BUSY = (429, 503)
TOGETHER = ("overlap", "error", "abort", "same connection")  # do not show one after the other


class Client:
    """A connection, kept alive."""

    def __init__(self, port):
        self.port, self.reader, self.writer = port, None, None

    async def open(self):
        if not self.writer or self.writer.is_closing():
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, request):
        """Status, and all that came, with a body as its author wrote it."""
        for _ in range(2):
            await self.open()
            try:
                self.writer.write(request)
                return await asyncio.wait_for(self.answer(), PATIENCE)
            except (ConnectionError, asyncio.IncompleteReadError):
                self.close()  # the server did not want to keep it
        raise ConnectionError("no answer twice")

    async def answer(self):
        head = await self.reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:] if line)]
        named = dict(headers)
        if status in (204, 304):
            body = b""
        elif named.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readline()
        elif "content-length" in named:
            body = await self.reader.readexactly(int(named["content-length"]))
        else:
            body = await self.reader.read()
        if named.get("connection", "").lower() == "close":
            self.close()
        if named.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        return status, head, headers, body

    def close(self):
        if self.writer:
            self.writer.close()
        self.writer = None


class Operation:
    """What the document says of one."""

    def __init__(self, method, path, entry, document):
        self.method, self.path, self.document = method.upper(), path, document
        self.parameters = entry.get("parameters", [])
        security = entry.get("security") or document.get("security") or []
        schemes = document.get("components", {}).get("securitySchemes", {})
        self.schemes = [schemes[name] for need in security[:1] for name in need]
        content = entry.get("requestBody", {}).get("content", {})
        self.media, body = next(iter(content.items()), (None, {}))
        self.schema = self.resolved(body.get("schema", {}))

    @property
    def name(self):
        return f"{self.method} {self.path}"

    def resolved(self, schema):
        while "$ref" in schema:
            node = self.document
            for part in schema["$ref"].split("/")[1:]:
                node = node[part]
            schema = node
        return schema

    def body(self, session):
        fields = {}
        for name in self.schema.get("required", []):
            kind = self.resolved(self.schema["properties"][name])
            fields[name] = session.value(name, kind, self)
        return fields


DANGER = re.compile(r"logout|reset|/me\b|createdb")


class Application:
    """The document, and what was sent by whom."""

    def __init__(self, port, document):
        self.port, self.owners = port, {}
        self.operations = [
            Operation(method, path, entry, document)
            for path, entries in document["paths"].items()
            for method, entry in entries.items()
            if not DANGER.search(path)
        ]
        self.by_name = {one.name: one for one in self.operations}
        self.seen = {}  # (sources, victim): (how often, an example)
        self.statuses = {}
        self.requests = 0

    def canary(self, session):
        text = "zq" + "".join(random.choices(LETTERS, k=24))
        self.owners[text] = session
        return text

    def judge(self, session, operation, answer, phase):
        status, head, _, body = answer
        self.statuses.setdefault(operation.name, {}).setdefault(status, 0)
        self.statuses[operation.name][status] += 1
        self.requests += 1
        found = {match.decode() for match in CANARY.findall(head + body)}
        found |= {bytes.fromhex(match.decode()).decode() for match in IN_HEX.findall(head + body)}
        for text in found:
            owner = self.owners.get(text)
            if owner is not None and owner is not session:
                key = (frozenset(owner.operations), operation.name)
                self.seen.setdefault(key, {}).setdefault(phase, []).append(text)


class Session:
    """Somebody who asks, with what is theirs."""

    def __init__(self, application, client=None):
        self.application, self.client = application, client or Client(application.port)
        self.who = application.canary(self)
        self.operations, self.ids, self.token, self.cookies = set(), {}, None, {}

    def value(self, name, schema, operation):
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("type") == "integer":
            return schema.get("example", 3)
        if name == "username":
            return self.who
        if name == "password":
            return "a long password"
        if name in ("csrf", "csrf_token"):
            return self.ids.get("csrf", "")
        text = self.application.canary(self)
        return f"{text}@mail.test" if schema.get("format") == "email" else text

    def request(self, operation, spoilt=False):
        path, query, headers = operation.path, [], {}
        cookies = dict(self.cookies)
        for parameter in operation.parameters:
            name, schema = parameter["name"], operation.resolved(parameter.get("schema", {}))
            if parameter["in"] == "path":
                path = path.replace("{" + name + "}", str(self.ids[name]))
            elif parameter["in"] == "query" and (parameter.get("required") or "q" == name):
                number = schema.get("type") == "integer"
                value = "x" if spoilt and number else parameter.get("example") or self.value(name, schema, operation)
                query.append(f"{name}={value}")
            elif parameter["in"] == "header":
                headers[name] = self.who
            elif parameter["in"] == "cookie":
                cookies.setdefault(name, self.who)
        for scheme in operation.schemes:
            if scheme["type"] == "http":
                headers["authorization"] = f"Bearer {self.token}"
            elif scheme["in"] == "cookie":
                cookies.setdefault(scheme["name"], self.who)
            else:
                headers[scheme["name"]] = self.who
        if cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        body = b""
        if operation.media:
            fields = operation.body(self)
            form = "form" in operation.media
            body = "&".join(f"{name}={value}" for name, value in fields.items()) if form else json.dumps(fields)
            body = (body[: len(body) // 2] if spoilt else body).encode()
            headers |= {"content-type": operation.media, "content-length": len(body)}
        target = path + ("?" + "&".join(query) if query else "")
        lines = [f"{operation.method} {target} HTTP/1.1", "host: localhost", *(f"{n}: {v}" for n, v in headers.items())]
        self.operations.add(operation.name)
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body

    async def ask(self, operation, phase, spoilt=False):
        for _ in range(40):
            answer = await self.client.ask(self.request(operation, spoilt))
            self.application.judge(self, operation, answer, phase)
            if answer[0] not in BUSY:
                break
            await asyncio.sleep(random.uniform(0.05, 0.3))
        for name, value in answer[2]:
            if name == "set-cookie":
                cookie, _, text = value.partition(";")[0].partition("=")
                self.cookies[cookie] = text
        if token := re.search(rb'name="csrf" value="([^"]*)"', answer[3]):
            self.ids["csrf"] = token[1].decode()
        return answer

    async def prepare(self, operation, phase):
        """What the operation needs: a login, resources of one's own, a token from a form."""
        known = self.application.by_name
        secured = any(scheme["type"] == "http" for scheme in operation.schemes)
        if not self.token and secured and "POST /signup" in known:
            await self.ask(known["POST /signup"], phase)
            answer = json.loads((await self.ask(known["POST /login"], phase))[3])
            self.token = answer.get("access_token") or answer.get("token")
        above = re.findall(r"(.*?/\{(\w+)\})", operation.path)
        noun = ""
        for part, name in above:
            noun += part
            creator = known.get("POST " + noun.rpartition("/")[0])
            if name in self.ids or not creator:
                continue
            await self.prepare_form(creator, phase)
            answer = await self.ask(creator, phase)
            made = json.loads(answer[3] or b"{}")
            self.ids[name] = made.get("data", made).get("id", 0)
        await self.prepare_form(operation, phase)
        return self

    async def prepare_form(self, operation, phase):
        if "csrf" not in operation.schema.get("required", []):
            return
        form = self.application.by_name.get("GET " + operation.path)
        if operation.path != "/login" and "user" not in self.ids:
            login = self.application.by_name["POST /login"]
            self.ids["user"] = True
            await self.prepare_form(login, phase)
            await self.ask(login, phase)
        await self.ask(form, phase)


async def sequence(application):
    """One after the other, in a random order and back."""
    order = random.sample(application.operations, len(application.operations))
    for operation in order + order[::-1]:
        session = Session(application)
        await (await session.prepare(operation, "sequence")).ask(operation, "sequence")
        session.client.close()


async def storm(application, operations, phase, spoilt=0.0):
    """All at once, over connections of their own: at the same moment, or spread over the 20 ms that handlers take."""
    gate = asyncio.Semaphore(16)

    async def ready(operation):
        async with gate:
            return await Session(application).prepare(operation, phase)

    sessions = await asyncio.gather(*map(ready, operations))
    spread = random.choice([0, 0.02, 0.05])

    async def fire(session, operation):
        await asyncio.sleep(random.random() * spread)
        return await session.ask(operation, phase, spoilt=random.random() < spoilt)

    await asyncio.gather(*map(fire, sessions, operations))
    for session in sessions:
        session.client.close()


async def storms(application, passes):
    for _ in range(passes):
        order = random.sample(application.operations, len(application.operations))
        for start in range(0, len(order), AT_ONCE):
            part = order[start : start + AT_ONCE]
            await storm(application, part + random.choices(order, k=AT_ONCE - len(part)), "storm")


async def one_connection(application, operations, phase="same connection"):
    client = Client(application.port)
    for operation in operations:
        session = await Session(application).prepare(operation, phase)
        session.client.close()
        session.client = client
        await session.ask(operation, phase)
    client.close()


async def failures(application, operations, followers):
    for operation in operations:
        session = Session(application)
        await session.prepare(operation, "error")
        await session.ask(operation, "error", spoilt=True)
        session.client.close()
        await storm(application, [*random.choices(followers, k=6), operation, operation], "error", spoilt=0.3)


async def leavers(application, operations, followers):
    for operation in operations:
        sessions = [await Session(application).prepare(operation, "abort") for _ in range(4)]
        for session in sessions:
            session.client.close()
            await session.client.open()
            session.client.writer.write(session.request(operation))
            await session.client.writer.drain()
            await asyncio.sleep(0.005)
            session.client.close()
        await asyncio.sleep(0.05)
        await storm(application, random.choices(followers, k=8), "abort")


async def aim(application, leak):
    """With a leak's own operations, and others around."""
    named = application.by_name
    sources, victims = [named[name] for name in leak["sources"]], [named[name] for name in leak["victims"]]
    third = [named[name] for name in leak["third"]]
    for _ in range(TRIES):
        needs = leak["needs"]
        if needs == "same connection":
            await one_connection(application, [random.choice(sources), random.choice(victims)])
        elif needs == "error":
            await failures(application, sources[:1], victims)
        elif needs == "abort":
            await leavers(application, sources[:1], victims)
        elif needs == "overlap":
            each = AT_ONCE // 4
            around = random.choices(application.operations, k=AT_ONCE // 2)
            order = random.choices(sources, k=each) + random.choices(victims, k=each) + around
            await storm(application, random.sample(order, len(order)), "overlap")
        else:
            for operation in (*third, random.choice(sources), *random.choices(victims, k=12)):
                session = Session(application)
                await (await session.prepare(operation, needs)).ask(operation, needs)
                session.client.close()
        if explains(leak, application.seen):
            return


def explains(leak, seen):
    """What was seen that this leak explains."""
    return [
        (sources, victim) for sources, victim in seen if victim in leak["victims"] and sources & set(leak["sources"])
    ]


def stores(claims):
    return [tuple(map(str.strip, line.split("->"))) for line in claims.get("stored", [])]


async def probe(server, claims, passes):
    client = Client(server.port)
    _, _, _, body = await client.ask(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n")
    client.close()
    application = Application(server.port, json.loads(body))
    planted = server.planted()["leaks"]  # written before the first answer
    everything = application.operations
    await sequence(application)
    await storms(application, passes)
    await one_connection(application, random.sample(everything, min(len(everything), 100)))
    await failures(application, random.sample(everything, min(len(everything), 20)), everything)
    await leavers(application, random.sample(everything, min(len(everything), 20)), everything)
    blind = dict(application.seen)
    explained = set()
    for leak in planted:
        await aim(application, leak)
    for leak in planted:
        explained.update(explains(leak, application.seen))
        leak["blind"], leak["seen"] = bool(explains(leak, blind)), bool(explains(leak, application.seen))
    for source, victim in stores(claims):
        explained.update((sources, seen) for sources, seen in application.seen if seen == victim and source in sources)
    strange = {key: value for key, value in application.seen.items() if key not in explained}
    return application, planted, strange


class Server:
    """The scenario's command, in a process group of its own."""

    def __init__(self, path):
        self.scenario = tomllib.loads(path.read_text())
        self.folder, self.scratch = path.parent, tempfile.TemporaryDirectory()

    def __enter__(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        settings = self.scenario["server"]
        holes = {"{host}": "127.0.0.1", "{port}": str(self.port), "{workers}": str(settings.get("workers", 1))}

        def filled(text):
            for hole, value in holes.items():
                text = text.replace(hole, value)
            return text

        self.truth, self.journal = Path(self.scratch.name) / "truth.json", Path(self.scratch.name) / "journal.jsonl"
        own = {name: filled(value) for name, value in settings.get("env", {}).items()}
        environment = {**os.environ, **own, "TRUTH": str(self.truth), "JOURNAL": str(self.journal)}
        command = [filled(word) for word in settings["command"]]
        folder = self.folder / settings.get("cwd", ".")
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        until = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > until:
                    sys.exit(f"{command} did not start")
                time.sleep(0.05)

    def __exit__(self, *_):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def planted(self):
        if self.truth.exists():
            return json.loads(self.truth.read_text())
        return {"leaks": []}


def claims_of(path):
    first = path.read_text().splitlines()[0]
    return tomllib.loads("claims = {" + first.removeprefix("#:") + "}")["claims"]


def report(path, application, leaks, strange, seconds):
    """The faults, printed."""
    faults = []
    shown = sum(leak["seen"] for leak in leaks)
    blind = sum(leak["blind"] for leak in leaks)
    print(f"{path.stem}: {shown} of {len(leaks)} leaks seen, {blind} of them by blind storms; ", end="")
    print(f"{application.requests} requests, {seconds:.0f} s")
    for leak in leaks:
        if not leak["seen"]:
            faults.append(f"never seen: {leak['kind']} ({leak['needs']}) {leak['sources']} -> {leak['victims']}")
        phases = {phase for key in explains(leak, application.seen) for phase in application.seen[key]}
        if "sequence" in phases and leak["needs"] in TOGETHER:
            faults.append(f"needs no {leak['needs']}: {leak['kind']} {leak['sources']} -> {leak['victims']}")
    for (sources, victim), phases in strange.items():
        how = ", ".join(f"{phase} {len(texts)}" for phase, texts in phases.items())
        faults.append(f"not planted: {sorted(sources)} -> {victim} ({how})")
    for name, statuses in application.statuses.items():
        if not any(status < 400 or status in (401, 403) for status in statuses):
            faults.append(f"never answered: {name} {statuses}")
    for fault in faults:
        print(f"  {fault}")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--passes", type=int, default=3, help="storms over all operations (3)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    random.seed(given.seed)
    faults = []
    for path in given.files:
        began = time.monotonic()
        with Server(path.resolve()) as server:
            application, planted, strange = asyncio.run(probe(server, claims_of(path), given.passes))
        faults += report(path, application, planted, strange, time.monotonic() - began)
    if faults:
        sys.exit(1)


if __name__ == "__main__":
    main()
