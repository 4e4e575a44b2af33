"""What a generated application has: its operations, the leaks planted in them, and its OpenAPI document. Pure.

    plan.Plan(seed=1, endpoints=50, leaks=12)

The same seed gives the same application. An operation takes part in one leak at most, so that a finding belongs to one.
"""

import random
from dataclasses import dataclass, field

SECTIONS = (
    "sales billing support shipping travel hiring stock garden kitchen music school clinic fleet press museum harbour "
    "bakery theatre studio market forest library lab workshop gallery rental coaching legal catering energy farming "
    "fitness charity housing insurance parking printing recycling roofing sailing tailoring tourism tutoring vineyard "
    "weather cinema brewery dairy pottery orchard"
).split()
NOUNS = (
    "orders invoices tickets parcels trips candidates parts plants recipes songs courses visits cars articles exhibits "
    "boats loaves plays drafts stalls trees books samples benches pictures leases plans cases menus meters fields "
    "classes gifts rooms claims spaces prints bins roofs crews coats tours lessons casks alerts films kegs herds vases"
).split()
PARTS = "lines notes comments entries files steps labels events".split()

HEADER, SCHEME, COOKIE, BEARER = "header", "scheme", "cookie", "bearer"
# How a section's resources and its pages learn who asks: each way turns up in the first two sections.
RESOURCE_AUTH = (HEADER, BEARER, COOKIE, SCHEME)
PAGE_AUTH = (COOKIE, HEADER, SCHEME, HEADER)

WAITS = (5, 30)  # milliseconds, as a query or a call of another service takes


@dataclass
class Operation:
    method: str
    path: str
    kind: str  # what its handler does: app.py has a function of that name
    auth: str | None = None
    noun: str = ""  # the resource's path, for those that have one
    wait: int = 0  # milliseconds between what it reads of the request and its answer
    danger: bool = False
    leak: "Leak | None" = None
    role: str = ""  # a method of the leak's mechanism

    @property
    def name(self):
        return f"{self.method} {self.path}"

    @property
    def tells(self):
        """What of a request nobody else may see. What a body brought may be stored for all to see, and where it stays
        nobody can tell a store from a slot: there the leak is of who asks."""
        everywhere = self.leak and self.leak.kind == "Middleware"
        if self.kind == "search" and not everywhere:
            return "query"
        if self.kind in BODIES and not everywhere and (not self.leak or self.leak.needs == "overlap"):
            return "body"
        return "identity" if self.auth else None

    @property
    def is_static(self):
        """Everybody asks for the same URL, but for the query."""
        return self.method == "GET" and "{" not in self.path


@dataclass
class Leak:
    kind: str  # a class of leaks.py
    needs: str  # sequence, overlap, same connection, error, abort, cache or third party
    classes: tuple  # what runner may call it
    place: str = "body"
    sources: list = field(default_factory=list)
    victims: list = field(default_factory=list)
    pairs: list = field(default_factory=list)
    third: list = field(default_factory=list)
    told: dict = field(default_factory=dict)  # by source: what of it

    @property
    def across(self):
        """No operation shows this leak alone, whoever asks for it."""
        return all(source != victim for source, victim in self.pairs)

    def as_json(self):
        return {
            "kind": self.kind, "needs": self.needs, "classes": list(self.classes), "place": self.place,
            "across": self.across, "sources": self.sources, "victims": self.victims, "pairs": self.pairs,
            "third": self.third, "told": self.told,
        }  # fmt: skip


class Plan:
    def __init__(self, seed, endpoints, leaks, middleware=False):
        self.random = random.Random(seed)
        self.operations = self.make(endpoints)
        self.leaks = []
        if middleware:
            self.plant_everywhere()
        else:
            wanted = [RECIPES[number % len(RECIPES)] for number in range(leaks)]
            for recipe in sorted(wanted, key=self.choice):
                self.plant(*recipe)

    def choice(self, recipe):
        """How many operations there are for the member that is hardest to find."""
        _, _, _, members, *_ = recipe
        return min(sum(one.kind in LEAKY and test(one) for one in self.operations) for _, test, _ in members)

    def make(self, count):
        random, found = self.random, list(accounts())
        sections, nouns = random.sample(SECTIONS, len(SECTIONS)), random.sample(NOUNS, len(NOUNS))
        number = 0
        while len(found) < count:
            round_, index = divmod(number, len(sections))
            section = f"/{sections[index]}" + (f"{round_ + 1}" if round_ else "")
            noun = f"{section}/{nouns[number % len(nouns)]}" if number else "/teams"
            auth = RESOURCE_AUTH[number % len(RESOURCE_AUTH)]
            part = random.choice(PARTS) if number else "items"
            # All of a resource or nothing: what can be created can be deleted.
            for block in (resource(noun, auth) + nested(noun, part, auth), resource(noun, auth)):
                if len(found) + len(block) <= count:
                    found += block
                    break
            found += pages(section, PAGE_AUTH[number % len(PAGE_AUTH)])
            number += 1
        found = found[:count]
        for operation in found:
            if not operation.danger and random.random() < 0.6:
                operation.wait = random.randint(*WAITS)
        return found

    def pick(self, *wanted):
        """An operation that is in no leak yet, and that all of `wanted` hold for."""
        free = [one for one in self.operations if not one.leak and not one.danger and one.kind in LEAKY]
        fitting = [one for one in free if all(test(one) for test in wanted)]
        if not fitting:
            raise SystemExit("too few endpoints for so many leaks: give more ENDPOINTS or fewer LEAKS")
        return self.random.choice(fitting)

    def plant(self, kind, needs, classes, members, place="body"):
        """`members` has for each operation its role, what it must be, and what it is: s(ource), v(ictim), t(hird)."""
        leak = Leak(kind, needs, classes, place)
        for role, test, parts in members:
            operation = self.pick(test)
            operation.leak, operation.role = leak, role
            # Somebody waits, also where the plain operation would not.
            operation.wait = operation.wait or self.random.randint(*WAITS)
            if needs == "abort":
                operation.wait = max(operation.wait, 20)
            for part, names in (("s", leak.sources), ("v", leak.victims), ("t", leak.third)):
                if part in parts:
                    names.append(operation.name)
        self.keep(leak)

    def keep(self, leak):
        leak.pairs = [[source, victim] for source in leak.sources for victim in leak.victims]
        leak.told = {one.name: one.tells for one in self.operations if one.name in leak.sources}
        self.leaks.append(leak)

    def plant_everywhere(self):
        """One slot that a middleware fills and every operation reads."""
        leak = Leak("Middleware", "overlap", ("shared_slot", "narrow_race"))
        for operation in self.operations:
            operation.wait = 0 if operation.danger else operation.wait or self.random.randint(*WAITS)
            if not operation.danger and operation.kind in LEAKY:
                operation.leak, operation.role = leak, "both"
                leak.victims.append(operation.name)
                if operation.tells:
                    leak.sources.append(operation.name)
        self.keep(leak)


# What an application is made of.


def accounts():
    yield Operation("POST", "/signup", "signup")
    yield Operation("POST", "/login", "login")
    yield Operation("GET", "/logout", "logout", BEARER, danger=True)
    yield Operation("DELETE", "/users/me", "delete_me", BEARER, danger=True)
    yield Operation("POST", "/admin/reset", "reset", danger=True)


def singular(noun):
    """The name of an id in a path: `order_id` of `/sales/orders`."""
    word = noun.rpartition("/")[2]
    return f"{word[:-3]}y_id" if word.endswith("ies") else f"{word.removesuffix('s')}_id"


def resource(noun, auth):
    one = f"{noun}/{{{singular(noun)}}}"
    return [
        Operation("POST", noun, "create", auth, noun),
        Operation("GET", noun, "listing", auth, noun),
        Operation("GET", one, "one", auth, noun),
        Operation("PUT", one, "replace", auth, noun),
        Operation("PATCH", one, "change", auth, noun),
        Operation("DELETE", one, "remove", auth, noun),
        Operation("GET", f"{noun}/search", "search", auth, noun),
    ]


def nested(parent, part, auth):
    noun = f"{parent}/{{{singular(parent)}}}/{part}"
    one = f"{noun}/{{{singular(part)}}}"
    return [
        Operation("POST", noun, "create", auth, noun),
        Operation("GET", noun, "listing", auth, noun),
        Operation("GET", one, "one", auth, noun),
        Operation("PATCH", one, "change", auth, noun),
        Operation("DELETE", one, "remove", auth, noun),
    ]


def pages(section, auth):
    return [
        Operation("GET", f"{section}/profile", "profile", auth),
        Operation("GET", f"{section}/home", "home", auth),
        Operation("GET", f"{section}/find", "search", auth),
        Operation("GET", f"{section}/about", "about"),
        Operation("GET", f"{section}/report", "report", auth),
        Operation("POST", f"{section}/preview", "preview", auth),
        Operation("GET", f"{section}/settings", "settings", auth),
        Operation("GET", f"{section}/news", "news"),
    ]


TELLING = ("search", "preview", "create", "replace", "change")  # carry something private besides who asks
LEAKY = (*TELLING, "profile", "home", "about", "report", "settings", "news", "listing", "one")


def any_one(operation):
    return operation.kind != "report"  # these are for the leaks that need an error


def tells(operation):
    return any_one(operation) and bool(operation.auth)


def shared_url(operation):
    return any_one(operation) and operation.is_static and bool(operation.auth)


def of_kind(*kinds):
    return lambda operation: operation.kind in kinds


def with_login(operation):
    return any_one(operation) and operation.auth == BEARER


SLOT = ("shared_slot", "narrow_race")
KEPT = ("cache", "sticky_first")
STALE = ("stale_state", "sticky_first", "shared_slot", "cache")

# The first twelve are in every application: five of these cross endpoints and need an overlap, four of which show in no other way.
RECIPES = [
    ("GlobalSlot", "overlap", SLOT, [("source", tells, "s"), ("victim", any_one, "v")]),
    ("CurrentUser", "overlap", SLOT, [("source", tells, "s"), ("victim", any_one, "v")]),
    ("Serializer", "overlap", SLOT, [("both", tells, "sv"), ("both", tells, "sv")]),
    ("SharedHeaders", "overlap", SLOT, [("source", tells, "s"), ("victim", any_one, "v")], "header x-rendered-for"),
    ("GlobalSlot", "overlap", SLOT, [("source", of_kind("preview"), "s"), ("victim", of_kind("about", "news"), "v")]),
    ("SingleFlight", "overlap", (*SLOT, "cache"), [("both", shared_url, "sv")]),
    ("PageCache", "cache", KEPT, [("both", shared_url, "sv")]),
    ("ThreadLocal", "sequence", STALE, [("source", tells, "s"), ("victim", any_one, "v")]),
    ("LastSearch", "sequence", STALE, [("source", of_kind("search"), "s"), ("victim", any_one, "v")]),
    ("MutableDefault", "sequence", STALE, [("both", tells, "sv")]),
    ("ErrorState", "error", ("error_path", *STALE), [("source", of_kind("report"), "s"), ("victim", any_one, "v")]),
    ("PerConnection", "same connection", ("connection", *STALE), [("source", tells, "s"), ("victim", any_one, "v")]),
    ("Memo", "cache", KEPT, [("both", shared_url, "sv")]),
    ("PooledConnection", "sequence", ("pool", *STALE), [("source", tells, "s"), ("victim", any_one, "v")]),
    ("ContextVariable", "sequence", STALE, [("source", tells, "s"), ("victim", any_one, "v")]),
    ("Background", "sequence", STALE, [("source", tells, "s"), ("victim", any_one, "v")]),
    ("EntityTag", "cache", KEPT, [("both", shared_url, "sv")], "header etag"),
    ("ThirdParty", "third party", SLOT + STALE, [("arm", any_one, "t"), ("source", tells, "s"), ("victim", any_one, "v")]),
    ("Abort", "abort", ("pool", *STALE), [("source", tells, "s"), ("victim", any_one, "v")]),
    ("OwnSlot", "overlap", SLOT, [("both", tells, "sv")]),
    ("Serializer", "overlap", SLOT, [("both", tells, "sv")]),
    ("CurrentUser", "overlap", SLOT, [("source", tells, "s"), ("writer", of_kind("one", "listing"), "sv")]),
    ("SharedHeaders", "overlap", SLOT, [("source", of_kind("create"), "s"), ("victim", any_one, "v")], "header x-rendered-for"),
    ("SingleFlight", "overlap", (*SLOT, "cache"), [("both", shared_url, "sv"), ("both", shared_url, "sv")]),
    ("ErrorPage", "error", ("error_path", *STALE), [("both", of_kind("report"), "sv")]),
    ("GlobalSlot", "overlap", SLOT, [("source", tells, "s"), ("victim", any_one, "v")]),
    ("Fragment", "cache", KEPT + STALE, [("both", tells, "sv"), ("both", tells, "sv")]),
    ("GlobalSlot", "overlap", SLOT, [("source", with_login, "s"), ("victim", with_login, "v")]),
]


# The document.

FIELDS = {
    "title": {"type": "string", "minLength": 1, "maxLength": 200},
    "quantity": {"type": "integer", "minimum": 1, "maximum": 1000},
    "status": {"type": "string", "enum": ["open", "closed"], "default": "open"},
    "note": {"type": ["string", "null"]},
    "due": {"type": "string", "format": "date"},
    "code": {"type": "string", "maxLength": 8},
}
CREDENTIALS = {
    "username": {"type": "string", "minLength": 3},
    "password": {"type": "string", "format": "password", "minLength": 8},
}


def reference(name):
    return {"$ref": f"#/components/schemas/{name}"}


def obj(properties, required):
    return {"type": "object", "properties": properties, "required": required}


SCHEMAS = {
    "Content": obj(FIELDS, ["title", "quantity"]),
    "Change": obj({"title": FIELDS["title"], "note": FIELDS["note"]}, ["title"]),
    "Row": {"allOf": [reference("Content"), obj({"id": {"type": "integer", "readOnly": True}}, ["id"])]},
    "Rows": obj({"items": {"type": "array", "items": reference("Row")}}, ["items"]),
    "Text": obj({"text": {"type": "string"}}, ["text"]),
    "View": {"type": "object", "properties": {"user": {"type": "string"}}},
    "Credentials": obj(CREDENTIALS, ["username", "password"]),
    "Signup": obj({**CREDENTIALS, "email": {"type": "string", "format": "email"}}, ["username", "password", "email"]),
    "Token": obj({"access_token": {"type": "string"}, "token_type": {"type": "string"}}, ["access_token"]),
    "Account": obj({"id": {"type": "integer"}, "username": {"type": "string"}}, ["id"]),
}
BODIES = {
    "create": "Content", "replace": "Content", "change": "Change", "preview": "Text",
    "signup": "Signup", "login": "Credentials",
}  # fmt: skip
ANSWERS = {
    "create": "Row", "replace": "Row", "change": "Row", "one": "Row", "listing": "Rows", "login": "Token", "signup": "Account",
}  # fmt: skip
PAGES = ("home", "news")  # HTML
STATUS = {"create": "201", "signup": "201", "remove": "204", "delete_me": "204", "logout": "204"}


def described(operation):
    kind = operation.kind
    entry = {"operationId": f"{kind}_{abs(hash_of(operation.name)):08x}", "tags": [operation.path.split("/")[1]], "parameters": []}
    for name in (part[1:-1] for part in operation.path.split("/") if part.startswith("{")):
        entry["parameters"].append({"name": name, "in": "path", "required": True, "schema": {"type": "integer"}})
    if kind == "search":
        entry["parameters"].append({"name": "q", "in": "query", "required": True, "schema": {"type": "string"}})
    if kind == "report":
        limit = {"type": "integer", "minimum": 1, "maximum": 100}
        entry["parameters"].append({"name": "limit", "in": "query", "required": True, "schema": limit, "example": 20})
    if operation.auth == HEADER:
        entry["parameters"].append({"name": "X-User", "in": "header", "required": True, "schema": {"type": "string"}})
    elif operation.auth:
        entry["security"] = [{{SCHEME: "user", COOKIE: "session", BEARER: "token"}[operation.auth]: []}]
    if kind in BODIES:
        content = {"application/json": {"schema": reference(BODIES[kind])}}
        entry["requestBody"] = {"required": True, "content": content}
    answer = {"description": "done"}
    if kind in PAGES:
        answer["content"] = {"text/html": {"schema": {"type": "string"}}}
    elif STATUS.get(kind) != "204":
        answer["content"] = {"application/json": {"schema": reference(ANSWERS.get(kind, "View"))}}
    entry["responses"] = {STATUS.get(kind, "200"): answer}
    return entry


def hash_of(text):
    """The same in every process, unlike hash()."""
    value = 2166136261
    for byte in text.encode():
        value = (value ^ byte) * 16777619 % 2**32
    return value


def document(operations):
    paths = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = described(operation)
    schemes = {
        "user": {"type": "apiKey", "in": "header", "name": "X-User"},
        "session": {"type": "apiKey", "in": "cookie", "name": "session"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "A generated application", "version": "1"},
        "paths": paths,
        "components": {"schemas": SCHEMAS, "securitySchemes": schemes},
    }
