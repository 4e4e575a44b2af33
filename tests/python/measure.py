"""Measures how often the probe's events name the right lines: over the applications in `apps/` and the Python servers of
tests/corpus that leak.

    python3 tests/python/measure.py [--python PYTHON] [--without] [NAME...]

PYTHON is that of a virtual environment with the frameworks. Each server is started under the probe, and sent requests as they
show the leak, until it shows. `--without` does the same without the probe, and says how many rounds that took.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROBE = ROOT / "probes/python"
CORPUS = ROOT / "tests/corpus/servers"
CANARY = r"zq[0-9a-z]{19,195}"
sys.path.insert(0, str(HERE))
import pairs  # noqa: E402


def canary():
    while True:
        name = "zq" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=random.randint(20, 32)))
        if "qz" not in name:  # what is shown backwards would look like another one
            return name


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Server:
    """A server in a process of its own, under the probe."""

    def __init__(self, command, folder, app, probed=True, env=None):
        self.port, self.folder = free_port(), folder
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})}
        if probed:
            environment |= {
                "RUNNER_PROBE_DIR": str(folder), "RUNNER_PROBE_CANARY": CANARY, "RUNNER_PROBE_APP": str(app), "PYTHONPATH": str(PROBE),
                "RUNNER_PROBE_DEBUG": "1",
            }
        self.log = open(Path(folder) / "server.log", "wb")
        command = [word.replace("{port}", str(self.port)) for word in command]
        self.process = subprocess.Popen(command, cwd=app, env=environment, stdout=self.log, stderr=self.log, start_new_session=True)

    def ready(self, within=20):
        end = time.monotonic() + within
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                time.sleep(0.02)
        return False

    def end(self):
        time.sleep(0.05)
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(3)
                break
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break
        self.log.close()


class Client:
    """One connection."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 5)
        self.socket.settimeout(5)

    def send(self, show, name, path=None, closes=False):
        fill = lambda text: text.replace("{canary}", name or "")
        body = b""
        headers = {key: fill(value) for key, value in show.get("headers", {}).items() if name or "{canary}" not in value}
        if "json" in show:
            body = fill(json.dumps(show["json"])).encode()
            headers |= {"content-type": "application/json", "content-length": str(len(body))}
        target = fill(path or show["path"])
        lines = [f"{show.get('method', 'POST' if body else 'GET')} {target} HTTP/1.1", "Host: localhost", *(f"{key}: {value}" for key, value in headers.items())]
        lines += ["Connection: close"] * closes
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def receive(self):
        data = b""
        try:
            while True:
                head, end, body = data.partition(b"\r\n\r\n")
                if end:
                    length = re.search(rb"(?i)content-length: *(\d+)", head)
                    if length and len(body) >= int(length[1]):
                        return data
                    if b"chunked" in head.lower() and body.endswith(b"0\r\n\r\n"):
                        return data
                part = self.socket.recv(65536)
                if not part:
                    return data
                data += part
        except OSError:
            return data


def ask(port, show, name, path=None, closes=False):
    client = Client(port)
    client.send(show, name, path, closes)
    data = client.receive()
    client.socket.close()
    return data


def overlap(port, show):
    """Two requests at once, the second a little later."""
    names, answers = [canary(), canary()], [b"", b""]

    def one(index):
        time.sleep(show.get("apart", 0.02) * index)
        answers[index] = ask(port, show, names[index])

    threads = [threading.Thread(target=one, args=(index,)) for index in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return list(zip(names, answers))


def sequence(port, show):
    """One after the other; on one connection if that is what shows it."""
    client = Client(port) if show.get("keep_alive") else None
    asked = []
    for index in range(show.get("count", 2)):
        name = None if index and show.get("anonymous") else canary()
        path = show.get("first") if not index else None
        if client:
            client.send(show, name, path)
            asked.append((name, client.receive()))
        else:
            asked.append((name, ask(port, show, name, path)))
        time.sleep(show.get("pause", 0))
    if client:
        client.socket.close()
    return asked


def abort(port, show):
    """One that leaves, and then others."""
    first = canary()
    client = Client(port)
    client.send(show, first, show.get("first"))
    time.sleep(show.get("after", 0.01))
    client.socket.close()
    time.sleep(show.get("pause", 0.005))
    names, answers = [canary() for _ in range(3)], [b""] * 3

    def one(index):
        answers[index] = ask(port, show, names[index], show.get("then"))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    return [(first, b""), *zip(names, answers)]


HOW = {"overlap": overlap, "sequence": sequence, "abort": abort}


def leak(asked):
    """(victim's canary or None, source's canary) if an answer holds another's canary."""
    for name, answer in asked:
        for found in re.findall(CANARY.encode(), answer):
            found = found.decode()
            if found != name and any(found == other for other, _ in asked):
                return name, found
    return None


def line_with(file, text):
    """`file:line` of the only line with a text."""
    found = [number for number, line in enumerate((CORPUS / file).read_text().splitlines(), 1) if text in line]
    assert found, (file, text)
    return f"{file}:{found[0]}"


GUNICORN = ["{bin}/gunicorn", "-k", "gthread", "--threads", "8", "-b", "127.0.0.1:{port}"]
USER = {"headers": {"x-user": "{canary}"}}


def corpus(file, path, write, read, name=None, command=None, **show):
    return {
        "name": "corpus " + path.strip("/").partition("?")[0] + " " + file, "app": CORPUS, "run": command or ["{python}", file, "{port}"],
        "show": {"path": path, "how": "overlap", **show}, "write": [line_with(file, text) for text in write], "read": [line_with(file, text) for text in read], "object": name,
    }


def corpus_servers():
    session, first = {"headers": {"cookie": "session={canary}"}}, "how"
    return [
        corpus("slot.py", "/shared/", ["self.user = user"], ['"customer": self.user'], "slot.singleton.user", json={"customer": "{canary}"}, apart=0.008),
        corpus("race.py", "/narrow/?email={canary}", ['current["email"] = email'], ["current['email']"], "race.current['email']", [*GUNICORN, "race:wsgi"], apart=0),
        corpus("eight.py", "/shared/", ['current["user"] = user_of'], ["Hello, {current"], "eight.current['user']", apart=0, **USER),
        corpus("eight.py", "/ring/", ["slots[slot] = user_of"], ["{slots[slot]}"], None, apart=0, count=9, **USER) | {"skip": "needs nine requests at one of eight workers"},
        corpus("stale.py", "/keeps/", ["local.token = token.remove"], ["getattr(local, 'token'"], "thread-local stale.local.token", [*GUNICORN, "stale:wsgi"], how="sequence", count=12, anonymous=True, headers={"authorization": "Bearer {canary}"}),
        corpus("kept.py", "/previous/", ['last["visitor"] = user_of'], ['before = last["visitor"]'], "kept.last['visitor']", how="sequence", **USER),
        corpus("kept.py", "/path/?user={canary}", ["kept[key] = (time"], ["kept.get(key"], None, how="sequence"),
        corpus("kept.py", "/front/", ["fronted[key] = (time"], ["made, body = fronted[key]"], None, how="sequence", **USER),
        corpus("kept.py", "/joined/?user={canary}", ["flying[key] = asyncio.ensure_future"], ["await asyncio.shield(flying[key])"], "kept.flying['(/joined/, None)']", apart=0.003),
        corpus("kept.py", "/context/", ["visitor.set(user_of"], ["before = visitor.get()"], "contextvar kept.visitor", how="sequence", keep_alive=True, **USER),
        corpus("cache.py", "/page/", ["cache[key] = (time"], ["cache.get(key"], None, how="sequence", **session),
        corpus("suffix.py", "/account/a.css", ["cache[request.target] = answer"], ["return cache[request.target]"], None, how="sequence", **session),
        corpus("connection.py", "/once/", ["connection.user = request.headers"], ["Signed in as {connection.user}"], None, how="sequence", keep_alive=True, headers={"authorization": "{canary}"}),
        corpus("big_body.py", "/", ["user.set("], ["user.get()"], "contextvar big_body.user", ["{bin}/uvicorn", "--loop", "asyncio", "--http", "h11", "--port", "{port}", "big_body:asgi"], how="big", **USER),
        corpus("error.py", "/debug/?page=x&user={canary}", ["Debug.user = user"], ["for {Debug.user}"], "error:Debug.user"),
        corpus("error.py", "/debug_last/?page=x&user={canary}", ["Debug.last = Debug.last, f"], ["Debug.last = Debug.last, f"], "error:Debug.last", how="sequence"),
        corpus("error.py", "/notice/?page=1&user={canary}", ["notices.append"], ["notices.pop()"], "error.notices", how="sequence", first="/notice/?page=x&user={canary}"),
        corpus("error.py", "/order/", ['database.added.append'], ["written, self.added = self.added"], None, how="order"),
        corpus("pool.py", "/profile/", ["call_later(after"], ["await self.answers.get()"], None, how="abort", **session),
        corpus("pool.py", "/session/", ["call_later(after"], ["await self.answers.get()"], None, how="abort", **session),
        corpus("pool.py", "/query/?wait={wait}&user={canary}", ["call_later(after"], ["await self.answers.get()"], None, how="sequence", first="/query/?wait=300ms&user={canary}", pause=0.15) | {"path": "/query/?wait=10ms&user={canary}"},
    ]


def clean_servers():
    """Servers that do the same work correctly: nothing may be found."""
    def clean(file, path, command=None, **show):
        return {"name": f"clean {path.partition('?')[0]} {file}", "app": CORPUS, "run": command or ["{python}", file, "{port}"], "show": {"path": path, "how": "overlap", **show}, "clean": True}

    cookie = {"headers": {"cookie": "session={canary}"}}
    return [
        clean("slot.py", "/one_each/", json={"customer": "{canary}"}),
        clean("race.py", "/locked/?email={canary}", [*GUNICORN, "race:wsgi"], apart=0),
        clean("eight.py", "/local/", apart=0, **USER),
        clean("kept.py", "/own/path/?user={canary}"), clean("kept.py", "/own/joined/?user={canary}"), clean("kept.py", "/own/front/", **USER),
        clean("cache.py", "/keyed/", **cookie),
        clean("connection.py", "/each/", how="sequence", keep_alive=True, headers={"authorization": "{canary}"}),
        clean("error.py", "/debug_own/?page=x&user={canary}"), clean("echo.py", "/echo/", **USER), clean("flaky.py", "/page/?user={canary}"),
        clean("pool.py", "/strict/profile/", how="abort", **cookie),
        clean("derived.py", "/own/?user={canary}"),
        clean("workers.py", "/?user={canary}", [*GUNICORN, "workers:wsgi"]),
    ]


def big(port, show):
    """A large body, and then another request on the same connection."""
    client = Client(port)
    names, answers = [canary(), None], []
    body = b"x" * 200_000
    client.socket.sendall(f"POST / HTTP/1.1\r\nHost: localhost\r\nx-user: {names[0]}\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    for start in range(0, len(body), 20_000):
        client.socket.sendall(body[start : start + 20_000])
        time.sleep(0.002)
    answers.append(client.receive())
    client.send({"path": "/"}, None)
    answers.append(client.receive())
    return list(zip(names, answers))


def order(port, show):
    """An order that fails, and one that does not."""
    names, answers = [canary(), canary()], []
    for name, quantity in zip(names, ("x", "2")):
        answers.append(ask(port, {"path": "/order/", "json": {"customer": name, "quantity": quantity}}, name))
    return list(zip(names, answers))


HOW |= {"big": big, "order": order}


def applications():
    found = []
    for file in sorted([*(HERE / "apps").glob("*.py"), *(HERE / "apps").glob("*/__init__.py")]):
        head = dict(re.findall(r"^# (\w+): (.*)$", file.read_text(), re.M))
        if "locate" not in head:
            continue
        write, read, name = re.fullmatch(r"write=(\S+) read=(\S+) object=(.*)", head["locate"]).groups()
        found.append({
            "name": file.parent.name if file.stem == "__init__" else file.stem, "app": HERE / "apps", "run": json.loads(head["run"]),
            "show": json.loads(head["show"]), "write": write.split("|"), "read": read.split("|"), "object": None if name == "?" else name,
        })
    return found


def measure(case, python, probed=True, keep=None):
    """(verdict, text) of one application: `right`, `wrong`, `partly` (one line), `not shown`, `not started`."""
    folder = keep or tempfile.mkdtemp(prefix="probe-")
    words = {"{python}": python, "{bin}": str(Path(python).parent)}
    command = [re.sub(r"\{python\}|\{bin\}", lambda match: words[match[0]], word) for word in case["run"]]
    server = Server(command, folder, case["app"], probed)
    try:
        if not server.ready():
            return "not started", (Path(folder) / "server.log").read_text()[-1500:]
        shown, rounds = None, 0
        end = time.monotonic() + 15
        while not shown and time.monotonic() < end and rounds < (6 if "clean" in case else 60):
            rounds += 1
            show = {**case["show"], "path": case.get("path", case["show"]["path"])}
            try:
                asked = HOW[show["how"]](server.port, show)
            except OSError as error:
                asked = []
                server.ready(2)
            shown = leak(asked)
        time.sleep(0.1)
    finally:
        server.end()
    if "clean" in case:
        found = [pairs.find(events) for events in pairs.read_events(folder)]
        seen = any(event["e"] == "response" and event["c"] for events in pairs.read_events(folder) for event in events)
        return ("wrong" if any(found) or shown else "right" if seen or "derived" in case["name"] else "not seen"), f"nothing found in {rounds} rounds" if not any(found) else str(found)[:600]
    if not shown:
        return "not shown", f"in {rounds} rounds: {(Path(folder) / 'server.log').read_text()[-800:]}"
    if not probed:
        return "shown", f"after {rounds} rounds"
    found = None
    for events in pairs.read_events(folder):
        found = found or pairs.find(events, shown[0])
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    if not found:
        return "wrong", f"nothing found, after {rounds} rounds"
    how, write, read = found
    text = f"{how}: write {pairs.place(write)} read {pairs.place(read)} object {pairs.object_of(write) or '?'}, after {rounds} rounds"
    right = [pairs.place(write) in case["write"], pairs.place(read) in case["read"]]
    if case["object"] and pairs.object_of(write) != case["object"]:
        text += f" (object expected: {case['object']})"
    if all(right):
        return "right", text
    return "partly" if any(right) else "wrong", f"{text}; expected write {case['write']} read {case['read']}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--without", action="store_true")
    parser.add_argument("--keep")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    totals = {}
    for case in [*applications(), *corpus_servers(), *clean_servers()]:
        if options.names and not any(name in case["name"] for name in options.names) or "skip" in case:
            continue
        verdict, text = measure(case, options.python, not options.without, options.keep)
        totals[verdict] = totals.get(verdict, 0) + 1
        print(f"{verdict:12} {case['name']}: {text}", flush=True)
    print(totals)


if __name__ == "__main__":
    main()
