"""What the probe costs: CPU of a request on the example application with and without it, and the start of a large application.

    python3 tests/python/cost.py --python PYTHON       that of a virtual environment with gunicorn and uvicorn
    … --instructions                                   counts instructions of uvicorn by valgrind: slow, but the same each time
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import random

import measure
from measure import ROOT, PROBE, Client, Server

APP = ROOT / "scenarios/apps/python"
# What runner looks for.
CANARY = measure.CANARY = "".join(re.findall(r'^    "(.+)",$', (ROOT / "src/canary.rs").read_text().partition("pub const PATTERN")[2].partition(");")[0], re.M))


def canary():
    return "zq" + "".join(random.choices("abcdefghjkmnpqrstvwxyz0123456789", k=random.randint(20, 32)))
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(group):
    """Seconds of CPU that the processes of a group have taken."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def per_request(command, probed, path, count=3000, keep_alive=True):
    """Microseconds of CPU for one request."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(command, folder, APP, probed)
        try:
            assert server.ready(), (Path(folder) / "server.log").read_text()
            client = Client(server.port)

            def ask(times):
                nonlocal client
                for _ in range(times):
                    if not keep_alive:
                        client.socket.close()
                        client = Client(server.port)
                    name = canary()
                    client.send({"path": path}, name)
                    assert name.encode() in client.receive()

            ask(300)
            before = cpu_of(server.process.pid)
            ask(count)
            return (cpu_of(server.process.pid) - before) / count * 1e6
        finally:
            server.end()


def instructions(python, probed, count):
    """Instructions of uvicorn in a whole run with so many requests."""
    with tempfile.TemporaryDirectory() as folder:
        valgrind = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        server = Server([*valgrind, python, "-m", "uvicorn", "--port", "{port}", "--log-level", "warning", "app:asgi"], folder, APP, probed)
        try:
            assert server.ready(120), (Path(folder) / "server.log").read_text()
            client = Client(server.port)
            client.socket.settimeout(60)
            for _ in range(count):
                name = canary()
                client.send({"path": "/dirty/?sleep=0&email={canary}"}, name)
                answer = client.receive()
                assert name.encode() in answer, answer
            os.killpg(server.process.pid, signal.SIGINT)
            server.process.wait(60)
        finally:
            server.end()
        return max(int(found.replace(",", "")) for found in re.findall(r"I\s+refs:\s+([\d,]+)", (Path(folder) / "server.log").read_text()))


def start_of_large(modules=300):
    """Seconds until an application of many modules is imported: without the probe (with cached byte code), with it at first, and
    with its cache warm."""
    with tempfile.TemporaryDirectory() as folder:
        app, state = Path(folder) / "app", Path(folder) / "probe"
        (app / "many").mkdir(parents=True)
        state.mkdir()
        (app / "many/__init__.py").write_text("")
        for number in range(modules):
            functions = "\n\n".join(
                f"def view_{index}(request, seen=[]):\n    seen.append(request.args.get('user', 'guest'))\n    shared.user = request.user\n"
                f"    for item in request.items:\n        total[item.name] = item.price * {index} + total.get(item.name, 0)\n"
                f"    return render('page.html', user=shared.user, total=total[request.name], lines=[line.text for line in request.lines])"
                for index in range(12)
            )
            text = f"import json\nimport os\n\n\nclass Shared:\n    user = None\n\n    def name(self):\n        return self.user.name or self.first + ' ' + self.last\n\n\nshared = Shared()\ntotal = {{}}\n\n\n{functions}\n"
            (app / f"many/module_{number}.py").write_text(text)
        (app / "main.py").write_text("import importlib\nfor number in range(%d):\n    importlib.import_module(f'many.module_{number}')\n" % modules)

        def start(probed):
            environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
            if probed:
                environment |= {"RUNNER_PROBE_DIR": str(state), "RUNNER_PROBE_CANARY": CANARY, "PYTHONPATH": str(PROBE)}
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-m", "main"], cwd=app, env=environment, check=True)
            return time.perf_counter() - begun

        start(False)
        plain = min(start(False) for _ in range(7))
        cold = start(True)
        return plain, cold, min(start(True) for _ in range(7))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--instructions", action="store_true")
    options = parser.parse_args()
    if options.instructions:
        plain, probed = [(instructions(options.python, probed, 1000) - instructions(options.python, probed, 200)) / 800 for probed in (False, True)]
        print(f"uvicorn: {plain:.0f} instructions a request without, {probed:.0f} with the probe ({probed / plain:.2f} times)")
        return
    folder = str(Path(options.python).parent)
    plain, cold, warm = start_of_large()
    print(f"300 modules: {plain:.3f} s without, {cold:.3f} s at first, {warm:.3f} s with a warm cache ({warm / plain:.2f} times)", flush=True)
    for name, command, path, keep_alive in [
        ("gunicorn sync", [f"{folder}/gunicorn", "-b", "127.0.0.1:{port}", "app:wsgi"], "/dirty/?sleep=0&email={canary}", False),
        ("gunicorn gthread", [f"{folder}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "app:wsgi"], "/dirty/?sleep=0&email={canary}", True),
        ("uvicorn", [f"{folder}/uvicorn", "--port", "{port}", "app:asgi"], "/dirty/?sleep=0&email={canary}", True),
    ]:
        figures = [per_request(command, probed, path, options.count, keep_alive) for probed in (False, True, False, True)]
        plain, probed = min(figures[0::2]), min(figures[1::2])
        print(f"{name}: {plain:.0f} us without, {probed:.0f} us with the probe ({probed / plain:.2f} times)", flush=True)


if __name__ == "__main__":
    main()
