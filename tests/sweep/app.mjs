// A generated application in Node that leaks where its truth says so.
//
//     ENDPOINTS=50 LEAKS=12 SEED=1 node app.mjs 8000
//
// CLEAN, MIDDLEWARE_SLOT, OWNERS, TRUTH and JOURNAL are as in app.py. plan.mjs says which operations there are, leaks.mjs
// how they leak.

import { randomBytes, randomUUID } from "node:crypto";
import { appendFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

import * as leaks from "./leaks.mjs";
import { BODIES, makeDocument, makePlan, SCHEMAS, tells } from "./plan.mjs";

const set = (name) => !["", "0"].includes(process.env[name] ?? "");
const CLEAN = set("CLEAN");
const STRICT = (process.env.OWNERS ?? "strict") === "strict";
const endpoints = Number(process.env.ENDPOINTS ?? 50);
const plan = makePlan({
  seed: Number(process.env.SEED ?? 1),
  endpoints,
  leaks: Number(process.env.LEAKS || (endpoints <= 50 ? 12 : 28)),
  middleware: set("MIDDLEWARE_SLOT"),
});
const DOCUMENT = JSON.stringify(makeDocument(plan.operations));

if (process.env.TRUTH) {
  const operations = plan.operations.map(({ name, kind, auth, danger }) => ({ name, kind, auth, danger }));
  writeFileSync(process.env.TRUTH, JSON.stringify({ leaks: CLEAN ? [] : plan.leaks, operations }, null, 1) + "\n");
}

let lines = [];
function journal(entry) {
  if (!process.env.JOURNAL) return;
  lines.push(JSON.stringify({ at: Date.now() / 1000, ...entry }) + "\n");
  if (lines.length > 200) flush();
}
function flush() {
  if (lines.length) appendFileSync(process.env.JOURNAL, lines.join(""));
  lines = [];
}
journal({ event: "start", pid: process.pid, unique_ids: true });
setInterval(flush, 200).unref();

class Problem extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

class Response {
  headers = {};

  constructor(data, status = 200, page = false) {
    Object.assign(this, { data, status, page });
  }

  copy() {
    const other = new Response({ ...this.data }, this.status, this.page);
    other.headers = { ...this.headers };
    return other;
  }

  add(name, value) {
    if (value) this.data[name] = value;
    return this;
  }

  show(user) {
    return this.add("user", user);
  }

  encode() {
    if ([204, 304].includes(this.status)) return "";
    this.headers["content-type"] ??= this.page ? "text/html; charset=utf-8" : "application/json";
    if (!this.page) return this.raw ?? JSON.stringify(this.data);
    const safe = (value) => String(value).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
    const parts = Object.entries(this.data).map(([name, value]) => `<p class=${name}>${safe(value)}</p>`);
    return `<!doctype html>\n<title>Page</title>\n${parts.join("\n")}\n`;
  }
}

// What is stored.

const rows = new Map();
const byOwner = new Map();
const accounts = { passwords: new Map(), tokens: new Map() };
const key = (noun, parent, owner) => `${noun} ${parent} ${owner}`;

function add(row) {
  rows.set(row.id, row);
  const place = key(row.noun, row.parent, row.owner);
  if (!byOwner.has(place)) byOwner.set(place, new Set());
  byOwner.get(place).add(row.id);
  return row;
}

function drop(row) {
  rows.delete(row.id);
  byOwner.get(key(row.noun, row.parent, row.owner))?.delete(row.id);
  const below = row.below.filter((id) => rows.has(id));
  return below.flatMap((id) => [id, ...drop(rows.get(id))]);
}

let fixtures = 0;
for (const one of plan.operations) {
  if (one.kind === "create" && !one.path.includes("{")) {
    const content = { title: "kept", quantity: 1 };
    add({ id: String(++fixtures), noun: one.noun, owner: "admin", parent: null, content, made: false, below: [] });
  }
}

const view = (row) => ({ id: row.id, ...row.content });

function identify(request) {
  const { auth } = request.operation;
  const { headers } = request;
  if (auth === "header" || auth === "scheme") return headers["x-user"];
  if (auth === "cookie") return /(?:^|;\s*)session=([^;]*)/.exec(headers.cookie ?? "")?.[1];
  if (auth === "bearer") return accounts.tokens.get((headers.authorization ?? "").replace("Bearer ", ""));
  return undefined;
}

function required(request) {
  if (!request.user) throw new Problem(401, "who asks?");
}

function parsed(request) {
  try {
    return JSON.parse(request.body) ?? {};
  } catch {
    return null;
  }
}

function content(request) {
  const found = parsed(request);
  if (found === null || typeof found !== "object") throw new Problem(422, "the body is not an object");
  const { properties, required: needed } = SCHEMAS[BODIES[request.operation.kind]];
  for (const name of needed) if (found[name] == null) throw new Problem(422, `${name} is missing`);
  for (const [name, value] of Object.entries(found)) {
    const type = properties[name]?.type;
    const fits = type === "integer" ? Number.isInteger(value) : type !== "string" || typeof value === "string" || value === null;
    if (!fits) throw new Problem(422, `${name} is not of type ${type}`);
  }
  return Object.fromEntries(Object.entries(found).filter(([name]) => name in properties));
}

function told(request) {
  const what = tells(request.operation);
  if (what === "query") return request.query.get("q");
  if (what === "identity") return request.user;
  const value = parsed(request)?.[request.operation.kind === "preview" ? "text" : "title"];
  return typeof value === "string" ? value : undefined;
}

function found(id, noun, request) {
  const row = rows.get(id);
  if (!row || row.noun !== noun || (STRICT && row.owner !== request.user)) throw new Problem(404, "there is no such thing");
  return row;
}

function above(request) {
  const { noun } = request.operation;
  return noun.includes("{") ? found(request.ids[0], noun.slice(0, noun.lastIndexOf("/{")), request) : null;
}

function wanted(request) {
  required(request);
  const parent = above(request)?.id ?? null;
  const row = found(request.ids.at(-1), request.operation.noun, request);
  if (row.parent !== parent) throw new Problem(404, "there is no such thing");
  return row;
}

// Handlers: what is read of the request first, and a function for what comes after the wait.

const HANDLERS = {
  create(request) {
    required(request);
    const [parent, made] = [above(request), content(request)];
    return () => {
      const row = add({
        id: randomUUID(), noun: request.operation.noun, owner: request.user, parent: parent?.id ?? null, content: made, made: true,
        below: [],
      });
      parent?.below.push(row.id);
      request.noted.created = row.id;
      const response = new Response({ data: view(row) }, 201);
      response.headers.location = `${request.path}/${row.id}`;
      return response;
    };
  },
  listing(request) {
    required(request);
    const parent = above(request)?.id ?? null;
    return () => {
      const ids = [...(byOwner.get(key(request.operation.noun, parent, request.user)) ?? [])];
      return new Response({ data: ids.slice(-20).map((id) => view(rows.get(id))), total: ids.length });
    };
  },
  one(request) {
    const row = wanted(request);
    return () => new Response(view(row));
  },
  replace(request) {
    const [row, made] = [wanted(request), content(request)];
    return () => {
      row.content = made;
      return new Response(view(row));
    };
  },
  change(request) {
    const [row, made] = [wanted(request), content(request)];
    return () => {
      Object.assign(row.content, made);
      return new Response(view(row));
    };
  },
  remove(request) {
    const row = wanted(request);
    return () => {
      const own = row.owner === request.user;
      Object.assign(request.noted, { deleted: row.id, with: drop(row), own, of_run: row.made });
      return new Response({}, 204);
    };
  },
  search(request) {
    const query = request.query.get("q");
    if (query === null) throw new Problem(422, "q is missing");
    return () => new Response({ query, results: [], count: 0 });
  },
  profile: (request) => () => new Response({ user: request.user ?? "guest", plan: "basic" }),
  home: (request) => () => new Response({ user: request.user ?? "guest", text: "Welcome back" }, 200, true),
  about: () => () => new Response({ name: "A generated application", version: 1 }),
  report: (request) => () => {
    const limit = BigInt(request.query.get("limit") ?? "20"); // fails as handlers do
    return new Response({ user: request.user ?? "guest", rows: Number(limit < 100n ? limit : 100n) });
  },
  preview(request) {
    const { text } = content(request);
    return () => new Response({ text, length: text.length });
  },
  settings: (request) => () => new Response({ user: request.user ?? "guest", colour: "blue" }),
  news: () => () => new Response({ text: "Nothing happened today" }, 200, true),
  signup(request) {
    const { username, password } = content(request);
    return () => {
      if (accounts.passwords.has(username)) throw new Problem(409, "this name is taken");
      accounts.passwords.set(username, password);
      request.noted.signed_up = true;
      return new Response({ id: accounts.passwords.size, username }, 201);
    };
  },
  login(request) {
    const { username, password } = content(request);
    return () => {
      if (accounts.passwords.get(username) !== password) throw new Problem(401, "no such name, or another password");
      const token = randomBytes(16).toString("hex");
      accounts.tokens.set(token, username);
      return new Response({ token });
    };
  },
  logout(request) {
    required(request);
    return () => {
      for (const [token, user] of accounts.tokens) if (user === request.user) accounts.tokens.delete(token);
      return new Response({}, 204);
    };
  },
  deleteMe(request) {
    required(request);
    return () => {
      accounts.passwords.delete(request.user);
      return new Response({}, 204);
    };
  },
  reset: () => () => {
    rows.clear();
    byOwner.clear();
    accounts.passwords.clear();
    accounts.tokens.clear();
    return new Response({ status: "empty" });
  },
};

// From a request to its handler and back.

const routes = {};
for (const one of plan.operations) {
  let node = routes;
  for (const part of one.path.split("/").slice(1)) node = node[part.startsWith("{") ? "{}" : part] ??= {};
  (node[""] ??= {})[one.method] = one;
}

function route(request) {
  let node = routes;
  const ids = [];
  for (const part of request.path.split("/").slice(1)) {
    if (part && part !== "{}" && Object.hasOwn(node, part)) node = node[part];
    else if (part && node["{}"]) {
      node = node["{}"];
      ids.push(part);
    } else throw new Problem(404, "there is no such page");
  }
  if (!node[""]) throw new Problem(404, "there is no such page");
  const operation = node[""][request.method];
  if (!operation) throw new Problem(405, "not in this way");
  return [operation, ids];
}

const shared = new Map(CLEAN ? [] : plan.leaks.map((leak) => [leak, new leaks[leak.kind]()]));

async function work(request) {
  const rest = HANDLERS[request.operation.kind](request);
  if (request.operation.wait) await sleep(request.operation.wait);
  return rest();
}

async function handle(request) {
  if (request.method === "GET" && request.path === "/openapi.json") return Object.assign(new Response({}), { raw: DOCUMENT });
  if (request.method === "GET" && request.path === "/health") return new Response({ status: "ok" });
  let response;
  try {
    [request.operation, request.ids] = route(request);
    const { operation } = request;
    request.user = identify(request);
    request.told = told(request);
    if (operation.auth === "bearer") required(request);
    const mechanism = shared.get(operation.leak);
    response = await (mechanism ? mechanism[operation.role](request, () => work(request)) : work(request));
  } catch (error) {
    if (process.env.TRACE) console.error(error);
    if (error instanceof Problem) response = new Response({ detail: error.message }, error.status);
    else response = new Response({ error: "internal server error" }, 500);
  }
  const { method, path, user = null, operation, noted } = request;
  const known = operation ? { operation: operation.name, dangerous: operation.danger } : {};
  journal({ method, path, status: response.status, user, ...known, ...noted });
  return response;
}

const server = createServer(async (incoming, outgoing) => {
  const pieces = [];
  try {
    for await (const piece of incoming) pieces.push(piece);
  } catch {
    return; // left before it had said all
  }
  const at = incoming.url.indexOf("?");
  const [path, query] = at < 0 ? [incoming.url, ""] : [incoming.url.slice(0, at), incoming.url.slice(at + 1)];
  const request = {
    method: incoming.method, path, query: new URLSearchParams(query), headers: incoming.headers, socket: incoming.socket,
    body: Buffer.concat(pieces).toString(), noted: {},
    failed: (error) => new Response({ error: error.message }, 500),
  };
  const response = await handle(request);
  const body = response.encode();
  outgoing.writeHead(response.status, { ...response.headers, ...(body && { "content-length": Buffer.byteLength(body) }) });
  outgoing.end(body);
});
server.keepAliveTimeout = 30_000;
server.listen(Number(process.argv[2] ?? 8000), "127.0.0.1", 1024);

function end() {
  const left = [...rows.values()].filter((row) => row.made).map(({ noun, id, owner }) => ({ resource: noun, id, owner }));
  journal({ event: "end", pid: process.pid, left });
  if (process.env.JOURNAL) flush();
  process.exit(0);
}
process.on("SIGTERM", end);
process.on("SIGINT", end);
