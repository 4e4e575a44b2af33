// Starts the dirty Node servers of tests/corpus and the applications of tests/node/apps under the probe, sends the few
// requests that show the leak, and compares what the simple rule of pairs.mjs says with what is true.
//
//   node tests/node/measure.mjs NODE_MODULES [name ...]     NODE_MODULES holds express, koa, fastify, axios …
//   node tests/node/measure.mjs NODE_MODULES --node PATH    with another Node
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { spawn } from 'node:child_process';
import { pair, readEvents } from './pairs.mjs';

const here = path.dirname(new URL(import.meta.url).pathname);
const root = path.resolve(here, '../..');
const isMain = process.argv[1] && fs.realpathSync(process.argv[1]) === new URL(import.meta.url).pathname;
const words = isMain ? process.argv.slice(2) : [];
let node = process.execPath;
const option = words.indexOf('--node');
if (option >= 0) [, node] = words.splice(option, 2);
const verbose = words.includes('--verbose') && words.splice(words.indexOf('--verbose'), 1);
const [modules, ...only] = words;

// What is wrong in the servers of the corpus, as in the first line of our own applications.
const CORPUS = {
  'servers/ring.mjs': 'write=ring.mjs:14 read=ring.mjs:16 object=arena path=/arena together=40',
  'servers/connection.mjs': 'write=connection.mjs:16 read=connection.mjs:10 object=store path=/enter/',
  'servers/residue.mjs': 'write=residue.mjs:11|residue.mjs:15 read=residue.mjs:10|residue.mjs:14 object=pool path=/whole/',
  'servers/single_flight.mjs': 'write=single_flight.mjs:13 read=single_flight.mjs:14 object=flying path=/shared/',
  'servers/stale.mjs': 'write=stale.mjs:9 read=stale.mjs:11 object=account',
  'servers/sticky.mjs': 'write=sticky.mjs:6 read=sticky.mjs:6 object=client',
  'real/servers/express.mjs /profile/': 'write=express.mjs:38 read=express.mjs:39|express.mjs:40 object=axios path=/profile/',
  'real/servers/express.mjs /session/': 'write=express.mjs:66 read=express.mjs:63 object=context path=/session/',
  'real/servers/express.mjs /friends/': 'write=express.mjs:79 read=express.mjs:79 object=load path=/friends/',
  'real/servers/express.mjs /welcome/': 'write=- read=express.mjs:53 object=i18next path=/welcome/ language=1',
};

const fields = line => Object.fromEntries(line.trim().split(/\s+/).map(word => word.split(/=(.*)/s)));
const random = length => Array.from({ length }, () => '0123456789abcdefghijklmnopqrstuvwxyz'[Math.floor(Math.random() * 36)]).join('');
const sleep = milliseconds => new Promise(done => setTimeout(done, milliseconds));

export const cases = [];
for (const [name, line] of Object.entries(CORPUS)) {
  const file = path.join(root, 'tests/corpus', name.split(' ')[0]);
  cases.push({ name, folder: path.dirname(file), start: path.basename(file), ...fields(line) });
}
(function collect(folder) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) { collect(file); continue; }
    const first = fs.readFileSync(file, 'utf8').split('\n')[0];
    if (!first.startsWith('// locate:')) continue;
    cases.push({ name: path.relative(path.join(here, 'apps'), file), folder: path.join(here, 'apps'), start: entry.name, ...fields(first.slice(10)) });
  }
})(path.join(here, 'apps'));

const freePort = () => new Promise(done => {
  const server = net.createServer().listen(0, '127.0.0.1', () => { const { port } = server.address(); server.close(() => done(port)); });
});

async function untilListening(port, child) {
  for (let count = 0; count < 150 && child.exitCode === null; count++) {
    const open = await new Promise(done => {
      const socket = net.connect(port, '127.0.0.1', () => { socket.destroy(); done(true); }).on('error', () => done(false));
    });
    if (open) return;
    await sleep(40);
  }
  throw new Error('the server does not listen');
}

function ask(port, one, canary, agent, language) {
  const target = (one.path ?? '/me') + (one.query && canary ? `?${one.query}=${canary}` : '');
  const headers = canary ? { 'x-user': canary, authorization: `Bearer ${canary}`, cookie: `session=${canary}` } : {};
  if (language) headers['accept-language'] = language;
  const body = one.method === 'POST' ? `text=${canary ?? 'nothing'}` : null;
  if (body) { headers['content-type'] = 'application/x-www-form-urlencoded'; headers['content-length'] = body.length; for (const name of ['x-user', 'authorization', 'cookie']) delete headers[name]; }
  return new Promise((done, fail) => {
    const request = http.request({ port, host: '127.0.0.1', path: target, method: one.method ?? 'GET', headers, agent }, response => {
      let text = JSON.stringify(response.headers);
      response.setEncoding('utf8').on('data', part => { text += part; }).on('end', () => done({ canary, text }));
    });
    request.setTimeout(5000, () => request.destroy(new Error('no answer')));
    request.on('error', fail);
    request.end(body ?? undefined);
  });
}

/** The requests of one case: overlapping, then one behind the other on one connection, the last without an identity. */
async function show(one, port) {
  const canaries = Array.from({ length: Number(one.together ?? 2) }, (_, index) => 'zq' + random(24 + index));
  const kept = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const alone = new http.Agent({ keepAlive: false });
  if (one.language) {
    const answers = [ask(port, one, canaries[0], alone, 'de'), sleep(8).then(() => ask(port, one, canaries[1], alone, 'fr'))];
    return { answers: await Promise.all(answers), canaries };
  }
  const answers = [];
  const overlapping = canaries.map((canary, index) => sleep(index * (one.together ? 1 : 12)).then(() => ask(port, one, canary, alone)));
  answers.push(...await Promise.all(overlapping));
  const longer = 'zq' + random(40);
  canaries.push(longer);
  answers.push(await ask(port, one, longer, kept));
  answers.push(await ask(port, one, null, kept));
  kept.destroy();
  return { answers, canaries };
}

/** What the probe says of errors of its own, with RUNNER_PROBE_DEBUG; what else the child says is passed on if `shown`. */
export function errorsOf(child, shown) {
  const errors = [];
  child.stderr.on('data', part => {
    if (shown) process.stderr.write(part);
    errors.push(...String(part).match(/^probe: .*(\n +at .*)?/gm) ?? []);
  });
  return errors;
}

/** Runs one case: { shown, confidence, write, read, object, errors }. */
export async function measure(one) {
  const scratch = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'probe-measure-')));
  const events = path.join(scratch, 'events');
  const app = path.join(scratch, 'app');
  fs.mkdirSync(events, { mode: 0o700 });
  fs.cpSync(one.folder, app, { recursive: true });
  if (modules) fs.symlinkSync(path.resolve(modules), path.join(scratch, 'node_modules'));
  const port = await freePort();
  const marks = path.join(scratch, 'marks');
  if (one.language) fs.writeFileSync(marks, 'Guten Morgen\nBonjour\n');
  const child = spawn(node, [path.join(app, one.start), String(port)], {
    cwd: app, stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, RUNNER_PROBE_DEBUG: '1', NODE_OPTIONS: `--require ${path.join(root, 'probes/node/probe.cjs')}`, RUNNER_PROBE_DIR: events, RUNNER_PROBE_CANARY: 'zq[0-9a-z]{19,195}', RUNNER_PROBE_APP: app, ...(one.language ? { RUNNER_PROBE_MARKS: marks } : {}) },
  });
  const errors = errorsOf(child, verbose);
  try {
    await untilListening(port, child);
    const { answers, canaries } = await show(one, port);
    await sleep(60);
    const all = readEvents(events);
    if (one.language) {
      const leaks = answers[0].text.includes('Bonjour');
      if (!leaks) return { one, shown: false, errors };
      return { one, shown: true, errors, ...pair(all, answers[0].canary, 'Bonjour', { source: answers[1].canary }) };
    }
    for (const answer of answers) {
      const foreign = canaries.find(canary => canary !== answer.canary && (answer.text.includes(canary) || answer.text.includes(canary.slice(0, 24))) && !(answer.canary ?? '').includes(canary));
      if (foreign) return { one, shown: true, errors, ...pair(all, answer.canary, foreign) };
    }
    return { one, shown: false, errors };
  } finally {
    child.kill('SIGKILL');
    if (verbose) console.log(scratch); else fs.rmSync(scratch, { recursive: true, force: true });
  }
}

const at = event => event ? `${event.file}:${event.line}` : '-';

/** Whether what was said of a case is true, and nothing went wrong within the probe. */
export function isRight({ one, shown, write, read, errors }) {
  const fits = (expected, event) => expected.split('|').includes(at(event));
  return shown && !errors.length && fits(one.write, write) && fits(one.read, read);
}

async function main() {
  let right = 0, shown = 0;
  for (const one of cases) {
    if (only.length && !only.some(word => one.name.includes(word))) continue;
    let result;
    try { result = await measure(one); } catch (error) { result = { one, shown: false, reason: error.message, errors: [] }; }
    if (result.shown) shown++;
    if (isRight(result)) right++;
    const objectFits = isRight(result) && String(result.object).includes(one.object.split('.').pop());
    for (const error of result.errors) console.log(error);
    console.log(`${isRight(result) ? 'right' : result.shown ? 'WRONG' : 'NOT SHOWN'}  ${one.name}: ${result.confidence ?? result.reason ?? ''} write ${at(result.write)} read ${at(result.read)} object ${result.object ?? '-'}${objectFits ? '' : ` (expected write ${one.write} read ${one.read} object ${one.object})`}`);
  }
  console.log(`${right} of ${shown} that showed`);
  process.exitCode = right === shown ? 0 : 1;
}

if (isMain) await main();
