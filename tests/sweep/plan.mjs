// What a generated application in Node has: its operations, the leaks planted in them, and its OpenAPI document. As plan.py,
// in another order of operations: the same seed gives another application.

const SECTIONS = `sales billing support shipping travel hiring stock garden kitchen music school clinic fleet press museum
  harbour bakery theatre studio market forest library lab workshop gallery rental coaching legal catering energy farming
  fitness charity housing insurance parking printing recycling roofing sailing tailoring tourism tutoring vineyard weather
  cinema brewery dairy pottery orchard`.split(/\s+/);
const NOUNS = `orders invoices tickets parcels trips candidates parts plants recipes songs courses visits cars articles
  exhibits boats loaves plays drafts stalls trees books samples benches pictures leases plans cases menus meters fields
  classes gifts rooms claims spaces prints bins roofs crews coats tours lessons casks alerts films kegs herds`.split(/\s+/);
const PARTS = "lines notes comments entries files steps labels events".split(" ");
const RESOURCE_AUTH = ["header", "bearer", "cookie", "scheme"];
const PAGE_AUTH = ["header", "cookie", "header", "scheme"];

/** mulberry32: the same numbers for the same seed. */
class Random {
  constructor(seed) {
    this.state = (seed * 2654435761) >>> 0;
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  whole(from, to) {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  choice(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  shuffled(list) {
    const all = [...list];
    for (let i = all.length - 1; i > 0; i--) {
      const j = Math.floor(this.next() * (i + 1));
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
  }
}

const operation = (method, path, kind, auth = null, noun = "", danger = false) => ({
  name: `${method} ${path}`, method, path, kind, auth, noun, danger, wait: 0, leak: null, role: "",
});

const accounts = () => [
  operation("POST", "/signup", "signup"),
  operation("POST", "/login", "login"),
  operation("GET", "/logout", "logout", "bearer", "", true),
  operation("DELETE", "/users/me", "deleteMe", "bearer", "", true),
  operation("POST", "/admin/reset", "reset", null, "", true),
];

function idOf(noun) {
  const word = noun.split("/").at(-1);
  return (word.endsWith("ies") ? word.slice(0, -3) + "y" : word.replace(/s$/, "")) + "Id";
}

function resource(noun, auth) {
  const one = `${noun}/{${idOf(noun)}}`;
  return [
    operation("GET", noun, "listing", auth, noun),
    operation("POST", noun, "create", auth, noun),
    operation("GET", `${noun}/search`, "search", auth, noun),
    operation("GET", one, "one", auth, noun),
    operation("PATCH", one, "change", auth, noun),
    operation("PUT", one, "replace", auth, noun),
    operation("DELETE", one, "remove", auth, noun),
  ];
}

function nested(parent, part, auth) {
  const noun = `${parent}/{${idOf(parent)}}/${part}`;
  const one = `${noun}/{${idOf(part)}}`;
  return [
    operation("GET", noun, "listing", auth, noun),
    operation("POST", noun, "create", auth, noun),
    operation("GET", one, "one", auth, noun),
    operation("PATCH", one, "change", auth, noun),
    operation("DELETE", one, "remove", auth, noun),
  ];
}

const pages = (section, auth) => [
  operation("GET", `${section}/home`, "home", auth),
  operation("GET", `${section}/profile`, "profile", auth),
  operation("GET", `${section}/find`, "search", auth),
  operation("GET", `${section}/report`, "report", auth),
  operation("GET", `${section}/about`, "about"),
  operation("POST", `${section}/preview`, "preview", auth),
  operation("GET", `${section}/settings`, "settings", auth),
  operation("GET", `${section}/news`, "news"),
];

const TELLING = ["search", "preview", "create", "replace", "change"];
const LEAKY = [...TELLING, "profile", "home", "about", "report", "settings", "news", "listing", "one"];

/** What of a request nobody else may see. What a body brought may be stored for all to see, and where it stays nobody can
    tell a store from a slot: there the leak is of who asks. */
export function tells(one) {
  const everywhere = one.leak?.kind === "Middleware";
  if (one.kind === "search" && !everywhere) return "query";
  if (one.kind in BODIES && !everywhere && (!one.leak || one.leak.needs === "overlap")) return "body";
  return one.auth ? "identity" : null;
}

const anyOne = (one) => one.kind !== "report"; // these are for the leaks that need an error
const asks = (one) => anyOne(one) && Boolean(one.auth);
const sharedUrl = (one) => asks(one) && one.method === "GET" && !one.path.includes("{");
const ofKind = (...kinds) => (one) => kinds.includes(one.kind);
const withLogin = (one) => anyOne(one) && one.auth === "bearer";

const SLOT = ["shared_slot", "narrow_race"];
const KEPT = ["cache", "sticky_first"];
const STALE = ["stale_state", "sticky_first", "shared_slot", "cache"];

// The first twelve are in every application: five of these cross endpoints and need an overlap, four of which show in no
// other way.
const RECIPES = [
  ["ModuleSlot", "overlap", SLOT, [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["CurrentUser", "overlap", SLOT, [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["Serializer", "overlap", SLOT, [["both", asks, "sv"], ["both", asks, "sv"]]],
  ["SharedHeaders", "overlap", SLOT, [["source", asks, "s"], ["victim", anyOne, "v"]], "header x-rendered-for"],
  ["ModuleSlot", "overlap", SLOT, [["source", ofKind("preview"), "s"], ["victim", ofKind("about", "news"), "v"]]],
  ["SingleFlight", "overlap", [...SLOT, "cache"], [["both", sharedUrl, "sv"]]],
  ["PageCache", "cache", KEPT, [["both", sharedUrl, "sv"]]],
  ["ModuleVariable", "sequence", STALE, [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["LastSearch", "sequence", STALE, [["source", ofKind("search"), "s"], ["victim", anyOne, "v"]]],
  ["Recent", "sequence", STALE, [["both", asks, "sv"]]],
  ["ErrorState", "error", ["error_path", ...STALE], [["source", ofKind("report"), "s"], ["victim", anyOne, "v"]]],
  ["PerConnection", "same connection", ["connection", ...STALE], [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["Memo", "cache", KEPT, [["both", sharedUrl, "sv"]]],
  ["PooledConnection", "sequence", ["pool", ...STALE], [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["Defaults", "sequence", STALE, [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["Background", "sequence", STALE, [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["EntityTag", "cache", KEPT, [["both", sharedUrl, "sv"]], "header etag"],
  ["ThirdParty", "third party", [...SLOT, ...STALE], [["arm", anyOne, "t"], ["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["Abort", "abort", ["pool", ...STALE], [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["OwnSlot", "overlap", SLOT, [["both", asks, "sv"]]],
  ["Serializer", "overlap", SLOT, [["both", asks, "sv"]]],
  ["CurrentUser", "overlap", SLOT, [["source", asks, "s"], ["writer", ofKind("one", "listing"), "sv"]]],
  ["SharedHeaders", "overlap", SLOT, [["source", ofKind("create"), "s"], ["victim", anyOne, "v"]], "header x-rendered-for"],
  ["SingleFlight", "overlap", [...SLOT, "cache"], [["both", sharedUrl, "sv"], ["both", sharedUrl, "sv"]]],
  ["ErrorPage", "error", ["error_path", ...STALE], [["both", ofKind("report"), "sv"]]],
  ["ModuleSlot", "overlap", SLOT, [["source", asks, "s"], ["victim", anyOne, "v"]]],
  ["Fragment", "cache", [...KEPT, ...STALE], [["both", asks, "sv"], ["both", asks, "sv"]]],
  ["ModuleSlot", "overlap", SLOT, [["source", withLogin, "s"], ["victim", withLogin, "v"]]],
];

export function makePlan({ seed, endpoints, leaks, middleware }) {
  const random = new Random(seed);
  const operations = accounts();
  const sections = random.shuffled(SECTIONS);
  const nouns = random.shuffled(NOUNS);
  for (let number = 0; operations.length < endpoints; number++) {
    const again = Math.floor(number / sections.length);
    const section = `/${sections[number % sections.length]}${again ? again + 1 : ""}`;
    const auth = RESOURCE_AUTH[number % 4];
    const noun = number ? `${section}/${nouns[number % nouns.length]}` : "/teams";
    const part = number ? random.choice(PARTS) : "items";
    operations.push(...pages(section, PAGE_AUTH[number % 4]));
    // All of a resource or nothing: what can be created can be deleted.
    const blocks = [[...resource(noun, auth), ...nested(noun, part, auth)], resource(noun, auth)];
    operations.push(...(blocks.find((block) => operations.length + block.length <= endpoints) ?? []));
  }
  operations.length = endpoints;
  for (const one of operations) if (!one.danger && random.next() < 0.6) one.wait = random.whole(5, 30);

  const planted = [];
  const keep = (leak) => {
    leak.pairs = leak.sources.flatMap((source) => leak.victims.map((victim) => [source, victim]));
    leak.across = leak.pairs.every(([source, victim]) => source !== victim);
    leak.told = Object.fromEntries(operations.filter((one) => leak.sources.includes(one.name)).map((one) => [one.name, tells(one)]));
    planted.push(leak);
  };
  const could = operations.filter((one) => !one.danger && LEAKY.includes(one.kind));
  if (middleware) {
    const leak = { kind: "Middleware", needs: "overlap", classes: SLOT, place: "body", sources: [], victims: [], third: [] };
    for (const one of could) {
      Object.assign(one, { leak, role: "both", wait: one.wait || random.whole(5, 30) });
      leak.victims.push(one.name);
      if (tells(one)) leak.sources.push(one.name);
    }
    keep(leak);
    return { operations, leaks: planted };
  }
  const choice = ([, , , members]) => Math.min(...members.map(([, test]) => could.filter(test).length));
  const wanted = Array.from({ length: leaks }, (_, number) => RECIPES[number % RECIPES.length]);
  for (const [kind, needs, classes, members, place = "body"] of wanted.sort((a, b) => choice(a) - choice(b))) {
    const leak = { kind, needs, classes, place, sources: [], victims: [], third: [] };
    for (const [role, test, parts] of members) {
      const free = could.filter((one) => !one.leak && test(one));
      if (!free.length) throw new Error("too few endpoints for so many leaks: give more ENDPOINTS or fewer LEAKS");
      const one = random.choice(free);
      Object.assign(one, { leak, role, wait: one.wait || random.whole(5, 30) });
      if (needs === "abort") one.wait = Math.max(one.wait, 20);
      for (const [part, names] of [["s", leak.sources], ["v", leak.victims], ["t", leak.third]]) {
        if (parts.includes(part)) names.push(one.name);
      }
    }
    keep(leak);
  }
  return { operations, leaks: planted };
}

// The document.

const text = { type: "string" };
const FIELDS = {
  title: { type: "string", minLength: 1, maxLength: 200 },
  quantity: { type: "integer", minimum: 1, maximum: 1000 },
  status: { type: "string", enum: ["open", "closed"], default: "open" },
  note: { type: "string", nullable: true },
  due: { type: "string", format: "date" },
  code: { type: "string", maxLength: 8 },
};
const CREDENTIALS = {
  username: { type: "string", minLength: 3 },
  password: { type: "string", format: "password", minLength: 8 },
};
const reference = (name) => ({ $ref: `#/components/schemas/${name}` });
const object = (properties, required) => ({ type: "object", properties, ...(required && { required }) });
export const SCHEMAS = {
  Content: object(FIELDS, ["title", "quantity"]),
  Change: object({ title: FIELDS.title, note: FIELDS.note }, ["title"]),
  Row: { allOf: [reference("Content"), object({ id: { type: "string", readOnly: true } }, ["id"])] },
  Rows: object({ data: { type: "array", items: reference("Row") }, total: { type: "integer" } }, ["data"]),
  Created: object({ data: reference("Row") }, ["data"]),
  Text: object({ text }, ["text"]),
  View: object({ user: text }),
  Credentials: object(CREDENTIALS, ["username", "password"]),
  Signup: object({ ...CREDENTIALS, email: { type: "string", format: "email" } }, ["username", "password", "email"]),
  Token: object({ token: text }, ["token"]),
  Account: object({ id: { type: "integer" }, username: text }, ["id"]),
};
export const BODIES = {
  create: "Content", replace: "Content", change: "Change", preview: "Text", signup: "Signup", login: "Credentials",
};
const ANSWERS = {
  create: "Created", replace: "Row", change: "Row", one: "Row", listing: "Rows", login: "Token", signup: "Account",
};
const STATUS = { create: "201", signup: "201", remove: "204", deleteMe: "204", logout: "204" };
const SCHEME = { scheme: "user", cookie: "session", bearer: "token" };

function described(one) {
  const { kind } = one;
  const parameters = [...one.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({ name, in: "path", required: true, schema: text }));
  if (kind === "search") parameters.push({ name: "q", in: "query", required: true, schema: text });
  if (kind === "report") {
    parameters.push({ name: "limit", in: "query", required: true, schema: { type: "integer", minimum: 1, maximum: 100 }, example: 20 });
  }
  const entry = { operationId: one.name.toLowerCase().replace(/\W+/g, "_"), parameters };
  if (one.auth === "header") parameters.push({ name: "X-User", in: "header", required: true, schema: text });
  else if (one.auth) entry.security = [{ [SCHEME[one.auth]]: [] }];
  if (kind in BODIES) {
    entry.requestBody = { required: true, content: { "application/json": { schema: reference(BODIES[kind]) } } };
  }
  const answer = { description: "done" };
  if (["home", "news"].includes(kind)) answer.content = { "text/html": { schema: text } };
  else if (STATUS[kind] !== "204") answer.content = { "application/json": { schema: reference(ANSWERS[kind] ?? "View") } };
  entry.responses = { [STATUS[kind] ?? "200"]: answer };
  return entry;
}

export function makeDocument(operations) {
  const paths = {};
  for (const one of operations) (paths[one.path] ??= {})[one.method.toLowerCase()] = described(one);
  const securitySchemes = {
    user: { type: "apiKey", in: "header", name: "X-User" },
    session: { type: "apiKey", in: "cookie", name: "session" },
    token: { type: "http", scheme: "bearer" },
  };
  const info = { title: "A generated application in Node", version: "1" };
  return { openapi: "3.0.3", info, paths, components: { schemas: SCHEMAS, securitySchemes } };
}
