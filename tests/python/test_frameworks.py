"""The servers of scenarios/python_frameworks.toml: `make test` in scenarios/apps/frameworks runs this.

Each is started as the scenario says, before a PostgreSQL of its own, and ended; nothing may be left."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import tomllib
import unittest
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

SCENARIOS = Path(__file__).parents[2] / "scenarios"
APP = SCENARIOS / "apps/frameworks"
SERVERS = tomllib.loads((SCENARIOS / "python_frameworks.toml").read_text())["servers"]
WORKERS = 2

if not (APP / ".venv/installed").exists() or not (APP / ".postgres").exists():
    raise unittest.SkipTest("`make test` in scenarios/apps/frameworks installs what this needs")


@contextmanager
def server(name, folder):
    """A server of the scenario, whose temporary files are in `folder`: its process and its address, once it is ready."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        values = {"host": "127.0.0.1", "port": str(probe.getsockname()[1]), "workers": str(WORKERS)}
    spec = SERVERS[name]
    env = {key: value.format(**values) for key, value in spec["env"].items()}
    command = [word.format(**values) for word in spec["command"]]
    process = subprocess.Popen(command, cwd=APP, env=os.environ | env | {"TMPDIR": folder}, start_new_session=True)
    address = "http://{host}:{port}".format(**values)
    try:
        for _ in range(600):
            if process.poll() is not None or status(address + spec["ready"]["path"]) == 200:
                break
            time.sleep(0.1)
        yield process, address
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def status(url):
    try:
        with urllib.request.urlopen(url) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def processes_in(folder):
    """How many processes name the folder in their command lines: PostgreSQL's do."""
    count = 0
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            count += folder.encode() in path.read_bytes()
    return count


class Servers(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="fw-")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        os.chmod(self.folder, 0o755)  # as root, PostgreSQL runs as somebody else

    def test_each_shows_a_row_quickly_or_slowly_and_leaves_nothing(self):
        self.assertEqual(len(SERVERS), 5)
        for name in SERVERS:
            with self.subTest(name), server(name, self.folder) as (process, address):
                for query in "", "?sleep=0.2":
                    begun = time.monotonic()
                    with urllib.request.urlopen(f"{address}/item/7{query}") as response:
                        page = json.load(response)
                    self.assertEqual(page, {"id": 7, "name": "item 7", "price": 49})
                    if query:
                        self.assertGreaterEqual(time.monotonic() - begun, 0.2)
                self.assertEqual(status(f"{address}/item/0"), 404)
                self.assertGreater(processes_in(self.folder), 0)
                process.terminate()
                process.wait(20)
                self.assertEqual((os.listdir(self.folder), processes_in(self.folder)), ([], 0))

    def test_what_a_kill_leaves_the_next_start_removes(self):
        with server("flask_sync", self.folder) as (process, _):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        (left,) = os.listdir(self.folder)
        os.utime(Path(self.folder, left), (0, 0))  # it takes none that is young
        with server("flask_sync", self.folder) as (process, _):
            self.assertNotIn(left, os.listdir(self.folder))
            process.terminate()
            process.wait(20)
        self.assertEqual(os.listdir(self.folder), [])
