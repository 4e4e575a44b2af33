// What the probe says of small applications, each in a process of its own. Those that need a framework are left out here
// (measure.mjs has them).
import assert from 'node:assert';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import test, { describe } from 'node:test';
import { spawn, spawnSync } from 'node:child_process';
import { isBuiltin } from 'node:module';
import { cases, errorsOf, isRight, measure } from './measure.mjs';
import { pair, readEvents } from './pairs.mjs';

const probe = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../../probes/node/probe.cjs');
const needsPackages = one => {
  const text = fs.readFileSync(path.join(one.folder, one.start), 'utf8');
  const names = [...text.matchAll(/(?:from |require\()['"]([^.'"][^'"]*)['"]/g)].map(match => match[1]);
  return names.some(name => !isBuiltin(name));
};

describe('located', { concurrency: 3 }, () => {
  for (const one of cases) {
    test(one.name, { skip: needsPackages(one) && 'needs a framework' }, async () => {
      let result;
      // A busy machine may keep two requests from overlapping.
      for (let count = 0; count < 4 && !result?.shown; count++) result = await measure(one);
      assert.ok(result.shown, 'the leak shows under the probe');
      assert.ok(isRight(result), JSON.stringify(result));
    });
  }
});

/** Runs a program under the probe; `drive(port)` sends requests. All events. */
async function run(files, drive, environment = {}) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'probe-events-')));
  const events = path.join(folder, '.events');
  fs.mkdirSync(events);
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  const child = spawn(process.execPath, [path.join(folder, Object.keys(files)[0])], {
    cwd: folder, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, RUNNER_PROBE_DEBUG: '1', NODE_OPTIONS: `--require ${probe}`, RUNNER_PROBE_DIR: events, RUNNER_PROBE_CANARY: 'zq[0-9a-z]{19,195}', ...environment },
  });
  const errors = errorsOf(child, true);
  try {
    const port = await new Promise((done, fail) => {
      let said = '';
      child.stdout.on('data', part => { said += part; const match = /port (\d+)/.exec(said); if (match) done(Number(match[1])); });
      child.on('exit', () => fail(new Error('it ended: ' + said)));
    });
    const answer = await drive(port);
    await new Promise(done => setTimeout(done, 50));
    assert.deepEqual(errors, []);
    return { answer, events: readEvents(events), files: fs.readdirSync(events) };
  } finally {
    child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const A = 'zqaaaaaaaaaaaaaaaaaaaaaaa', B = 'zqbbbbbbbbbbbbbbbbbbbbbbbbbbbb';
const get = (port, target, headers = {}, body = null) => new Promise((done, fail) => {
  const request = http.request({ port, host: '127.0.0.1', path: target, headers, method: body ? 'POST' : 'GET', agent: false }, response => {
    let text = '';
    response.setEncoding('utf8').on('data', part => { text += part; }).on('end', () => done(text));
  });
  request.on('error', fail);
  for (const part of [].concat(body ?? [])) request.write(part);
  request.end();
});
const LISTEN = `.listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); });`;
const kinds = (events, kind) => events.filter(event => event.e === kind);

test('a clean application: nobody loads another\'s canary', async () => {
  const { events } = await run({
    'app.cjs': `const http = require('http'); const seen = new Map();
      http.createServer(async (req, res) => { const user = req.headers['x-user']; seen.set(user, { user }); await new Promise(done => setTimeout(done, 20)); res.end(seen.get(user).user); })${LISTEN}`,
  }, port => Promise.all([get(port, '/', { 'x-user': A }), get(port, '/', { 'x-user': B })]));
  const requests = kinds(events, 'request');
  assert.strictEqual(requests.length, 2);
  for (const event of events.filter(event => event.r && event.c?.length)) {
    const { own } = requests.find(request => request.r === event.r);
    assert.deepStrictEqual(event.c.filter(one => !own.includes(one)), []);
  }
  assert.deepStrictEqual(kinds(events, 'holders'), []);
});

test('keys of the protocol', async () => {
  const { events, files } = await run({
    'app.cjs': `const http = require('http'); const shared = {};
      http.createServer((req, res) => { if (req.url === '/a') shared.user = req.headers['x-user']; res.end(String(shared.user)); })${LISTEN}`,
  }, async port => { await get(port, '/a', { 'x-user': A }); return get(port, '/b', { 'x-user': B }); });
  assert.match(files[0], /^events-\d+\.jsonl$/);
  const hello = events[0];
  assert.deepStrictEqual([hello.e, hello.language, hello.probe, typeof hello.pid, hello.argv.length], ['hello', 'node', 1, 'number', 2]);
  assert.deepStrictEqual(events.map(event => event.n), events.map((_, index) => index + 1));
  const store = kinds(events, 'store')[0];
  assert.deepStrictEqual([store.c, store.path, store.key, store.kind, store.own_obj, store.file, store.line, store.function, store.type],
    [[A], 'app.shared', 'user', 'attribute', false, 'app.cjs', 2, '<anonymous>', 'Object']);
  assert.match(store.text, /^http\.createServer/);
  const load = kinds(events, 'load').find(event => event.r === 2 && event.key === 'user');
  assert.deepStrictEqual([load.obj, load.c, load.path], [store.obj, [A], 'app.shared']);
  assert.ok(load.t >= store.t && load.u !== store.u && /^async \d+$/.test(load.u));
  const answers = kinds(events, 'response');
  assert.deepStrictEqual(answers.map(event => [event.r, event.c, event.status]), [[1, [A], 200], [2, [A], 200]]);
  assert.deepStrictEqual(kinds(events, 'holders')[0].paths.map(one => one.path), ['app.shared']);
});

test('canaries of a body belong to their request, also in pieces and encoded', async () => {
  const { events } = await run({
    'app.cjs': `const http = require('http');
      http.createServer((req, res) => { let text = ''; req.on('data', part => { text += part; }); req.on('end', () => { const form = { text: decodeURIComponent(text) }; res.end(form.text); }); })${LISTEN}`,
  }, port => get(port, '/', { authorization: 'Basic ' + Buffer.from('user:' + B).toString('base64') }, ['note=' + A.slice(0, 9), A.slice(9)]));
  assert.deepStrictEqual(kinds(events, 'request')[0].own, [B]);
  assert.deepStrictEqual(kinds(events, 'own')[0].own.sort(), [A, B]);
  const load = kinds(events, 'load').find(event => event.key === 'text');
  assert.strictEqual(load.r, 1, 'a listener of the body runs in its request');
});

test('a compressed answer is seen', async () => {
  const { events } = await run({
    'app.mjs': `import http from 'node:http'; import { gzipSync } from 'node:zlib';
      http.createServer((req, res) => { res.writeHead(200, { 'content-encoding': 'gzip' }); res.end(gzipSync('hello ' + req.headers['x-user'])); })${LISTEN}`,
  }, port => get(port, '/', { 'x-user': A }));
  assert.deepStrictEqual(kinds(events, 'response')[0].c, [A]);
});

test('a server on plain sockets has implicit requests', async () => {
  const { events } = await run({
    'app.cjs': `const net = require('net'); let last = '';
      net.createServer(socket => { socket.on('data', data => { const line = data.toString(); if (line.startsWith('set')) last = line.slice(4); socket.write('last ' + last); }); })${LISTEN}`,
  }, async port => {
    const say = text => new Promise(done => { const socket = net.connect(port, '127.0.0.1', () => socket.write(text)); socket.once('data', data => { socket.destroy(); done(String(data)); }); });
    await say('set ' + A);
    return say('get ' + B);
  });
  assert.deepStrictEqual(kinds(events, 'request').map(event => [event.server, event.own]), [['implicit', [A]], ['implicit', [B]]]);
  const found = pair(events, B, A);
  assert.deepStrictEqual([found.confidence, found.object, found.write.line, found.read.line], ['located', 'app.last', 2, 2]);
});

test('http2', async () => {
  const { events } = await run({
    'app.mjs': `import http2 from 'node:http2'; const shared = {};
      http2.createServer((req, res) => { shared.user ??= req.headers['x-user']; res.end(shared.user); })${LISTEN}`,
  }, async port => {
    const http2 = await import('node:http2');
    for (const canary of [A, B]) {
      const client = http2.connect(`http://127.0.0.1:${port}`);
      await new Promise(done => { const stream = client.request({ ':path': '/', 'x-user': canary }); stream.on('data', () => {}).on('end', done); stream.end(); });
      client.close();
    }
  });
  const found = pair(events, B, A);
  assert.deepStrictEqual([found.confidence, found.object], ['located', 'app.shared.user']);
  assert.deepStrictEqual(kinds(events, 'response').map(event => event.c), [[A], [A]]);
});

test('a server in a worker thread', async () => {
  const { events } = await run({
    'app.cjs': `const { Worker } = require('worker_threads'); new Worker(__dirname + '/serve.cjs');`,
    'serve.cjs': `const http = require('http'); let last; http.createServer((req, res) => { last ??= req.headers['x-user']; res.end(last); })${LISTEN}`,
  }, async port => { await get(port, '/', { 'x-user': A }); return get(port, '/', { 'x-user': B }); });
  assert.strictEqual(kinds(events, 'hello').length, 1);
  assert.strictEqual(pair(events, B, A).object, 'serve.last');
});

test('a module that cannot be rewritten runs as it is', async () => {
  const { events } = await run({
    'app.cjs': `var __rp$1 = 'mine'; const http = require('http'); http.createServer((req, res) => { res.end(__rp$1); })${LISTEN}`,
  }, port => get(port, '/', { 'x-user': A }));
  assert.match(kinds(events, 'module')[0].error, /__rp\$/);
  assert.strictEqual(kinds(events, 'request').length, 1);
});

test('a mark of two characters is a text as a whole', async () => {
  const marks = path.join(os.tmpdir(), `probe-marks-short-${process.pid}`);
  fs.writeFileSync(marks, 'de\n');
  const { events } = await run({
    'app.cjs': `const kept = {};
      require('http').createServer((request, response) => {
        kept.order = 'der indexed order';
        kept.language = request.headers['accept-language'] ?? 'de';
        response.end();
      }).listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); });`,
  }, async port => {
    await get(port, '/', { 'accept-language': 'de' });
    await get(port, '/?lang=de&x=1');
    await get(port, '/', { cookie: 'a=b; lang=de' });
    return get(port, '/?q=order');
  }, { RUNNER_PROBE_MARKS: marks });
  fs.rmSync(marks);
  assert.deepEqual(events.filter(event => event.e === 'request').map(event => event.own), [['de'], ['de'], ['de'], []]);
  assert.deepEqual(events.filter(event => event.e === 'store').map(event => event.c), [['de'], ['de'], ['de'], ['de']]);
});

test('what was rewritten is loaded from the cache, with its places', async () => {
  const cache = fs.mkdtempSync(path.join(os.tmpdir(), 'probe-cache-'));
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'probe-cached-')));
  const source = `const kept = {};
    exports.visit = name => { kept.name = name; return kept.name; };`;
  try {
    const seen = [];
    fs.writeFileSync(path.join(folder, 'kept.cjs'), source);
    const program = { 'app.cjs': `const { visit } = require(process.env.KEPT);
      require('http').createServer((request, response) => response.end(visit(request.url.slice(1)))).listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); });` };
    for (let count = 0; count < 3; count++) {
      // A file that has changed is rewritten again.
      if (count === 2) fs.writeFileSync(path.join(folder, 'kept.cjs'), '\n' + source);
      const more = { RUNNER_PROBE_CACHE: cache, RUNNER_PROBE_APP: os.tmpdir(), KEPT: path.join(folder, 'kept.cjs') };
      const { events } = await run(program, port => get(port, '/' + A), more);
      const store = events.find(event => event.e === 'store');
      seen.push([store.line, store.key, store.text]);
    }
    const text = 'exports.visit = name => { kept.name = name; return kept.name; };';
    assert.deepEqual(seen, [[2, 'name', text], [2, 'name', text], [3, 'name', text]]);
    assert.ok(fs.readdirSync(cache).every(name => /\.(js|json)$/.test(name)));
  } finally {
    fs.rmSync(cache, { recursive: true, force: true });
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a module that was compiled before runs as any other', () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'probe-compiled-')));
  fs.mkdirSync(path.join(folder, '.cache'));
  fs.mkdirSync(path.join(folder, '.events'));
  const files = {
    'app.cjs': `#!/usr/bin/env node
      'use strict';
      const say = (...words) => console.log(...words);
      say(this === module.exports, arguments.length, require.main === module, module.children.length, __filename === module.filename, __dirname);
      say((function () { return this; })(), typeof require.resolve, require.cache[__filename] === module);
      const other = require('./other.cjs');
      say(other.name, module.children.length, other === require('./other.cjs'), require('./early.cjs'));
      try { require('./broken.cjs'); } catch (error) { say(error.message, /broken.cjs:3/.test(error.stack)); }
      try { require('./wrong.cjs'); } catch (error) { say(error.name, error.message); }
      require('./imports.cjs').done.then(() => import('./module.mjs')).then(found => say(found.name));`,
    'other.cjs': 'exports.name = require("./imports.cjs").name + (function () { return this === globalThis; })();',
    'imports.cjs': 'exports.name = "imports"; exports.done = import("./module.mjs").then(({ name }) => console.log("imported", name));',
    'early.cjs': 'module.exports = "early"; if (module.parent) return; module.exports = "late";',
    'broken.cjs': 'let known = {};\n\nthrow new Error("at line 3");',
    'wrong.cjs': 'const require = 1;',
    'module.mjs': 'export const name = "module";',
  };
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  const probed = { NODE_OPTIONS: `--require ${probe}`, RUNNER_PROBE_DIR: path.join(folder, '.events'), RUNNER_PROBE_CACHE: path.join(folder, '.cache'), RUNNER_PROBE_CANARY: 'zq' };
  const said = more => {
    const { stdout, stderr } = spawnSync(process.execPath, ['app.cjs'], { cwd: folder, encoding: 'utf8', env: { ...process.env, ...more } });
    return stdout + stderr.replace(/node:\d+/g, 'node');
  };
  try {
    const plain = said({});
    assert.match(plain, /true 5 true/);
    for (const time of ['first', 'second', 'third']) assert.equal(said(probed), plain, time);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

const ANSWERS = "(request, response) => response.end('x')).listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); })";
for (const [means, source] of Object.entries({
  require: `require('node:http').createServer(${ANSWERS};`,
  'import()': `import('http').then(http => http.createServer(${ANSWERS});`,
  getBuiltinModule: `process.getBuiltinModule('http').createServer(${ANSWERS};`,
  'a package': `require('./other.cjs')(${ANSWERS};`,
})) {
  test(`a server is seen that is reached by ${means}`, { skip: means === 'getBuiltinModule' && !process.getBuiltinModule && 'not in this Node' }, async () => {
    const { events } = await run({ 'app.cjs': source, 'other.cjs': 'module.exports = require("http").createServer;' }, port => get(port, '/' + A));
    assert.deepEqual(events.filter(event => event.e === 'request').map(event => event.own), [[A]]);
  });
}

test('an ES module that CommonJS imports is watched', async () => {
  const { events } = await run({
    'app.cjs': `import('./kept.mjs').then(({ visit }) => require('http').createServer((request, response) => response.end(visit(request.url.slice(1))))
      .listen(0, '127.0.0.1', function () { console.log('port ' + this.address().port); }));`,
    'kept.mjs': 'const kept = {};\nexport const visit = name => { kept.name = name; return kept.name; };',
  }, port => get(port, '/' + A));
  assert.equal(events.find(event => event.e === 'store').file, 'kept.mjs');
});

test('marks count like canaries', async () => {
  const marks = path.join(os.tmpdir(), `probe-marks-${process.pid}`);
  fs.writeFileSync(marks, 'Guten Morgen\n');
  const { events } = await run({
    'app.cjs': `const http = require('http'); let hello = 'Hello'; http.createServer((req, res) => { if (req.url === '/de') hello = 'Guten ' + 'Morgen'; res.end(hello + '!'); })${LISTEN}`,
  }, async port => { await get(port, '/de'); return get(port, '/'); }, { RUNNER_PROBE_MARKS: marks });
  fs.rmSync(marks);
  assert.deepStrictEqual(kinds(events, 'store').map(event => [event.r, event.key, event.c]), [[1, 'hello', ['Guten Morgen']]]);
  assert.deepStrictEqual(kinds(events, 'load').map(event => [event.r, event.key]), [[1, 'hello'], [2, 'hello']]);
});

test('a server in a worker thread that is an ES module', async () => {
  const { events } = await run({
    'app.mjs': `import { Worker } from 'node:worker_threads'; new Worker(new URL('./serve.mjs', import.meta.url));`,
    'serve.mjs': `import http from 'node:http'; let last; http.createServer((req, res) => { last ??= req.headers['x-user']; res.end(last); })${LISTEN}`,
  }, async port => { await get(port, '/', { 'x-user': A }); return get(port, '/', { 'x-user': B }); });
  assert.strictEqual(kinds(events, 'request').length, 2);
  assert.strictEqual(pair(events, B, A).object, 'serve.last');
});

test('a cluster: each process has its file', async () => {
  const { events, files } = await run({
    'app.cjs': `const cluster = require('cluster');
      if (cluster.isPrimary) { cluster.fork(); } else { const http = require('http'); let last; http.createServer((req, res) => { last ??= req.headers['x-user']; res.end(last); })${LISTEN} }`,
  }, async port => { await get(port, '/', { 'x-user': A }); const answer = await get(port, '/', { 'x-user': B }); return answer; });
  assert.strictEqual(files.length, 2);
  assert.strictEqual(kinds(events, 'hello').length, 2);
  assert.strictEqual(pair(events, B, A).object, 'app.last');
});

test('nothing that an application does may raise because of the probe', async () => {
  const { answer } = await run({
    'app.cjs': `const http = require('http'); process.on('unhandledRejection', () => { rejected++; }); let rejected = 0;
      const evil = new Proxy({}, { get() { throw new Error('touched'); }, getPrototypeOf() { throw new Error('touched'); }, ownKeys() { throw new Error('touched'); }, getOwnPropertyDescriptor() { throw new Error('touched'); } });
      const state = { evil, list: [evil], map: new Map([['k', evil]]), get boom() { throw new Error('touched'); }, rejected: Promise.reject(new Error('x')) };
      state.rejected.catch(() => {});
      http.createServer(async (req, res) => {
        state.user = req.headers['x-user'];
        const copy = state; const { list, map } = state; const inner = map.get('k'); list.push(inner); const all = list.slice(0, 1);
        state.cycle = state; const nothing = Object.create(null); nothing.user = state.user; state.nothing = nothing;
        class Secret { #x = state.user; get x() { return this.#x; } }
        const secret = new Secret(); state.secret = secret;
        await new Promise(done => setTimeout(done, 5));
        res.end([typeof inner, all.length, Object.keys(copy).length, secret.x === state.user, rejected].join());
      })${LISTEN}`,
  }, port => get(port, '/', { 'x-user': A }));
  assert.strictEqual(answer, 'object,1,9,true,0');
});

test('the number of events is bounded', async () => {
  const { events } = await run({
    'app.cjs': `const http = require('http'); const shared = {};
      http.createServer((req, res) => { for (let i = 0; i < 210000; i++) shared.user = req.headers['x-user'] + (i % 7); res.end('done'); })${LISTEN}`,
  }, async port => { const answer = await get(port, '/', { 'x-user': A + ' ' }); await new Promise(done => setTimeout(done, 300)); return answer; });
  assert.ok(events.length <= 200_002);
  assert.ok(kinds(events, 'dropped').reduce((sum, event) => sum + event.count, 0) >= 10_000);
});
