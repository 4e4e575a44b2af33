// Rewrites the files of installed packages. Each that could be parsed has to parse again, with as many lines; and the main
// modules of packages, loaded with everything rewritten, export the same names.
//
//   node tests/node/fuzz.mjs FOLDER [files]      FOLDER holds `node_modules`
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { spawnSync } from 'node:child_process';

const require = createRequire(import.meta.url);
const { rewrite, parse } = require('../../probes/node/rewrite.cjs');
const folder = path.resolve(process.argv[2]);
const most = Number(process.argv[3] || 4000);

const files = [];
(function collect(at) {
  for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
    const whole = path.join(at, entry.name);
    if (entry.isDirectory()) collect(whole);
    else if (/\.[cm]?js$/.test(entry.name)) files.push(whole);
  }
})(path.join(folder, 'node_modules'));
// Every package gets its turn.
const step = Math.max(1, files.length / most);
const chosen = Array.from({ length: Math.min(most, files.length) }, (_, index) => files[Math.floor(index * step)]);

let tried = 0, unparsed = 0, sites = 0, milliseconds = 0, characters = 0;
const failures = [];
for (const file of chosen) {
  const source = fs.readFileSync(file, 'utf8');
  if (source.length > 3_000_000) continue;
  let isModule = /^\s*(import|export)\b/m.test(source) || file.endsWith('.mjs');
  try { parse(source, isModule); } catch {
    isModule = !isModule;
    try { parse(source, isModule); } catch { unparsed++; continue; }
  }
  tried++;
  try {
    const started = performance.now();
    const result = rewrite(source, { file: 'x.js', name: 'x', base: 1, isModule });
    milliseconds += performance.now() - started;
    characters += source.length;
    sites += result.sites;
    parse(result.code, isModule);
    const body = result.code.slice(0, result.code.lastIndexOf('\nfunction __rp$T'));
    const lines = text => text.split(/\r\n|[\n\r\u2028\u2029]/).length;
    if (result.sites && lines(body) !== lines(source)) failures.push(`${file}: ${lines(source)} lines became ${lines(body)}`);
  } catch (error) {
    failures.push(`${file}: ${error.message}`);
  }
}
console.log(`files: ${tried} rewritten and parsed again, ${failures.length} wrong, ${unparsed} not parsed before; ${sites} places, ${(characters / 1000 / milliseconds).toFixed(1)} MB a second`);
failures.slice(0, 20).forEach(failure => console.log('  ' + failure));

// A copy of the packages outside of any `node_modules` counts as the application: everything is rewritten.
const list = `
  const names = {};
  for (const name of ${JSON.stringify(fs.readdirSync(path.join(folder, 'node_modules')).filter(name => !name.startsWith('.') && !name.startsWith('@')))}) {
    try { const m = require(process.argv[1] + '/' + name); names[name] = [typeof m, ...Reflect.ownKeys(m ?? {}).map(String).sort()]; } catch (error) { names[name] = ['raises', String(error.message).split('\\n')[0]]; }
  }
  require('fs').writeFileSync(process.argv[2], JSON.stringify(names));
  process.exit(0);`;
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'probe-fuzz-'));
const copy = path.join(scratch, 'node_modules');
fs.cpSync(path.join(folder, 'node_modules'), copy, { recursive: true, verbatimSymlinks: true });
const probe = path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../../probes/node/probe.cjs');
const load = (out, env) => {
  const run = spawnSync(process.execPath, ['-e', list, copy, out], { cwd: scratch, env: { ...process.env, ...env }, encoding: 'utf8', timeout: 300_000 });
  if (run.stderr) console.log(run.stderr.split('\n').slice(0, 3).join('\n'));
  try { return JSON.parse(fs.readFileSync(out, 'utf8')); } catch { return {}; }
};
const plain = load(path.join(scratch, 'plain.json'), {});
const events = path.join(scratch, 'events');
fs.mkdirSync(events);
const probed = load(path.join(scratch, 'probed.json'), {
  NODE_OPTIONS: `--require ${probe}`, RUNNER_PROBE_DIR: events, RUNNER_PROBE_CANARY: 'zq[0-9a-z]{19,195}', RUNNER_PROBE_APP: scratch, RUNNER_PROBE_ALL: '1',
});
const names = Object.keys(plain);
const different = names.filter(name => JSON.stringify(plain[name]) !== JSON.stringify(probed[name]));
const text = fs.readdirSync(events).map(name => fs.readFileSync(path.join(events, name), 'utf8')).join('');
console.log(`packages: ${names.length} loaded, ${different.length} with other names; ${(text.match(/"e":"module"/g) || []).length} modules rewritten, ${(text.match(/"error"/g) || []).length} left as they were`);
for (const name of different) console.log(`  ${name}: ${JSON.stringify(plain[name]).slice(0, 200)}\n    ${JSON.stringify(probed[name])?.slice(0, 200)}`);
fs.rmSync(scratch, { recursive: true, force: true });
process.exitCode = failures.length || different.length ? 1 : 0;
