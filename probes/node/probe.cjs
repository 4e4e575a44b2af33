'use strict';
// The probe for Node: loaded by `NODE_OPTIONS=--require …/probe.cjs`. It rewrites the application's own modules as they
// are loaded (modules.cjs, rewrite.cjs) and writes what happens to canaries inside them, one JSON object a line.
// Nothing here may raise into the application, or run code of it: no getters, no proxies, no `toString` of its objects.

const fs = require('fs');
const path = require('path');
const { types } = require('util');
const threads = require('worker_threads');

const FOLDER = process.env.RUNNER_PROBE_DIR;
// The thread of the ESM hooks loads this file as well: it has no port to a parent.
const inLoaderThread = !threads.isMainThread && threads.parentPort === null;

if (FOLDER && process.env.RUNNER_PROBE_CANARY && !inLoaderThread && !globalThis.__rp$) {
  try { start(); } catch { /* the application runs without the probe */ }
}

function start() {
  const { AsyncLocalStorage, executionAsyncId } = require('async_hooks');
  const Module = require('module');
  const EventEmitter = require('events');
  const { rewritten, compiled } = require('./modules.cjs');
  const { attachments } = require('./attachments.cjs');
  const { readMarks, textHolds, bytesText, collectText, plainText, words, ownText, LONG, MOST_CANARIES } = require('./canaries.cjs')(process.env.RUNNER_PROBE_CANARY, process.env.RUNNER_PROBE_MARKS);

  const MOST_EVENTS = 200_000;
  const MOST_BYTES = 64 * 1024 * 1024;
  const NO_HOLDERS = Object.freeze([]);
  const ITEMS = 32, DEPTH = 3, VISITS = 200;
  const LOADS_OF_A_PLACE = 50;      // loads of one place in one request that are told,
  const OWN_LOADS_OF_A_PLACE = 1;   // and of those that yield the request's own canaries only
  const WALKED = 3000;              // objects that a search for paths looks at
  const VAIN_SEARCHES = 8, ONE_OF = 16;   // so many vain searches for objects of a place, then it is one of so many

  const inherits = (key, value) => ({ value: key, writable: true, configurable: true, enumerable: false, ...value });
  const hide = (object, name, value) => Object.defineProperty(object, name, inherits(value));
  const { apply, getPrototypeOf, getOwnPropertyDescriptor, ownKeys } = Reflect;
  const { keys: keysOf } = Object;
  const { isProxy, isPromise, isUint8Array, isModuleNamespaceObject, isNativeError } = types;
  const mapEntries = Map.prototype.entries, setValues = Set.prototype.values;
  const nextEntry = getPrototypeOf(new Map().entries()).next, nextValue = getPrototypeOf(new Set().values()).next;
  const isArray = Array.isArray;
  const lookupGetter = Object.prototype.__lookupGetter__, hasOwn = Object.prototype.hasOwnProperty;
  const stringify = JSON.stringify;
  // CLOCK_MONOTONIC in microseconds: `performance` counts on the same clock, from another zero.
  const clock = performance, zero = Number(process.hrtime.bigint() / 1000n) - clock.now() * 1000;
  const now = () => Math.round(zero + clock.now() * 1000);
  // Numbers of more than 31 bits take long to be written.
  const nowText = () => {
    const time = now(), seconds = Math.floor(time / 1e6), rest = time - seconds * 1e6;
    return seconds + (rest < 100_000 ? String(rest).padStart(6, '0') : '' + rest);
  };

  let app = path.resolve(process.env.RUNNER_PROBE_APP || process.cwd());
  try { app = fs.realpathSync(app); } catch { /* as it is */ }
  const worker = threads.isMainThread ? 0 : threads.threadId;

  // An error within the probe is none of the application's; tests have it said.
  const notTold = process.env.RUNNER_PROBE_DEBUG ? error => process._rawDebug(`probe: ${error && error.stack}`) : () => {};

  // ---- What is written -------------------------------------------------------------------------------------------

  // Lines wait as bytes outside of the heap: as texts, their parts would be moved about by the garbage collector.
  const waiting = Buffer.allocUnsafeSlow(128 * 1024);
  let file = null;
  let used = 0;
  let sequence = worker * 1e9;
  let events = 0, bytes = 0, dropped = 0, told = 0;

  function flush() {
    try {
      if (dropped > told) {
        const line = `{"e":"dropped","t":${now()},"r":null,"u":"main","n":${++sequence},"count":${dropped - told}}\n`;
        told = dropped;
        put(line);
      }
      if (!used) return;
      const length = used;
      used = 0;
      send(waiting, length);
    } catch { /* the folder is gone */ }
  }
  function send(lines, length) {
    const open = () => fs.openSync(path.join(FOLDER, `events-${process.pid}.jsonl`), 'a', 0o600);
    try {
      fs.writeSync(file ??= open(), lines, 0, length);
    } catch {
      fs.writeSync(file = open(), lines, 0, length);
    }
  }
  const timer = setTimeout(flush, 10);
  timer.unref();
  process.on('exit', flush);

  // `rest` is the text of further keys, beginning with a comma; `end` that of the place, which ends the line.
  function write(kind, request, rest, end = '}\n') {
    if (events >= MOST_EVENTS || bytes >= MOST_BYTES) { dropped++; if (dropped === 1) timer.refresh(); return; }
    events++;
    const who = request ? request.json : `,"r":null,"u":"${unit()}","n":`;
    put(`{"e":"${kind}","t":` + nowText() + who + ++sequence + rest + end);
  }
  // What is executing.
  const unit = () => `async ${executionAsyncId()}${worker ? ' thread ' + worker : ''}`;
  function put(line) {
    bytes += line.length;
    const most = line.length * 3;   // bytes of UTF-8
    if (most > waiting.length - used) flush();
    if (most > waiting.length) {
      const long = Buffer.from(line);
      return send(long, long.length);
    }
    if (used === 0) timer.refresh();
    used += waiting.utf8Write(line, used);
  }

  // ---- Canaries in values ----------------------------------------------------------------------------------------

  // Whether anybody has brought a canary yet.
  let live = readMarks();

  /** The canaries of a value, and the objects within it in which they stand. */
  class Found {
    texts = [];
    holders = NO_HOLDERS;
    get size() { return this.texts.length; }
    add(text) { if (!this.texts.includes(text)) this.texts.push(text); }
    addAll({ texts }) { for (const text of texts) if (this.texts.length < MOST_CANARIES) this.add(text); }
    holder(object) {
      if (this.holders === NO_HOLDERS) this.holders = [object];
      else if (!this.holders.includes(object)) this.holders.push(object);
    }
  }

  const PLAIN = 1, ARRAY = 2, MAP = 3, SET = 4, BYTES = 5, PROMISE = 6, ERROR = 7, ITERATOR = 8, SKIP = 9;
  const plainPrototype = Object.prototype, arrayPrototype = Array.prototype;
  const kinds = new WeakMap([
    [Object.prototype, PLAIN], [Array.prototype, ARRAY], [Map.prototype, MAP], [Set.prototype, SET], [Uint8Array.prototype, BYTES],
    [Promise.prototype, PROMISE], [Error.prototype, ERROR],
    [getPrototypeOf(new Map().entries()), ITERATOR], [getPrototypeOf(new Set().values()), ITERATOR],
    ...[EventEmitter.prototype, Function.prototype, WeakMap.prototype, WeakSet.prototype, WeakRef.prototype, Date.prototype, RegExp.prototype,
      ArrayBuffer.prototype, DataView.prototype, getPrototypeOf(Int8Array.prototype), AsyncLocalStorage.prototype, URL.prototype,
      Number.prototype, Boolean.prototype, Symbol.prototype].map(prototype => [prototype, SKIP]),
    [getPrototypeOf(setTimeout(() => {}, 1).unref()), SKIP],
  ]);

  function kindOf(value) {
    if (isProxy(value)) return SKIP;
    const prototype = getPrototypeOf(value);
    if (prototype === plainPrototype || prototype === null) return PLAIN;
    if (prototype === arrayPrototype) return ARRAY;
    const known = kinds.get(prototype);
    if (known !== undefined) return known;
    let kind = PLAIN;
    for (let one = prototype; one; one = getPrototypeOf(one)) {
      if (isProxy(one)) { kind = SKIP; break; }
      const above = kinds.get(one);
      if (above !== undefined) { kind = above; break; }
    }
    if (kind === PLAIN && isModuleNamespaceObject(value)) return PLAIN;
    kinds.set(prototype, kind);
    return kind;
  }

  /** Calls `each(value, object, depth, found)` for what an object holds, until that says true. Runs nothing of the application. */
  function some(object, kind, each, depth, found) {
    switch (kind) {
      case ARRAY: {
        if (!isArray(object)) return false;
        const length = Math.min(object.length, ITEMS);
        for (let index = 0; index < length; index++) if (each(item(object, index), object, depth, found)) return true;
        // The newest items of a long list as well.
        for (let index = Math.max(length, object.length - ITEMS); index < object.length; index++) if (each(item(object, index), object, depth, found)) return true;
        return false;
      }
      case MAP: {
        const entries = apply(mapEntries, object, []);
        for (let count = 0; count < ITEMS; count++) {
          const { done, value } = apply(nextEntry, entries, []);
          if (done) return false;
          if (each(value[0], object, depth, found) || each(value[1], object, depth, found)) return true;
        }
        return false;
      }
      case SET: {
        const values = apply(setValues, object, []);
        for (let count = 0; count < ITEMS; count++) {
          const { done, value } = apply(nextValue, values, []);
          if (done) return false;
          if (each(value, object, depth, found)) return true;
        }
        return false;
      }
      case ERROR: return each(own(object, 'message'), object, depth, found);
      case PLAIN: {
        const names = keysOf(object);
        const length = Math.min(names.length, ITEMS);
        for (let index = 0; index < length; index++) {
          const name = names[index];
          if (name.length > 2 && textHolds(name) && each(name, object, depth, found)) return true;   // a short mark is no name
          if (each(own(object, name), object, depth, found)) return true;
        }
        return false;
      }
    }
    return false;
  }

  // The value of a property without running a getter.
  function own(object, name) {
    const descriptor = getOwnPropertyDescriptor(object, name);
    return descriptor ? descriptor.value : undefined;
  }

  // That of an array: in less time, and without a descriptor.
  const item = (array, index) => apply(lookupGetter, array, [index]) === undefined ? array[index] : undefined;

  let visits = 0;
  function objectHolds(value, depth) {
    const kind = kindOf(value);
    if (kind >= PROMISE && kind !== ERROR) return false;
    if (kind === BYTES) return textHolds(bytesText(value));
    return some(value, kind, partHolds, depth, null);
  }
  function partHolds(part, object, depth) {
    if (typeof part === 'string') return textHolds(part);
    return part !== null && typeof part === 'object' && depth > 1 && ++visits < VISITS && objectHolds(part, depth - 1);
  }
  function collectObject(value, depth, found) {
    const kind = kindOf(value);
    if (kind >= PROMISE && kind !== ERROR) return;
    if (kind === BYTES) { found.holder(value); return collectText(bytesText(value), found); }
    some(value, kind, collectPart, depth, found);
  }
  function collectPart(part, object, depth, found) {
    if (typeof part === 'string') { if (textHolds(part)) { found.holder(object); found.addAll(foundIn(part)); } }
    else if (part !== null && typeof part === 'object' && depth > 1 && ++visits < VISITS) collectObject(part, depth - 1, found);
    return found.size >= MOST_CANARIES;
  }

  /** 0: nothing to tell; 1: a canary is in the value; 2: a promise, whose value may come later; 3: goes through a Map or Set. */
  function look(value) {
    if (typeof value === 'string') return textHolds(value) ? 1 : 0;
    if (value === null || typeof value !== 'object') return 0;
    try {
      visits = 0;
      if (objectHolds(value, DEPTH)) return 1;
      const kind = kindOf(value);
      return kind === PROMISE ? 2 : kind === ITERATOR ? 3 : 0;
    } catch (error) { notTold(error); return 0; }
  }
  function canariesOf(value) {
    if (typeof value === 'string') return foundIn(value);
    const found = new Found();
    if (value === null || typeof value !== 'object') return found;
    visits = 0;
    found.holder(value);
    collectObject(value, DEPTH, found);
    return found;
  }

  const REMEMBERED = 200;           // texts, and the length up to which it is remembered what they hold
  const textsFound = new Map();
  /** The canaries of a text, which is often looked at again. Nobody changes what this answers. */
  function foundIn(text) {
    let found = textsFound.get(text);
    if (found !== undefined) return found;
    collectText(text, found = new Found());
    if (text.length > REMEMBERED) return found;
    if (textsFound.size >= REMEMBERED) textsFound.clear();
    textsFound.set(text, found);
    return found;
  }

  // ---- Objects: identities, types, paths --------------------------------------------------------------------------

  let lastIdentity = worker * 1e12;
  const Identity = attachments();    // object -> { number, path, found (a path that a walk came by), born, type }
  const modules = new Map();         // file -> the object that stands for its variables
  const tables = [];                 // { base, end, table }: numbers of places, and the text of their table or the table
  const begun = new Set();           // the bases of those
  const places = new Map();          // number -> place, of those that were needed
  let walkTime = 0, lastWalk = 0, walks = 0;
  const began = now();

  const isObject = value => value !== null && (typeof value === 'object' || typeof value === 'function');

  const functionText = Function.prototype.toString;
  const isClass = value => typeof value === 'function' && /^class\b/.test(apply(functionText, value, []));

  function moduleScope(name) {
    let scope = modules.get(name);
    if (!scope) {
      modules.set(name, scope = { makeGetters: null, getters: null, exported: null, name: name.replace(/\.[^./]+$/, '') });
      new Identity(scope, { number: ++lastIdentity, path: scope.name, found: null, born: 0, type: 'module' });
    }
    return scope;
  }

  /** A function for each name of a module; made when a way is looked for. */
  const gettersOf = scope => (scope.getters ??= scope.makeGetters && scope.makeGetters());

  const typeNames = new WeakMap();   // prototype -> the name of its constructor
  function typeName(value) {
    if (isProxy(value)) return 'Proxy';
    if (typeof value === 'function') return 'Function';
    const prototype = getPrototypeOf(value);
    if (prototype === null || apply(hasOwn, value, ['constructor'])) return constructorName(value);
    let name = typeNames.get(prototype);
    if (name === undefined) typeNames.set(prototype, name = constructorName(prototype));
    return name;
  }
  function constructorName(value) {
    for (let one = value, depth = 0; one && depth < 5; one = getPrototypeOf(one), depth++) {
      if (isProxy(one)) return 'Object';
      const maker = own(one, 'constructor');
      if (typeof maker === 'function' && !isProxy(maker)) {
        const name = own(maker, 'name');
        return typeof name === 'string' && name ? name.slice(0, 80) : 'Object';
      }
    }
    return 'Object';
  }

  function met(object, request) {
    let known = Identity.of(object);
    if (!known) {
      known = { number: ++lastIdentity, path: null, found: null, born: request ? request.number : 0, type: null };
      new Identity(object, known);
    }
    return known;
  }
  const numberOf = (object, request) => met(object, request).number;
  const typeOf = (known, object) => (known.type ??= typeName(object));

  /** What is known of an object: { number, path, born, type }. `hint` is a path that the source itself shows. */
  function identity(object, request, hint, place) {
    const known = met(object, request);
    if (known.type === null) known.type = typeName(object);
    if (known.path) return known;
    if (hint) {
      const dot = hint.lastIndexOf('.');
      known.path = isClass(object) && dot > 0 ? hint.slice(0, dot) + ':' + hint.slice(dot + 1) : hint;
      if (object instanceof AsyncLocalStorage) known.path = 'AsyncLocalStorage ' + hint;
      return known;
    }
    known.path = known.found ?? searched(object, known, request, place);
    return known;
  }

  /**
   * Searches for the path to an object: that takes at most a hundredth of the time, and happens twice a request. Where a place's objects
   * were found nowhere time and again, as those that each request makes for itself, only one of many is searched for.
   */
  function searched(object, known, request, place) {
    if ((request && request.walked >= 2) || scopeOf(object)) return null;
    if (place.vain >= VAIN_SEARCHES && place.vain++ % ONE_OF !== 0) return null;
    if (walks >= 20 && walkTime * 100 >= now() - began) return null;
    if (request) request.walked++;
    walk(null);
    place.vain = known.found ? 0 : place.vain + 1;
    return known.found;
  }

  const step = (before, name) => /^[A-Za-z_$][\w$]*$/.test(name) ? `${before}.${name}` : `${before}[${name.length > 40 ? name.slice(0, 40) + '…' : name}]`;

  /** Goes from the modules' variables to all that hangs on them, breadth first. `visit(object, path)` may end it by true. */
  function walk(visit, most = WALKED) {
    const started = now();
    walks++;
    const seen = new Set();
    const queue = [];
    const add = (value, path, depth) => {
      if (!isObject(value) || seen.has(value) || seen.size > most || depth > 5) return;
      if (isProxy(value)) return;
      seen.add(value);
      queue.push([value, path, depth]);
    };
    try {
      for (const scope of modules.values()) {
        if (scope.exported) { try { add(scope.exported(), scope.name + '.exports', 1); } catch { /* nothing */ } }
        if (!gettersOf(scope)) continue;
        for (const name of keysOf(scope.getters)) {
          try { add(scope.getters[name](), `${scope.name}.${name}`, 1); } catch { /* not yet defined */ }
        }
      }
      for (const name of keysOf(globalThis)) if (!builtinGlobals.has(name)) add(own(globalThis, name), 'globalThis.' + name, 1);
      for (let index = 0; index < queue.length; index++) {
        const [value, path, depth] = queue[index];
        met(value, null).found ??= depth === 1 && isClass(value) ? path.replace(/\.([^.]*)$/, ':$1') : path;
        if (visit && visit(value, path)) break;
        const kind = kindOf(value);
        if (kind === BYTES || kind === PROMISE) continue;
        if (kind === MAP) {
          const entries = apply(mapEntries, value, []);
          for (let count = 0; count < 200; count++) {
            const { done, value: entry } = apply(nextEntry, entries, []);
            if (done) break;
            add(entry[1], typeof entry[0] === 'string' ? `${path}[${entry[0].slice(0, 40)}]` : path + '[…]', depth + 1);
          }
        } else if (kind === SET) {
          const values = apply(setValues, value, []);
          for (let count = 0; count < 200; count++) {
            const { done, value: one } = apply(nextValue, values, []);
            if (done) break;
            add(one, path + '[…]', depth + 1);
          }
        } else if (kind === ARRAY) {
          for (let at = 0; at < Math.min(value.length, 200); at++) add(own(value, at), `${path}[${at}]`, depth + 1);
        } else {
          let names = ownKeys(value);
          if (names.length > 200) names = names.slice(0, 200);
          const before = depth === 1 && isClass(value) ? path.replace(/\.([^.]*)$/, ':$1') : path;
          for (const name of names) {
            if (typeof name !== 'string' || name === 'prototype' || name === 'constructor') continue;
            add(own(value, name), step(before, name), depth + 1);
          }
        }
      }
    } catch (error) { notTold(error); /* what was found until here */ }
    lastWalk = now();
    walkTime += lastWalk - started;
  }

  // ---- Places ----------------------------------------------------------------------------------------------------

  /** The place of a number: { file, line, …, json } from the table of its module. */
  function placeOf(number) {
    return places.get(number) ?? readPlace(number);
  }
  function readPlace(number) {
    for (let index = tables.length - 1; index >= 0; index--) {
      const entry = tables[index];
      if (number < entry.base || number >= entry.end) continue;
      if (typeof entry.table === 'string') {
        const table = JSON.parse(entry.table);
        entry.table = table.at ? JSON.parse(fs.readFileSync(table.at, 'utf8')) : table;
      }
      const { table } = entry;
      const [fileIndex, line, column, unit, kind, key, hint, callee, flag, module] = table.sites[number - table.base];
      let name = table.files[fileIndex];
      if (path.isAbsolute(name)) { const below = path.relative(app, name); name = below.startsWith('..') ? name : below; }
      const text = table.texts[fileIndex + ':' + line] || '';
      const place = {
        number, kind, key, hint, calleeText: stringify(callee), flag, scope: moduleScope(module || table.file), vain: 0,
        json: `,"file":${stringify(name)},"line":${line},"column":${column},"function":${stringify(table.units[unit])},"text":${stringify(text)}}\n`,
      };
      places.set(number, place);
      return place;
    }
    return null;
  }

  function keyText(place, key) {
    if (typeof key === 'string') return key.slice(0, 80);
    if (typeof key === 'number' || typeof key === 'bigint') return String(key);
    if (typeof key === 'symbol') return Symbol.prototype.toString.call(key).slice(0, 80);
    if (isObject(key)) return '#' + numberOf(key, null);
    return place.key;
  }

  // ---- Requests --------------------------------------------------------------------------------------------------

  const storage = new AsyncLocalStorage();   // { request }
  // With context frames `run` would also undo what the application enters inside: there the scope is entered.
  const framed = Number(process.versions.node.split('.')[0]) >= 24 || process.execArgv.includes('--experimental-async-context-frame');
  const Scope = attachments();               // request and response objects -> scope
  const scopeOf = object => isObject(object) ? Scope.of(object) : undefined;
  let requests = worker * 1e6;

  const current = () => { const scope = storage.getStore(); return scope ? scope.request : null; };

  class Request {
    constructor(method, target, texts, encoded, server) {
      this.number = ++requests;
      this.unit = unit();
      this.json = `,"r":${this.number},"u":"${this.unit}","n":`;
      this.own = new Set();
      this.counts = new Map();
      this.walked = 0;
      this.tail = '';
      this.chunks = [];
      this.size = 0;
      this.done = false;
      if (readMarks()) { live = true; textsFound.clear(); }
      for (const text of texts) { plainText(String(text), this.own); words(String(text), this.own); }
      for (const text of encoded) ownText(text, this.own);
      if (this.own.size) live = true;
      write('request', this, `,"method":${stringify(String(method))},"target":${stringify(String(target).slice(0, 2000))},"own":${list([...this.own], Infinity)},"server":"${server}"`);
    }

    /** A piece of the request's body. */
    body(chunk) {
      const text = typeof chunk === 'string' ? chunk : isUint8Array(chunk) ? bytesText(chunk) : '';
      if (!text) return;
      const found = new Set();
      ownText(this.tail + text, found);
      words(text, found);
      this.tail = text.slice(-200);
      const fresh = [...found].filter(one => !this.own.has(one));
      if (!fresh.length) return;
      for (const one of fresh) this.own.add(one);
      live = true;
      write('own', this, `,"own":${list([...this.own], Infinity)}`);
    }

    /** A piece of the response's body. */
    sent(chunk, encoding) {
      if (this.size > LONG || !live) return;
      if (typeof chunk === 'string' && typeof encoding === 'string' && !/^utf-?8$/i.test(encoding) && Buffer.isEncoding(encoding)) chunk = Buffer.from(chunk, encoding);
      else if (isUint8Array(chunk)) chunk = Buffer.from(chunk);
      else if (typeof chunk !== 'string') return;
      this.size += chunk.length;
      this.chunks.push(chunk);
    }

    end(status, headers, encoding) {
      if (this.done) return;
      this.done = true;
      if (!live) return;
      let text = headers;
      try {
        text += '\n' + bodyText(this.chunks, encoding);
      } catch { /* the headers alone */ }
      this.chunks = [];
      const found = new Set();
      try {
        plainText(text, found);
      } catch (error) { notTold(error); }
      const foreign = [...found].filter(one => !this.own.has(one));
      if (foreign.length) latePromises(foreign);
      write('response', this, `,"c":${list([...found], 32)},"status":${status || null}`);
      if (foreign.length) { holders(this, foreign); flush(); }
    }
  }

  /** The text of a body's pieces, which are texts or bytes. */
  function bodyText(chunks, encoding) {
    if (!encoding && chunks.every(chunk => typeof chunk === 'string')) return chunks.join('');
    let whole = Buffer.concat(chunks.map(chunk => typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
    if (encoding && whole.length) {
      const zlib = require('zlib');
      const open = { gzip: zlib.gunzipSync, br: zlib.brotliDecompressSync, deflate: zlib.inflateSync }[encoding];
      if (open) whole = open(whole, { maxOutputLength: LONG });
    }
    return whole.toString('utf8');
  }

  /** Ways from the modules' variables to objects that hold a foreign canary now. */
  function holders(request, foreign) {
    const paths = [];
    walk((value, path) => {
      const kind = kindOf(value);
      if (kind === SKIP && typeof value !== 'function') return false;
      let holds = false;
      const check = one => {
        if (typeof one === 'string' && foreign.some(text => one.includes(text))) holds = true;
        return holds;
      };
      if (kind === BYTES) check(bytesText(value));
      else if (typeof value === 'function') { for (const name of ownKeys(value).slice(0, ITEMS)) if (check(own(value, name))) break; }
      else some(value, kind, check);
      if (holds) paths.push({ path, type: typeName(value), obj: identity(value, request, path).number });
      return paths.length >= 5;
    }, 20_000);
    // Variables of modules themselves.
    for (const scope of modules.values()) {
      if (!gettersOf(scope) || paths.length >= 5) continue;
      for (const name of keysOf(scope.getters)) {
        let value;
        try { value = scope.getters[name](); } catch { continue; }
        if (typeof value === 'string' && paths.length < 5 && foreign.some(text => value.includes(text))) paths.push({ path: `${scope.name}.${name}`, type: 'string', obj: Identity.of(scope).number });
      }
    }
    write('holders', request, `,"c":${stringify(foreign.slice(0, MOST_CANARIES))},"paths":${stringify(paths)}`);
  }

  function inside(scope, call) {
    if (framed) { storage.enterWith(scope); return call(); }
    return storage.run(scope, call);
  }

  /** Lets `begin(event, first, second)` name the scope in which an emitter's event runs. */
  function aroundEmit(prototype, begin) {
    const original = prototype.emit;
    hide(prototype, 'emit', function emit(event, first, second) {
      let scope = null;
      try { scope = begin.call(this, event, first, second); } catch (error) { notTold(error); }
      if (!scope || storage.getStore() === scope) return apply(original, this, arguments);
      return inside(scope, () => apply(original, this, arguments));
    });
  }

  const OPENING = new Set(['request', 'checkContinue', 'checkExpectation', 'upgrade', 'connect']);

  function beginHttp(event, request, response) {
    if (!OPENING.has(event) || !request) return null;
    let scope = scopeOf(request);
    if (scope) return scope;
    const headers = request.rawHeaders || [];
    scope = { request: new Request(request.method, request.url, [request.url, headers.join('\n')], secrets(request.headers), 'node') };
    new Scope(request, scope);
    if (response && !scopeOf(response)) new Scope(response, scope);
    return scope;
  }

  // Headers in which an identity is often in base64.
  const secrets = headers => [headers.authorization, headers.cookie, headers['x-forwarded-user']].filter(Boolean);

  function installHttp() {
    const http = require('http');
    const https = require('https');
    aroundEmit(http.Server.prototype, beginHttp);
    aroundEmit(https.Server.prototype, beginHttp);
    // Bodies arrive and responses end outside of the handler's flow of execution.
    for (const prototype of [http.IncomingMessage.prototype, http.ServerResponse.prototype]) {
      aroundEmit(prototype, function (event) {
        const scope = scopeOf(this);
        if (scope && event === 'close' && !scope.request.done && this instanceof http.ServerResponse) endHttp(this, scope.request);
        return scope || null;
      });
    }
    const push = http.IncomingMessage.prototype.push;
    hide(http.IncomingMessage.prototype, 'push', function (chunk) {
      try { const scope = chunk ? scopeOf(this) : null; if (scope) scope.request.body(chunk); } catch (error) { notTold(error); }
      return apply(push, this, arguments);
    });
    aroundSending(http.ServerResponse.prototype, endHttp);
  }

  function endHttp(response, request) {
    const headers = typeof response._header === 'string' ? response._header : stringify(response.getHeaders());
    request.end(response.statusCode, headers, response.getHeader('content-encoding') || /^content-encoding: *(\S+)/im.exec(headers)?.[1]);
  }

  // `writesItself`: `end` hands its last piece to `write`.
  function aroundSending(prototype, finish, writesItself) {
    const { write: writeBody, end: endBody } = prototype;
    hide(prototype, 'write', function (chunk, encoding) {
      try { const scope = scopeOf(this); if (scope && chunk) scope.request.sent(chunk, encoding); } catch (error) { notTold(error); }
      return apply(writeBody, this, arguments);
    });
    hide(prototype, 'end', function (chunk, encoding) {
      let scope = null;
      try { scope = scopeOf(this); if (scope && chunk && !writesItself && typeof chunk !== 'function' && !scope.request.done) scope.request.sent(chunk, encoding); } catch (error) { notTold(error); }
      const result = apply(endBody, this, arguments);
      try { if (scope) finish(this, scope.request); } catch (error) { notTold(error); }
      return result;
    });
  }

  // http2 is loaded only by those who use it: its prototypes are reached through the first server.
  function installHttp2(http2) {
    const wrapped = new WeakSet();
    const begin = (event, request, response) => {
      if (event !== 'request' || !request || !response) return null;
      let scope = scopeOf(request);
      if (scope) return scope;
      const stream = request.stream;
      scope = { request: new Request(request.method, request.url, [request.url, stringify(request.headers)], secrets(request.headers), 'node') };
      new Scope(request, scope);
      if (!scopeOf(response)) new Scope(response, scope);
      if (stream && typeof stream.push === 'function') {
        const push = stream.push;
        hide(stream, 'push', function (chunk) {
          try { if (chunk) scope.request.body(chunk); } catch (error) { notTold(error); }
          return apply(push, this, arguments);
        });
      }
      return scope;
    };
    for (const name of ['createServer', 'createSecureServer']) {
      const original = http2[name];
      http2[name] = function () {
        const server = apply(original, this, arguments);
        try {
          const prototype = getPrototypeOf(server);
          if (!wrapped.has(prototype)) { wrapped.add(prototype); aroundEmit(prototype, begin); }
        } catch (error) { notTold(error); }
        return server;
      };
    }
    for (const prototype of [http2.Http2ServerRequest.prototype, http2.Http2ServerResponse.prototype]) aroundEmit(prototype, function () { return scopeOf(this) || null; });
    aroundSending(http2.Http2ServerResponse.prototype, (response, request) => request.end(response.statusCode, stringify(response.getHeaders()), response.getHeader('content-encoding')), true);
  }

  let http2Known = false;
  function withHttp2(http2) {
    if (http2Known || !http2) return;
    http2Known = true;
    try { installHttp2(http2); Module.syncBuiltinESMExports(); } catch (error) { notTold(error); }
  }

  /** Servers on plain sockets: a canary that was never seen before opens a request. */
  function installNet() {
    const net = require('net');
    const tls = require('tls');
    const known = new Set();
    const begin = opening => function (event, socket) {
      if (event !== opening || !socket) return null;
      if (opening === 'connection' && this instanceof tls.Server) return null;
      const scope = { request: null };
      const { push, write: send, end } = socket;
      hide(socket, 'push', function (chunk) {
        try {
          if (chunk) {
            const text = isUint8Array(chunk) ? bytesText(chunk) : String(chunk);
            const found = new Set();
            ownText(text, found);
            if ([...found].some(one => !known.has(one))) {
              if (scope.request) scope.request.end(null, '', null);
              scope.request = new Request('', text.slice(0, 200), [], [text], 'implicit');
            } else if (scope.request) scope.request.body(chunk);
            for (const one of found) known.add(one);
          }
        } catch (error) { notTold(error); }
        return apply(push, this, arguments);
      });
      hide(socket, 'write', function (chunk, encoding) {
        try { if (scope.request && chunk) scope.request.sent(chunk, encoding); } catch (error) { notTold(error); }
        return apply(send, this, arguments);
      });
      hide(socket, 'end', function (chunk, encoding) {
        try { if (scope.request && chunk && typeof chunk !== 'function') scope.request.sent(chunk, encoding); } catch (error) { notTold(error); }
        return apply(end, this, arguments);
      });
      const { emit } = socket;
      hide(socket, 'emit', function (name) {
        try { if (name === 'close' && scope.request) scope.request.end(null, '', null); } catch (error) { notTold(error); }
        if (storage.getStore() === scope) return apply(emit, this, arguments);
        return inside(scope, () => apply(emit, this, arguments));
      });
      return scope;
    };
    const { emit } = EventEmitter.prototype;
    for (const [prototype, opening] of [[net.Server.prototype, 'connection'], [tls.Server.prototype, 'secureConnection']]) {
      const start = begin(opening);
      hide(prototype, 'emit', function (event, socket) {
        let scope = null;
        try { if (event === opening && !scopeOf(this) && !isHttp(this)) scope = start.call(this, event, socket); } catch (error) { notTold(error); }
        return scope ? inside(scope, () => apply(emit, this, arguments)) : apply(emit, this, arguments);
      });
    }
  }
  function isHttp(server) {
    const http = require('http');
    if (server instanceof http.Server || server instanceof require('https').Server) return true;
    return /^Http2/.test(typeName(server));
  }

  // ---- Hooks -----------------------------------------------------------------------------------------------------

  // The last objects that were reached through another: value, holder, place, key. A load of what is in one of them tells
  // of it as well.
  const BASES = 16;
  const baseValues = new Array(BASES).fill(null), baseHolders = new Array(BASES).fill(null), basePlaces = new Array(BASES).fill(0), baseKeys = new Array(BASES).fill(null);
  let lastBase = 0;
  function noteBase(value, holder, place, key) {
    if (basePlaces[lastBase] === place && baseValues[lastBase] === value && baseHolders[lastBase] === holder) return;   // in a loop
    lastBase = (lastBase + 1) % BASES;
    baseValues[lastBase] = value; baseHolders[lastBase] = holder; basePlaces[lastBase] = place; baseKeys[lastBase] = key;
  }

  const NOTHING = new Found();
  const pending = [];                // arguments that hold canaries, of calls that have not returned
  let assigned = 0;                  // the place whose right side of `??=` was evaluated last
  const promises = [];               // stores and loads of promises: told once their value is known

  // Texts that are written again and again.
  const quotedTexts = new Map();
  function quoted(text) {
    let known = quotedTexts.get(text);
    if (known === undefined) {
      known = stringify(text);
      if (typeof text !== 'string' || text.length > 200) return known;
      if (quotedTexts.size >= 200) quotedTexts.clear();
      quotedTexts.set(text, known);
    }
    return known;
  }
  function list(texts, most = MOST_CANARIES) {
    let written = '';
    for (let index = 0; index < texts.length && index < most; index++) written += index ? ',' + quoted(texts[index]) : quoted(texts[index]);
    return `[${written}]`;
  }

  function isOwn(request, found) {
    for (const one of found.texts) if (!request.own.has(one)) return false;
    return true;
  }

  function crowded(request, place, found) {
    if (!request) return false;
    const count = (request.counts.get(place.number) || 0) + 1;
    request.counts.set(place.number, count);
    return count > LOADS_OF_A_PLACE || (count > OWN_LOADS_OF_A_PLACE && isOwn(request, found));
  }

  // The container of a variable or a member: [object, path that the source shows, kind].
  function container(place, object) {
    if (place.flag === 5) return [globalThis, 'globalThis'];
    if (place.kind === 'global' || (isObject(object) && isModuleNamespaceObject(object) && place.scope.name)) return [object && place.kind !== 'global' && !place.hint ? object : place.scope, null];
    if (place.kind === 'closure') return [object, place.hint];
    return [object, place.hint];
  }

  function access(kind, request, place, object, key, found, manner) {
    if (kind === 'load') beforeForeign(request, found);
    const [holder, hint] = container(place, object);
    let where = ',"obj":null,"type":null,"path":null';
    let local = false;
    if (isObject(holder)) {
      const known = identity(holder, request, hint, place);
      if (place.kind === 'closure' && known.type !== 'closure') { known.type = 'closure'; known.born = holder.request || 0; }
      local = request !== null && known.born === request.number && (known.path === null || place.kind === 'closure');
      // What a request moves between its own objects is of no interest.
      if (local && kind === 'load' && place.kind !== 'closure' && isOwn(request, found)) return;
      where = `,"obj":${known.number},"type":${quoted(known.type)},"path":${quoted(known.path)}`;
    } else if (holder !== undefined && holder !== null) where = `,"obj":null,"type":"${typeof holder}","path":${stringify(hint || null)}`;
    // The value itself, if it is an object, and the objects within in which canaries stand.
    const values = found.holders.length ? `,"values":[${numbersOf(found.holders, request)}]` : '';
    write(kind, request, `,"c":${list(found.texts)}${values}${where},"key":${quoted(keyText(place, key) ?? null)},"kind":"${manner}","own_obj":${local}`, place.json);
  }

  function numbersOf(holders, request) {
    let text = '', count = 0;
    for (const one of holders) {
      text += (count ? ',' : '') + numberOf(one, request);
      if (++count === 5) break;
    }
    return text;
  }

  const mannerOf = place => place.flag === 4 ? 'augmented' : place.kind;

  function tellLoad(value, object, number, key, manner) {
    try {
      const place = placeOf(number);
      if (!place) return;
      const request = current();
      const found = canariesOf(value);
      if (request && scopeOf(object) && isOwn(request, found)) return;
      if (crowded(request, place, found)) return;
      tellBases(object, request, found, 3);
      access('load', request, place, object, key, found, manner || mannerOf(place));
    } catch (error) { notTold(error); }
  }

  // How the object of a load was reached: `account` of `account.name`.
  function tellBases(object, request, found, depth) {
    if (!isObject(object) || depth === 0) return;
    // How one's own was reached is of no interest.
    if (request && isOwn(request, found)) return;
    for (let count = 0, index = lastBase; count < BASES; count++, index = (index + BASES - 1) % BASES) {
      if (baseValues[index] !== object) continue;
      const place = placeOf(basePlaces[index]);
      const holder = baseHolders[index];
      baseValues[index] = null;
      if (!place) return;
      tellBases(holder, request, found, depth - 1);
      if (crowded(request, place, found)) return;
      access('load', request, place, holder, baseKeys[index], found, mannerOf(place));
      return;
    }
  }

  function tellStore(value, object, number, key, manner) {
    try {
      const place = placeOf(number);
      if (!place) return;
      access('store', current(), place, object, key, canariesOf(value), manner || mannerOf(place));
    } catch (error) { notTold(error); }
  }

  /** A promise was stored or loaded: told with its first time and number once somebody got a canary out of it. */
  function notePromise(kind, promise, object, number, key, manner) {
    try {
      const place = placeOf(number);
      if (!place) return;
      const request = current();
      if (promises.length >= 500) promises.shift();
      // Only identity is looked up later; the object stays as it is.
      promises.push({ kind, promise, object, place, key, manner, request, time: now(), sequence: ++sequence, unit: request ? request.unit : unit() });
    } catch (error) { notTold(error); }
  }

  /** Promises that led to another's canary are told before what came out of them. */
  function beforeForeign(request, found) {
    if (!request || !promises.length || isOwn(request, found)) return;
    request.late ??= new Set();
    const fresh = found.texts.filter(one => !request.own.has(one) && !request.late.has(one));
    for (const one of fresh) request.late.add(one);
    if (fresh.length) latePromises(fresh);
  }

  // What a promise was resolved with can be seen without a reaction to it only by `inspect`.
  function latePromises(foreign) {
    const { inspect } = require('util');
    const options = { depth: 3, customInspect: false, showProxy: true, getters: false, maxArrayLength: ITEMS, maxStringLength: 20_000, breakLength: Infinity };
    const texts = new Map();
    for (let index = 0; index < promises.length; index++) {
      const note = promises[index];
      try {
        let text = texts.get(note.promise);
        if (text === undefined) texts.set(note.promise, text = inspect(note.promise, options));
        if (!foreign.some(one => text.includes(one))) continue;
        const found = new Found();
        collectText(text, found);
        const [holder, hint] = container(note.place, note.object);
        const known = isObject(holder) ? identity(holder, note.request, hint, note.place) : null;
        put(`{"e":"${note.kind}","t":${note.time},"r":${note.request ? note.request.number : null},"u":"${note.unit}","n":${note.sequence},"late":true,"c":${list(found.texts)},"obj":${known ? known.number : null},"type":${stringify(known ? known.type : null)},"path":${stringify(known ? known.path : null)},"key":${stringify(keyText(note.place, note.key) ?? null)},"kind":"${note.manner || mannerOf(note.place)}","own_obj":false${note.place.json}`);
        promises.splice(index--, 1);
      } catch (error) { notTold(error); }
    }
  }

  function tellCall(value, held, object, number, key) {
    try {
      const place = placeOf(number);
      if (!place) { pending.length = 0; return; }
      const inside = current();
      // What is sent by a response is the response's, whoever calls.
      const request = scopeOf(object)?.request || inside;
      let inArguments = null;
      if (pending.length) {
        let kept = 0;
        for (const one of pending) {
          if (one.number === number && one.request === inside) {
            inArguments ??= new Found();
            if (one.promise) notePromise('store', one.promise, place.flag === 3 ? key : object, number, key, 'call');
            else for (const text of canariesOf(one.value).texts) inArguments.add(text);
          } else pending[kept++] = one;
        }
        while (pending.length > kept) pending.pop();
        if (kept > 32) pending.splice(0, kept - 32);
      }
      const isStorage = isObject(object) && object instanceof AsyncLocalStorage;
      const manner = isStorage ? 'contextvar' : 'call';
      let toldStore = false;
      if (inArguments && inArguments.size && place.flag === 1 && isObject(object)) {
        access('store', request, place, object, key, inArguments, manner);
        toldStore = true;
      } else if (inArguments && inArguments.size && place.flag === 3 && isObject(key) && look(key) === 1) {
        const known = identity(key, request, null, place);
        write('store', request, `,"c":${list(inArguments.texts)},"values":[${numbersOf(canariesOf(key).holders, request)}],"obj":${known.number},"type":${quoted(known.type)},"path":${quoted(known.path)},"key":null,"kind":"call","own_obj":${request !== null && known.born === request.number && known.path === null}`, place.json);
        toldStore = true;
      }
      if (held === 2 && place.flag === 2 && isObject(object)) notePromise('load', value, object, number, key, manner);
      const found = held === 1 && value !== object ? canariesOf(value) : NOTHING;   // `map.set` answers with the map
      if (found.size && place.flag === 2 && isObject(object)) {
        if (!crowded(request, place, found)) {
          tellBases(object, request, found, 3);
          access('load', request, place, object, key, found, manner);
        }
        return;
      }
      const foreign = !request || !isOwn(request, found);
      // One's own, put into a Map's question, into text or into one's own answer: nothing was kept.
      if (request && inArguments && !found.size && (place.flag === 2 || scopeOf(object) || object === JSON || object === console) && isOwn(request, inArguments)) return;
      if (toldStore && !(found.size && foreign && !(inArguments && found.texts.every(one => inArguments.texts.includes(one))))) return;
      if (!(found.size && (foreign || isObject(value) || place.kind === 'await')) && !(inArguments && inArguments.size)) return;
      if (crowded(request, place, foreign || !inArguments ? found : inArguments)) return;
      beforeForeign(request, found);
      const result = isObject(value) ? met(value, request) : null;
      const receiver = isObject(object) ? identity(object, request, place.hint, place) : null;
      write('call', request, `,"callee":${place.calleeText},"callee_obj":${receiver ? receiver.number : null},"obj":${result ? result.number : null},"type":${quoted(result ? typeOf(result, value) : typeof value)},"path":${quoted(receiver ? receiver.path : null)},"key":null,"kind":"call","c":${list(found.texts)},"args_c":${list((inArguments || NOTHING).texts)}`, place.json);
    } catch (error) { notTold(error); }
  }

  const hooks = {
    __proto__: null,
    // A property was loaded.
    l(value, object, number, key) {
      if (live) {
        const held = look(value);
        if (held === 1) tellLoad(value, object, number, key);
        else if (held === 2) notePromise('load', value, object, number, key);
      }
      return value;
    },
    // The object of a further member was loaded.
    b(value, object, number, key) {
      if (live && typeof value === 'object' && value !== null) noteBase(value, object, number, key);
      else if (live && typeof value === 'string' && textHolds(value)) tellLoad(value, object, number, key);
      return value;
    },
    // A variable was loaded.
    v(value, number, scope) {
      if (live) {
        const held = look(value);
        if (held === 1) tellLoad(value, scope, number);
        else if (held === 2) notePromise('load', value, scope, number);
      }
      return value;
    },
    w(value, number, scope) {
      if (live && typeof value === 'object' && value !== null) noteBase(value, scope, number, undefined);
      else if (live && typeof value === 'string' && textHolds(value)) tellLoad(value, scope, number);
      return value;
    },
    // A property was stored.
    t(value, object, number, key) {
      if (live) {
        const held = look(value);
        if (held === 1) tellStore(value, object, number, key);
        else if (held === 2) notePromise('store', value, object, number, key);
      }
      return value;
    },
    // A variable was stored.
    u(value, number, scope) {
      if (live) {
        const held = look(value);
        if (held === 1) tellStore(value, scope, number);
        else if (held === 2) notePromise('store', value, scope, number);
      }
      return value;
    },
    // `??=` and its like: the right side was evaluated; then the result.
    q(value, number) { assigned = number; return value; },
    y(value, object, number, key) {
      const stored = assigned === number;
      assigned = 0;
      return stored ? hooks.t(value, object, number, key) : hooks.l(value, object, number, key);
    },
    z(value, number, scope) {
      const stored = assigned === number;
      assigned = 0;
      return stored ? hooks.u(value, number, scope) : hooks.v(value, number, scope);
    },
    // A pattern was assigned; hooks of its targets follow as further arguments.
    d(value) { return value; },
    j(object, number) {
      if (!live) return;
      try {
        const place = placeOf(number);
        if (!isObject(object) || isProxy(object)) return;
        const value = own(object, place.key);
        if (look(value) === 1) tellStore(value, object, number);
      } catch (error) { notTold(error); }
    },
    // An argument.
    a(value, number) {
      if (live) {
        const held = look(value);
        if (held === 1) pending.push({ number, request: current(), value });
        else if (held === 2) pending.push({ number, request: current(), promise: value });
      }
      return value;
    },
    // The result of a call.
    r(value, object, number, key) {
      if (live) {
        const held = look(value);
        if (held === 3) { if (isObject(object) && look(object) === 1) tellLoad(object, object, number, undefined, 'call'); }
        else if (held !== 0 || pending.length !== 0) tellCall(value, held, object, number, key);
      }
      return value;
    },
    // An object is taken apart by a pattern, whose places follow one another.
    o(value, number, count) {
      if (live && isObject(value)) {
        try {
          if (isProxy(value)) return value;
          for (let index = 0; index < count; index++) {
            const place = placeOf(number + index);
            const part = own(value, place.key);
            const held = look(part);
            if (held === 1) tellLoad(part, value, number + index);
            else if (held === 2) notePromise('load', part, value, number + index);
          }
        } catch (error) { notTold(error); }
      }
      return value;
    },
    // What was awaited.
    e(value, number, object) {
      if (live && look(value) === 1) tellCall(value, 1, object, number, undefined);
      return value;
    },
    // One run of a function: stands for its captured variables.
    k() {
      if (!live) return { request: 0 };
      const request = current();
      return { request: request ? request.number : 0 };
    },
    // A module begins: the table of its places, and getters of its names.
    m(text, makeGetters, exported) {
      try {
        const [, name, base, count] = /^\{"file":("(?:[^"\\]|\\.)*"),.*?"base":(\d+),"count":(\d+)/.exec(text);
        const scope = moduleScope(JSON.parse(name));
        scope.makeGetters = makeGetters;
        scope.getters = null;
        scope.exported = exported || null;
        if (!begun.has(base)) tables.push({ base: Number(base), end: Number(base) + Number(count), table: text });
        begun.add(base);
        if (scope.told) return;
        scope.told = true;
        const ms = /"ms":([\d.]+)/.exec(text.length > 2000 ? text.slice(0, 2000) : text);
        write('module', null, `,"file":${name},"ms":${ms ? ms[1] : 0}`);
      } catch (error) { notTold(error); }
    },
    // A module whose function was compiled before.
    c(exports, ...variables) {
      const run = ready;
      ready = null;
      return apply(run, exports, variables);
    },
    // A module names http2: an `import` of it does not pass `require`.
    h() { try { withHttp2(require('http2')); } catch { /* not built in */ } },
    // A module that runs as it was.
    f(name, ms, error) { try { write('module', null, `,"file":${stringify(name)},"ms":${ms},"error":${stringify(error)}`); } catch (error) { notTold(error); } },
  };

  // ---- Loading ---------------------------------------------------------------------------------------------------

  /** The module as it was rewritten, or null. */
  function ownModule(source, filename, isModule) {
    const started = performance.now();
    try {
      return rewritten(source, filename, isModule, app, 1);
    } catch (error) {
      hooks.f(error.file, Math.round(performance.now() - started), error.message);
      return null;
    }
  }

  // What Node compiles instead of a module that was compiled before. Nothing runs between `ready` being set and being taken.
  const STUB = 'return __rp$.c(this,exports,require,module,__filename,__dirname)';
  let ready = null;

  // Without the warning that this is an experiment: the application did not ask for it.
  function withoutTypes(source) {
    const { emitWarning } = process;
    process.emitWarning = () => {};
    try { return Module.stripTypeScriptTypes(source, { mode: 'strip' }); } finally { process.emitWarning = emitWarning; }
  }

  function installLoaders() {
    const compile = Module.prototype._compile;
    Module.prototype._compile = function (content, filename, format) {
      let source = content;
      try {
        if (typeof content === 'string') {
          if (forModules && content.includes('import(')) readyForModules();
          if (installServers && (content.includes('import') || content.includes('getBuiltinModule'))) withServers();
          const own = format === 'module' ? null : ownModule(content, filename, false);
          if (own) source = (ready = compiled(own, content, filename)) ? STUB : own.code;
        }
      } catch (error) { notTold(error); source = content; }
      const rest = Array.prototype.slice.call(arguments, 1);
      return apply(compile, this, [source, ...rest]);
    };
    if (typeof Module.registerHooks === 'function') {
      const { fileURLToPath } = require('url');
      Module.registerHooks({
        load(url, context, next) {
          withServers();
          const result = next(url, context);
          try {
            if (!url.startsWith('file:') || result.source == null) return result;
            let source = typeof result.source === 'string' ? result.source : Buffer.from(result.source).toString('utf8');
            if (result.format === 'module-typescript' && typeof Module.stripTypeScriptTypes === 'function') source = withoutTypes(source);
            else if (result.format !== 'module') return result;
            const own = ownModule(source, fileURLToPath(url.split(/[?#]/)[0]), true);
            return { ...result, format: 'module', source: own ? own.code : source };
          } catch (error) { notTold(error); return result; }
        },
      });
    } else if (typeof Module.register === 'function') {
      const { pathToFileURL } = require('url');
      forModules = () => Module.register('./loader.mjs', { parentURL: pathToFileURL(__filename).href, data: { app } });
      if (!startsAsCommonJs) readyForModules();
    } else hooks.f('*', 0, `no hooks for ES modules in Node ${process.versions.node}`);
  }

  // The hooks of `register` run in a thread, which takes as long to start as a small application does. They are waited with where the
  // program is the application's own CommonJS, until a module may import one of the other kind.
  const startsAsCommonJs = isCommonJs(process.argv[1]);
  let forModules = null;
  function readyForModules() {
    withServers();
    const register = forModules;
    forModules = null;
    try { if (register) register(); } catch { /* CommonJS is still watched */ }
  }
  function isCommonJs(program) {
    try {
      if (!program || process.execArgv.length || /--(import|(experimental-)?loader|input-type|experimental-default-type)\b/.test(process.env.NODE_OPTIONS)) return false;
      const real = fs.realpathSync(require.resolve(path.resolve(program)));
      if (!real.startsWith(app + path.sep) || real.includes(`${path.sep}node_modules${path.sep}`)) return false;
      if (real.endsWith('.cjs')) return true;
      if (!real.endsWith('.js') || /^\s*(import|export)\b/m.test(fs.readFileSync(real, 'utf8'))) return false;
      for (let folder = path.dirname(real); ; folder = path.dirname(folder)) {
        let text = null;
        try { text = fs.readFileSync(path.join(folder, 'package.json'), 'utf8'); } catch { /* further up */ }
        if (text !== null) return JSON.parse(text).type !== 'module';
        if (folder === path.dirname(folder)) return true;
      }
    } catch { return false; }
  }

  // The modules of servers take some milliseconds to load. They are waited with where the program is CommonJS, until somebody asks for one of
  // them, or may do so by other means than `require`.
  const SERVERS = /^(node:)?(http|https|http2|net|tls)$/;
  let installServers = () => { for (const install of [installNet, installHttp]) { try { install(); } catch (error) { notTold(error); } } };
  function withServers() {
    const install = installServers;
    installServers = null;
    if (install) install();
  }

  const builtinGlobals = new Set([...Object.getOwnPropertyNames(globalThis), '__rp$']);
  Object.defineProperty(globalThis, '__rp$', { value: hooks });
  if (!worker) write('hello', null, `,"pid":${process.pid},"language":"node","version":${stringify(process.versions.node)},"probe":1,"app":${stringify(app)},"argv":${stringify(process.argv.slice(0, 5))}`);
  flush();
  if (!startsAsCommonJs || process.connected) withServers();
  try { installLoaders(); } catch (error) { notTold(error); }
  const load = Module._load;
  Module._load = function (request) {
    if (forModules && typeof request === 'string' && request.endsWith('.mjs')) readyForModules();
    if (installServers && typeof request === 'string' && SERVERS.test(request)) withServers();
    const loaded = apply(load, this, arguments);
    if (request === 'http2' || request === 'node:http2') withHttp2(loaded);
    return loaded;
  };
}
