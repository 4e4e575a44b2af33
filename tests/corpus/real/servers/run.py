#!/usr/bin/env python3
"""Runs a program between services of Debian, and ends all of them together.

    servers/run.py SERVICE... -- PROGRAM ARGUMENT...
    servers/run.py --initdb FOLDER          makes the cluster that PostgreSQL starts from

    redis               redis-server at @FOLDER@/redis
    postgres            PostgreSQL at @FOLDER@/.s.PGSQL.5432, database `postgres`, user `app`
    nginx=FILE:PORT     nginx with that configuration, in front
    varnish=FILE:PORT   Varnish with that VCL, in front

@FOLDER@ is a new temporary folder, @PORT@ the port; they are filled into arguments and configurations, and the folder is
FOLDER in the environment. What is in front starts when the program listens at @FOLDER@/app. Nothing else is listened at.
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
USER = "postgres"  # PostgreSQL refuses to run as root


def started(command, listens=None):
    """A process, once it listens at a Unix socket."""
    process = subprocess.Popen(command)
    for _ in range(2000 if listens else 0):
        try:
            with socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(listens))
                break
        except OSError:
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.01)
    return process


def redis(folder):
    return started(["redis-server", "--port", "0", "--unixsocket", f"{folder}/redis", "--save", "", "--dir", folder], f"{folder}/redis")


def postgres_program(name):
    found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{name}"))
    return found[-1] if found else name


def as_postgres(command):
    return command if os.getuid() else ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", *command]


def initdb(target):
    """An empty cluster, unless it is there. It takes 2 seconds, so each server starts with a copy of one."""
    if Path(target).exists():
        return
    with tempfile.TemporaryDirectory() as folder:  # where that user may write
        if not os.getuid():
            shutil.chown(folder, USER, USER)
        command = [postgres_program("initdb"), "-D", f"{folder}/data", "-A", "trust", "-U", "app", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(as_postgres(command), check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cp", "-a", f"{folder}/data", f"{target}.part"], check=True)
        os.rename(f"{target}.part", target)


def postgres(folder):
    subprocess.run(["cp", "-a", HERE.parent / ".postgres", f"{folder}/data"], check=True)
    if not os.getuid():
        shutil.chown(folder, USER, USER)
    settings = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "max_connections": "50"}
    command = [postgres_program("postgres"), "-D", f"{folder}/data"]
    command += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return started(as_postgres(command), f"{folder}/.s.PGSQL.5432")


def configured(file, folder, port):
    text = (HERE / file).read_text().replace("@FOLDER@", folder).replace("@PORT@", port)
    copy = Path(folder, file)
    copy.write_text(text)
    return str(copy)


def nginx(folder, argument):
    file, port = argument.split(":")
    return started(["nginx", "-p", folder, "-e", "stderr", "-c", configured(file, folder, port)])


def varnish(folder, argument):
    file, port = argument.split(":")
    vcl = configured(file, folder, port)
    return started(["varnishd", "-F", "-n", f"{folder}/varnish", "-a", f"127.0.0.1:{port}", "-f", vcl, "-s", "malloc,16m", "-T", "none"])


def main():
    if sys.argv[1:2] == ["--initdb"]:
        return initdb(sys.argv[2])
    split = sys.argv.index("--")
    services = [word.partition("=") for word in sys.argv[1:split]]
    folder = tempfile.mkdtemp(prefix="corpus-")
    os.chmod(folder, 0o755)
    os.environ["FOLDER"] = folder
    running = []
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        for name, _, argument in services:
            if not argument:
                running.append({"redis": redis, "postgres": postgres}[name](folder))
        fronts = [(name, argument) for name, _, argument in services if argument]
        command = [word.replace("@FOLDER@", folder) for word in sys.argv[split + 1 :]]
        program = started(command, f"{folder}/app" if fronts else None)
        running.append(program)
        for name, argument in fronts:
            running.append({"nginx": nginx, "varnish": varnish}[name](folder, argument))
        sys.exit(program.wait())
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
