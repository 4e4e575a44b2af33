#!/usr/bin/env python3
"""Replays raw responses to runner, and compares what it makes of them with what h11 does.

    tests/conformance/replay.py [--write] [NAME ...]      RUNNER=target/debug/runner, JOBS=2

Each response of `responses.py` is sent whole, byte by byte, and cut at every place, each over a connection of its own. What
comes of it must be the same each time: the status, the body and the headers that h11 reads, or a failed request. First
the readings in `readings.json`, which the test suite uses without sockets, are compared with what h11 makes of them now;
`--write` writes them anew. A NAME is a part of the names of the responses that are to be replayed.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from readings import READINGS, all_readings, text

ROOT = Path(__file__).resolve().parents[2]
RUNNER = os.environ.get("RUNNER", ROOT / "target/debug/runner")
JOBS = int(os.environ.get("JOBS", "2"))
PIECES = 120  # a response is cut into at most so many, and at most at so many places
PAUSE = 0.0003  # seconds between pieces, so that they are read apart


def plans(length):
    """Where the pieces of a response begin and end, for each time that it is sent."""
    step = 1 + length // PIECES
    every = list(range(step, length, step))
    return [[], every] + [[cut] for cut in every]


class Replayer:
    """Answers the nth request that comes with the nth plan, and closes."""

    def __init__(self, raw):
        self.raw, self.plans = raw, plans(len(raw))
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port = self.listener.getsockname()[1]
        self.served = 0
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                try:
                    self.answer(connection)
                except OSError:
                    pass  # it has gone

    def answer(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard = b""
        while not heard.endswith(b"\r\n\r\n"):
            more = connection.recv(65536)
            if not more:
                return  # somebody only looked whether it is there
            heard += more
        cuts = self.plans[min(self.served, len(self.plans) - 1)]
        self.served += 1
        for begin, end in zip([0] + cuts, cuts + [len(self.raw)]):
            connection.sendall(self.raw[begin:end])
            if cuts:
                time.sleep(PAUSE)


def check(expected):
    """A hook that says where an answer differs."""
    quote = json.dumps
    lines = ["fn check(exchange) {", "    let came = exchange.response;", "    if came == () { return `no response: ${exchange.failure}`; }"]
    lines += [f"    if came.status != {expected['status']} {{ return `status ${{came.status}}`; }}"]
    lines += [f"    if came.body != {quote(expected['body'])} {{ return `body ${{came.body}}`; }}"]
    for name, value in (expected["headers"] or {}).items():
        if (name + value).isascii() and name != "set-cookie":
            lines += [f"    if came.headers[{quote(name)}] != {quote(value)} {{ return `{name.replace('`', '')} is ${{came.headers[{quote(name)}]}}`; }}"]
    return "\n".join(lines + ["    true", "}"]) + "\n"


def replay(case):
    """What runner made of a response that it was to make something else of; None if all is right."""
    server, expected = Replayer(case["raw"].encode("latin-1")), case["expected"]
    times = len(server.plans)
    with tempfile.TemporaryDirectory() as folder:
        hook = 'script = "check.rhai"' if expected else ""
        Path(folder, "check.rhai").write_text(check(expected) if expected else "")
        Path(folder, "s.toml").write_text(f"""
            [server]
            url = "http://127.0.0.1:{server.port}"
            [load]
            path = "/"
            method = "{case["method"]}"
            headers = {{ connection = "close" }}
            concurrency = 1
            requests = {times}
            timeout = "20s"
            {hook}
        """)
        ran = subprocess.run([RUNNER, "--json", "-q", "--reports", folder, Path(folder, "s.toml")], capture_output=True, text=True)
    server.listener.close()
    try:
        load = json.loads(ran.stdout.splitlines()[0])["variants"][0]["trials"][0]["load"]
    except (IndexError, KeyError, ValueError):
        return f"runner ended with {ran.returncode}: {ran.stderr.strip()[-300:]}"
    if load["started"] != times or load["generator"]["retries"]:
        return f"{load['started']} requests were sent, {load['generator']['retries']} of them again, where {times} were to be"
    lost = load["errors"]["closed"] + load["errors"]["protocol"]
    if expected is None:
        return None if lost == times else f"{load['status']} where all {times} were to fail"
    checks = load["checks"] or {"passed": 0, "samples": []}
    if checks["passed"] == times:
        return None
    said = [sample["said"] for sample in checks["samples"]] + list(load["error_samples"].values())
    return f"{checks['passed']} of {times} were right: {said[:2]}"


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--write"]
    readings = all_readings()
    if "--write" in sys.argv:
        READINGS.write_text(text(readings))
    elif READINGS.read_text() != text(readings):
        sys.exit(f"{READINGS} is not what h11 reads; tests/conformance/replay.py --write writes it anew")
    chosen = [case for case in readings if not arguments or any(part in case["name"] for part in arguments)]
    with ThreadPoolExecutor(JOBS) as pool:
        came = list(zip(chosen, pool.map(replay, chosen)))
    wrong = [f"{case['name']}: {why}" for case, why in came if why]
    sent = sum(len(plans(len(case["raw"]))) for case in chosen)
    print("\n".join(wrong + [f"{len(chosen)} responses, sent {sent:,} times; {len(wrong)} read otherwise than they should be"]))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
