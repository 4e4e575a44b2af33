#!/usr/bin/env python3
"""Runs a program beside a PostgreSQL of its own, and ends both together.

    with_postgres.py PROGRAM ARGUMENT...
    with_postgres.py --initdb               makes .postgres, a cluster with schema.sql in it, which each start copies

The data is in a new temporary folder, as is the Unix socket at which PostgreSQL listens. PGHOST, PGUSER and PGDATABASE lead
the program to it. Both end when the program does, or on SIGTERM or SIGINT; then the folder is removed. What is left where
this was killed, the next start removes.
"""

import fcntl
import glob
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLUSTER = HERE / ".postgres"
PREFIX = "frameworks-postgres-"
NOT_ROOT = "postgres"  # as root, PostgreSQL refuses to run
START_WITHIN, END_WITHIN = 20, 3  # seconds

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "log_min_messages": "fatal",
    # The data is thrown away: nothing has to reach the disk, and no table grows.
    "fsync": "off",
    "autovacuum": "off",
    # In the folder, so that it goes with it.
    "dynamic_shared_memory_type": "mmap",
}


def postgres(name, *arguments):
    """The command for one of PostgreSQL's programs: Debian's newest, or what is on the PATH."""
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"), key=lambda path: float(path.split("/")[4]))
    path = found[-1] if found else shutil.which(name)
    if not path:
        sys.exit(f"PostgreSQL is missing (no {name}); scripts/install-test-tools postgres installs it")
    user = [] if os.getuid() else ["setpriv", f"--reuid={NOT_ROOT}", f"--regid={NOT_ROOT}", "--clear-groups"]
    return [*user, path, *arguments]


class Folder:
    """A temporary folder in which PostgreSQL may write; it is locked as long as it is in use."""

    def __enter__(self):
        self.path = tempfile.mkdtemp(prefix=PREFIX)
        self.lock = os.open(self.path, os.O_RDONLY)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        if not os.getuid():
            shutil.chown(self.path, NOT_ROOT)
        return self.path

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)


def remove_leftovers():
    """Removes the folders of which nobody holds the lock, and the shared memory of their PostgreSQL."""
    for folder in glob.glob(f"{tempfile.gettempdir()}/{PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
        except OSError:
            continue  # somebody else's
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(lock).st_mtime > 5:  # a younger one may be about to be locked
                for line in pid_file(folder)[6:7]:  # a key, and the number of the memory
                    subprocess.run(["ipcrm", "-m", line.split()[1]], stderr=subprocess.DEVNULL)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(lock)


def pid_file(folder):
    """The lines of what PostgreSQL says about itself; none before it does."""
    try:
        return Path(folder, "data/postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def initdb():
    with Folder() as folder:
        data = f"{folder}/data"
        options = ["-A", "trust", "-U", "app", "-E", "UTF8", "--no-locale", "--no-sync", "--wal-segsize=1"]
        subprocess.run(postgres("initdb", "-D", data, *options), check=True, stdout=subprocess.DEVNULL)
        single = postgres("postgres", "--single", "-c", "exit_on_error=on", "-D", data, "postgres")
        with open(HERE / "schema.sql") as schema:  # a statement a line
            subprocess.run(single, check=True, stdin=schema, stdout=subprocess.DEVNULL)
        for old in CLUSTER, f"{CLUSTER}.part":
            shutil.rmtree(old, ignore_errors=True)
        subprocess.run(["cp", "-a", data, f"{CLUSTER}.part"], check=True)
        os.rename(f"{CLUSTER}.part", CLUSTER)  # last: what was cut short is made again


def start_postgres(folder):
    subprocess.run(["cp", "-a", CLUSTER, f"{folder}/data"], check=True)
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    return subprocess.Popen(postgres("postgres", "-D", f"{folder}/data", "-k", folder, *settings))


def wait_for(process, folder):
    end = time.monotonic() + START_WITHIN
    while not any(line.strip() == "ready" for line in pid_file(folder)):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit("PostgreSQL did not start; its last lines should say why")
        time.sleep(0.01)


def stop(process, *signals):
    """Sends one signal after the other until it has ended."""
    for number in (*signals, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            pass


def leave(*_):
    for number in signal.SIGTERM, signal.SIGINT:  # once is enough
        signal.signal(number, signal.SIG_IGN)
    sys.exit(0)


def main(command):
    remove_leftovers()
    running = []  # what is to be stopped, and how
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, leave)
    with Folder() as folder:
        try:
            database = start_postgres(folder)
            running.append((database, signal.SIGINT, signal.SIGQUIT))  # a fast shutdown, and an immediate one
            wait_for(database, folder)
            place = {"PGHOST": folder, "PGUSER": "app", "PGDATABASE": "postgres"}
            program = subprocess.Popen(command, env=os.environ | place)
            running.append((program, signal.SIGTERM))
            return program.wait()
        finally:
            for process, *signals in reversed(running):
                stop(process, *signals)


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(__doc__)
    sys.exit(initdb() if sys.argv[1:] == ["--initdb"] else main(sys.argv[1:]))
