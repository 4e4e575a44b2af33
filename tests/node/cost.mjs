// CPU of a request with and without the probe, on a plain http server and on Express; and the start of an application of 300 modules.
//
//   node tests/node/cost.mjs NODE_MODULES [requests]
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { spawn, spawnSync } from 'node:child_process';

const probe = path.resolve(path.dirname(new URL(import.meta.url).pathname), '../../probes/node/probe.cjs');
const [modules, count = '3000'] = process.argv.slice(2);

const SERVERS = {
  'plain http': `const http = require('http');
const users = new Map();
const pause = () => new Promise(done => setImmediate(done));
function profile(name) {
  const known = users.get(name) ?? { name, visits: 0, tags: ['a', 'b', 'c'] };
  known.visits++;
  users.set(name, known);
  if (users.size > 100) users.delete(users.keys().next().value);
  return known;
}
http.createServer(async (request, response) => {
  const name = request.headers['x-user'] ?? 'nobody';
  const user = profile(name);
  await pause();
  const rows = [];
  for (let index = 0; index < 20; index++) rows.push('<li>' + user.tags[index % user.tags.length] + index + '</li>');
  response.setHeader('content-type', 'text/html');
  response.end('<h1>' + user.name + '</h1><ul>' + rows.join('') + '</ul>');
})`,
  express: `const express = require('express');
const app = express();
app.use(express.json());
const orders = Array.from({ length: 30 }, (_, index) => ({ id: index, total: index * 3, lines: [{ sku: 'a' + index, count: 2 }] }));
const session = (request, response, next) => { request.user = { name: request.get('x-user') ?? 'nobody', roles: ['reader'] }; next(); };
app.use(session);
app.get('/', async (request, response) => {
  await new Promise(done => setImmediate(done));
  const mine = orders.filter(order => order.total > 20).map(order => ({ ...order, owner: request.user.name, count: order.lines.length }));
  response.json({ user: request.user, orders: mine });
});
module.exports = app; ({ listen: (...rest) => app.listen(...rest) })`,
};

async function cpu(source, isProbed, withCanary) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'probe-cost-')));
  fs.mkdirSync(path.join(folder, '.events'));
  if (modules) fs.symlinkSync(path.resolve(modules), path.join(folder, 'node_modules'));
  fs.writeFileSync(path.join(folder, 'app.cjs'), `${source}.listen(0, '127.0.0.1', function () { process.send(this.address().port); });\nprocess.on('message', () => process.send(process.cpuUsage()));`);
  const child = spawn(process.execPath, [path.join(folder, 'app.cjs')], {
    cwd: folder, stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...(isProbed ? { NODE_OPTIONS: `--require ${probe}`, RUNNER_PROBE_DIR: path.join(folder, '.events'), RUNNER_PROBE_CANARY: 'zq[0-9a-z]{19,195}|[a-z0-9._+-]+@[a-z0-9.-]+', RUNNER_PROBE_APP: folder } : {}) },
  });
  const message = () => new Promise(done => child.once('message', done));
  const port = await message();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const once = index => new Promise((done, fail) => http.get({ port, host: '127.0.0.1', agent, headers: withCanary ? { 'x-user': 'zqabcdefghijklmnopqrstuvwxyz' + index.toString(36).padStart(6, '0') } : {} }, response => { response.resume(); response.on('end', done); }).on('error', fail));
  const many = async number => { for (let index = 0; index < number; index += 4) await Promise.all([0, 1, 2, 3].map(offset => once(index + offset))); };
  await many(800);
  child.send('cpu'); const before = await message();
  await many(Number(count));
  child.send('cpu'); const after = await message();
  child.kill('SIGKILL');
  agent.destroy();
  const bytes = fs.readdirSync(path.join(folder, '.events')).reduce((sum, name) => sum + fs.statSync(path.join(folder, '.events', name)).size, 0);
  fs.rmSync(folder, { recursive: true, force: true });
  return { microseconds: (after.user + after.system - before.user - before.system) / Number(count), bytes };
}

/** Milliseconds until 300 modules are loaded: without the probe, with it at first, and with what that has kept. */
function startOfLarge() {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'probe-start-')));
  const views = Array.from({ length: 12 }, (_, index) => `function view_${index}(request, seen = []) {
  seen.push(request.args.get('user') ?? 'guest');
  shared.user = request.user;
  for (const item of request.items) total[item.name] = item.price * ${index} + (total[item.name] ?? 0);
  return render('page.html', { user: shared.user, total: total[request.name], lines: request.lines.map(line => line.text) });
}
`).join('');
  const text = `const shared = { user: null };\nconst total = {};\nconst render = (name, values) => name + JSON.stringify(values);\n${views}\nmodule.exports = { view_0, shared };\n`;
  for (let index = 0; index < 300; index++) fs.writeFileSync(path.join(folder, `module_${index}.cjs`), text);
  fs.writeFileSync(path.join(folder, 'main.cjs'), 'for (let index = 0; index < 300; index++) require(`./module_${index}.cjs`);');
  for (const name of ['.events', '.cache']) fs.mkdirSync(path.join(folder, name));
  const probed = { NODE_OPTIONS: `--require ${probe}`, RUNNER_PROBE_DIR: path.join(folder, '.events'), RUNNER_PROBE_CACHE: path.join(folder, '.cache'), RUNNER_PROBE_CANARY: 'zq[0-9a-z]{19,195}', RUNNER_PROBE_APP: folder };
  const start = more => {
    const began = performance.now();
    spawnSync(process.execPath, [path.join(folder, 'main.cjs')], { cwd: folder, env: { ...process.env, ...more }, stdio: 'inherit' });
    return performance.now() - began;
  };
  const cold = start(probed), rounds = Array.from({ length: 9 }, () => [start({}), start(probed)]);
  fs.rmSync(folder, { recursive: true, force: true });
  const [plain, warm] = [0, 1].map(index => Math.min(...rounds.map(pair => pair[index])));
  console.log(`300 modules: ${plain.toFixed(0)} ms without, ${cold.toFixed(0)} ms at first, ${warm.toFixed(0)} ms with a warm cache (${(warm / plain).toFixed(2)} times)`);
}
startOfLarge();

for (const [name, source] of Object.entries(SERVERS)) {
  for (const withCanary of [false, true]) {
    const figures = [];
    for (let round = 0; round < 3; round++) figures.push([await cpu(source, false, withCanary), await cpu(source, true, withCanary)]);
    const best = index => Math.min(...figures.map(pair => pair[index].microseconds));
    console.log(`${name}, ${withCanary ? 'a canary in each request' : 'no canaries'}: ${best(0).toFixed(0)} µs without, ${best(1).toFixed(0)} µs with, ${(best(1) / best(0)).toFixed(2)} times; ${figures[0][1].bytes} bytes of events`);
  }
}
