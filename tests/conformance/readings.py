"""What h11 makes of each response, and so what runner is to make of it."""

import json
from pathlib import Path

import h11

from responses import FAILS, cases

READINGS = Path(__file__).with_name("readings.json")


def by_h11(case):
    """Status, body and headers of a response, its trailers included; None if it is none."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    asked = h11.Request(method=case.method, target="/", headers=[("Host", "a"), ("Connection", "close")])
    connection.send(asked)
    connection.send(h11.EndOfMessage())
    status, body, headers, ended = None, b"", [], False
    try:
        connection.receive_data(case.raw)
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA and not ended:
                ended = True
                connection.receive_data(b"")
            elif isinstance(event, h11.InformationalResponse):
                pass
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers += event.headers
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                headers += event.headers
                return reading(status, body, headers)
            else:
                return None
    except h11.RemoteProtocolError:
        return None


def reading(status, body, headers):
    """As it stands in JSON: bytes as the characters of Latin-1 of the same numbers, headers joined by name."""
    joined = {}
    for name, value in headers:
        name, value = name.decode("latin-1").lower(), value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return {"status": status, "body": body.decode("latin-1"), "headers": joined}


def expected(case):
    """What runner is to make of a case: what h11 does, unless the case says otherwise."""
    if case.instead is None:
        return by_h11(case)
    if case.instead == FAILS:
        return None
    status, body = case.instead
    return {"status": status, "body": body, "headers": None}


def all_readings():
    """Each case with what is expected of it, as JSON has it."""
    return [
        {"name": case.name, "method": case.method, "raw": case.raw.decode("latin-1"), "expected": expected(case),
         **({"h11": by_h11(case), "because": case.because} if case.instead is not None else {})}
        for case in cases()
    ]


def text(readings):
    """A case a line."""
    return "[\n" + ",\n".join(json.dumps(one) for one in readings) + "\n]\n"
