"""Each server that the probe knows tells where requests begin and end: one application under all of them.

    python3 tests/python/servers.py --python PYTHON       that of a virtual environment with the servers
"""

import argparse
import sys
import tempfile
from pathlib import Path

import measure
import pairs

APP = '''
async def asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def wsgi(environ, start_response):
    body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
'''
SERVERS = {
    "gunicorn sync": ("wsgi", "{bin}/gunicorn -b 127.0.0.1:{port} echo:wsgi"),
    "gunicorn preload": ("wsgi", "{bin}/gunicorn --preload --workers 2 -b 127.0.0.1:{port} echo:wsgi"),
    "gunicorn gthread": ("wsgi", "{bin}/gunicorn -k gthread --threads 2 -b 127.0.0.1:{port} echo:wsgi"),
    "gunicorn gevent": ("wsgi", "{bin}/gunicorn -k gevent -b 127.0.0.1:{port} echo:wsgi"),
    "gunicorn gevent_pywsgi": ("wsgi", "{bin}/gunicorn -k gevent_pywsgi -b 127.0.0.1:{port} echo:wsgi"),
    "gunicorn uvicorn": ("asgi", "{bin}/gunicorn -k uvicorn.workers.UvicornWorker -b 127.0.0.1:{port} echo:asgi"),
    "gunicorn asgi": ("asgi", "{bin}/gunicorn -k asgi -b 127.0.0.1:{port} echo:asgi"),
    "uvicorn": ("asgi", "{bin}/uvicorn --port {port} echo:asgi"),
    "uvicorn h11 asyncio": ("asgi", "{bin}/uvicorn --http h11 --loop asyncio --port {port} echo:asgi"),
    "uvicorn workers": ("asgi", "{bin}/uvicorn --workers 2 --port {port} echo:asgi"),
    "uvicorn wsgi": ("asgi", "{bin}/uvicorn --interface wsgi --port {port} echo:wsgi"),
    "hypercorn asgi": ("asgi", "{bin}/hypercorn -b 127.0.0.1:{port} echo:asgi"),
    "hypercorn wsgi": ("wsgi", "{bin}/hypercorn -b 127.0.0.1:{port} wsgi:echo:wsgi"),
    "daphne": ("asgi", "{bin}/daphne -p {port} echo:asgi"),
    "granian asgi": ("asgi", "{bin}/granian --interface asgi --port {port} echo:asgi"),
    "granian wsgi": ("wsgi", "{bin}/granian --interface wsgi --port {port} echo:wsgi"),
    "waitress": ("wsgi", "{bin}/waitress-serve --listen=127.0.0.1:{port} echo:wsgi"),
    "werkzeug": ("wsgi", "{python} -c import_werkzeug"),
}


def check(name, python):
    """`right`, or what is not."""
    server_kind, command = SERVERS[name]
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder, "app")
        app.mkdir()
        (app / "echo.py").write_text(APP)
        words = command.replace("{bin}", str(Path(python).parent)).replace("{python}", python).split()
        if "import_werkzeug" in words:
            words[-1] = "import echo; from werkzeug.serving import run_simple; run_simple('127.0.0.1', {port}, echo.wsgi, threaded=True)"
        server = measure.Server(words, folder, app)
        try:
            if not server.ready():
                return "not started: " + Path(folder, "server.log").read_text()[-300:].replace("\n", " | ")
            names = [measure.canary() for _ in range(3)]
            for each in names:
                answer = measure.ask(server.port, {"path": f"/?user={each}", "json": {"body": "x " + each}}, each)
                if each.encode() not in answer:
                    return f"no answer: {answer[:200]}"
        finally:
            server.end()
        events = [event for process in pairs.read_events(folder) for event in process]
        kinds = {event["server"] for event in events if event["e"] == "request"}
        requests = [event for event in events if event["e"] == "request"]
        responses = [event for event in events if event["e"] == "response"]
        if kinds != {server_kind} or [event["own"] for event in requests] != [[each] for each in names]:
            return f"requests: {kinds} {[event['own'] for event in requests]}"
        if sorted(event["c"] for event in responses) != sorted([each] for each in names) or {event["status"] for event in responses} != {200}:
            return f"responses: {[(event['c'], event['status']) for event in responses]}"
        return "right"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    for name in SERVERS:
        if not options.names or any(each in name for each in options.names):
            print(f"{name}: {check(name, options.python)}", flush=True)


if __name__ == "__main__":
    main()
