"""What the generated application stores: in memory, or in files where several workers have to see it.

A row is a dictionary: id, noun (its resource), owner, parent (an id), content, and whether a request made it.
"""

import atexit
import json
import os
import random
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path


def new_id():
    """None that a server has given before."""
    return random.randrange(10**8, 10**12)


class Memory:
    def __init__(self):
        self.clear()

    def clear(self):
        self.rows, self.owned, self.below, self.passwords, self.tokens = {}, {}, {}, {}, {}

    def add(self, row):
        self.rows[row["id"]] = row
        self.owned.setdefault((row["noun"], row["parent"], row["owner"]), []).append(row["id"])
        if row["parent"]:
            self.below.setdefault(row["parent"], []).append(row["id"])

    def get(self, number):
        return self.rows.get(number)

    def write(self, row):
        self.rows[row["id"]] = row

    def remove(self, row):
        """The ids of all that goes with it, its own first."""
        gone = [row["id"]] if self.rows.pop(row["id"], None) else []
        ids = self.owned.get((row["noun"], row["parent"], row["owner"]), [])
        if row["id"] in ids:
            ids.remove(row["id"])
        for number in self.below.pop(row["id"], []):
            if below := self.rows.get(number):
                gone += self.remove(below)
        return gone

    def listed(self, noun, parent, owner):
        ids = self.owned.get((noun, parent, owner), [])[-20:]
        return [row for row in map(self.rows.get, ids) if row]


class Files:
    """A folder that the workers of one server share; it goes with them."""

    def __init__(self):
        self.folder = Path(tempfile.gettempdir()) / f"sweep-{os.getppid()}"
        for name in ("rows", "owned", "below", "passwords", "tokens"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.passwords, self.tokens = Values(self.folder / "passwords"), Values(self.folder / "tokens")
        self.rows = Values(self.folder / "rows")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    def clear(self):
        for path in [path for path in self.folder.rglob("*") if path.is_file()]:
            path.unlink(missing_ok=True)

    def place(self, noun, parent, owner):
        return self.folder / "owned" / named(f"{noun} {parent} {owner}")

    def add(self, row):
        self.write(row)
        places = [self.place(row["noun"], row["parent"], row["owner"])]
        places += [self.folder / "below" / str(row["parent"])] if row["parent"] else []
        for place in places:
            with place.open("a") as file:
                file.write(f"{row['id']}\n")

    def get(self, number):
        return self.rows.get(number)

    def write(self, row):
        self.rows[row["id"]] = row

    def remove(self, row):
        gone = [row["id"]] if self.rows.pop(row["id"]) else []
        for number in ids_in(self.folder / "below" / str(row["id"])):
            if below := self.get(number):
                gone += self.remove(below)
        return gone

    def listed(self, noun, parent, owner):
        found = map(self.get, ids_in(self.place(noun, parent, owner)))
        return [row for row in found if row][-20:]


class Values:
    """A dictionary in a folder."""

    def __init__(self, folder):
        self.folder = folder

    def get(self, key):
        try:
            return json.loads((self.folder / named(str(key))).read_text())
        except (OSError, ValueError):
            return None

    def __contains__(self, key):
        return self.get(key) is not None

    def __setitem__(self, key, value):
        path = self.folder / named(str(key))
        fresh = path.with_suffix(f".{os.getpid()}-{random.random()}")
        fresh.write_text(json.dumps(value))
        fresh.replace(path)

    def pop(self, key, default=None):
        value = self.get(key)
        (self.folder / named(str(key))).unlink(missing_ok=True)
        return default if value is None else value


def named(key):
    return sha256(key.encode()).hexdigest()[:32]


def ids_in(path):
    try:
        return [int(line) for line in path.read_text().split()]
    except OSError:
        return []
