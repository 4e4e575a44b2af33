"""The simple rule by which the events of the probe become two lines: what the victim's request read first that holds the
source's canary, and what another request stored there last before. runner has the full order of choice; this is for tests."""

import json
from pathlib import Path


def read_events(folder):
    """The events of each process, in their order."""
    return [[json.loads(line) for line in file.read_text().splitlines()] for file in sorted(Path(folder).glob("events-*.jsonl"))]


def slots(event):
    """Where the canary lay that an event tells of: (object, key), the way from the outside to the inside."""
    found = [(event["obj"], event.get("key"))] if event["e"] != "call" else []
    found += [tuple(step) for step in event.get("inner", [])]
    if event["e"] == "load" and not event.get("inner") and event.get("value"):
        found.append((event["value"], None))
    return found


def same_slot(one, other):
    return one[0] == other[0] and (one[1] == other[1] or one[1] is None or other[1] is None)


def values(event):
    """The numbers of the objects that an event handed over."""
    found = {event.get("value")} if event["e"] != "call" else {event.get("obj")}
    return (found | {step[0] for step in event.get("inner", [])}) - {None}


def find(events, victim=None):
    """(how, write event, read event) for the first victim among the events of one process, or None."""
    own, shown = {}, {}
    for event in events:
        if event["e"] in ("request", "own"):
            own.setdefault(event["r"], []).extend(event["own"])
        if event["e"] == "response":
            shown[event["r"]] = event["c"]
    best = None
    for request in own:
        foreign = [canary for canary in shown.get(request, []) if canary not in own[request]]
        if victim and victim in own[request]:
            foreign += [canary for event in events if event["r"] == request for canary in event.get("c", []) if canary not in own[request]]
        for canary in dict.fromkeys(foreign):
            found = find_pair(events, request, canary, own)
            if found and (best is None or RANK[found[0]] < RANK[best[0]]):
                best = found
    return best


RANK = {"slot": 0, "inside": 1, "object": 2, "probable": 3, "read only": 4}


def find_pair(events, request, canary, own):
    reads = [event for event in events if event["e"] in ("load", "call") and event["r"] == request and canary in event["c"]]
    writes = [event for event in events if event["e"] == "store" and event["r"] != request and canary in event["c"]]
    # What is read only to be added to is read to be shown elsewhere; and a local variable was read from somewhere before.
    reads.sort(key=lambda event: event.get("kind") in ("augmented", "local"))
    for read in reads:
        if read["e"] == "call" or read["kind"] == "local":
            continue
        # The last store into the very slot, also one of the reader's own: then the source's is not what was read.
        before = [write for write in writes if write["n"] < read["n"] and same_slot(slots(write)[0], slots(read)[0])]
        if before:
            return "slot", before[-1], read
    for read in reads:
        for slot in reversed(slots(read)):
            before = [write for write in writes if write["n"] < read["n"] and any(same_slot(slot, other) for other in slots(write))]
            if before:
                return "inside", before[-1], read
    handed = [event for event in events if event["e"] in ("store", "call", "load") and event["r"] != request and canary in event["c"]]
    for read in reads:
        before = [event for event in handed if values(event) & values(read) and event["n"] < read["n"]]
        if before:
            same = [event for event in before if event["file"] == read["file"] and event["line"] == read["line"]]
            return "object", (same[-1:] or before)[0], read
    # The only shared object that holds it now.
    held = {path["obj"] for event in events if event["e"] == "holders" and event["r"] == request and canary in event["c"] for path in event["paths"]}
    before = [write for write in writes if write["obj"] in held and (not reads or write["n"] < reads[0]["n"])]
    if before:
        return "probable", before[-1], reads[0] if reads else None
    return ("read only", None, reads[0]) if reads else None


def place(event):
    return f"{event['file']}:{event['line']}" if event else None


def object_of(event):
    """How a report would call the slot of a store."""
    if event is None or event["e"] == "call":
        return None
    path, key = event.get("path"), event.get("key")
    if path is None or key is None or event["kind"] in ("closure", "contextvar", "call"):
        return path if event["kind"] != "call" or key is None or path is None else f"{path}[{key!r}]"
    return f"{path}[{key!r}]" if event["kind"] == "item" else f"{path}.{key}"
