'use strict';
// Which files are the application's own, and their rewritten code. A run keeps that in the folder RUNNER_PROBE_CACHE, so that each
// module is parsed and compiled once for all of its servers; the parser is loaded only where there is a module to be rewritten.

const fs = require('fs');
const path = require('path');
const vm = require('vm');

const cache = process.env.RUNNER_PROBE_CACHE;
const everything = Boolean(process.env.RUNNER_PROBE_ALL);   // for the tests: packages are rewritten as well

let nextPlace = 0;
let rewriter = null;
const realFolders = new Map();
const PACKAGES = `${path.sep}node_modules${path.sep}`;

/** The path without symbolic links, and what is known of the file. Each folder is looked at once. */
function found(filename) {
  const known = fs.lstatSync(filename);
  if (known.isSymbolicLink()) return { real: fs.realpathSync(filename), known: fs.statSync(filename) };
  const end = filename.lastIndexOf(path.sep);
  const folder = filename.slice(0, end + 1);
  let real = realFolders.get(folder);
  if (real === undefined) {
    real = fs.realpathSync(folder);
    realFolders.set(folder, real = real.endsWith(path.sep) ? real : real + path.sep);
  }
  return { real: real + filename.slice(end + 1), known };
}

/**
 * The rewritten code of a module, and what V8 kept of it when it was compiled before: { code, kept, keep }. Null if it is not the
 * application's own. Throws if it cannot be rewritten, with the `file` as events call it. Numbers of places begin at `from`.
 */
function rewritten(source, filename, isModule, app, from) {
  let real, known;
  try { ({ real, known } = found(filename)); } catch { return null; }
  const above = app.endsWith(path.sep) ? app : app + path.sep;
  if (!real.startsWith(above) || real.startsWith(__dirname + path.sep)) return null;
  const file = real.slice(above.length);
  if (!everything && `${path.sep}${file}`.includes(PACKAGES)) return null;
  const base = from + nextPlace;
  const key = cache ? [real, known.mtimeMs, known.size, source.length, isModule, base, mapTime(source, real)].join(' ') : '';
  const stored = cache ? `${cache}/${hashed(key)}.js` : null;
  if (stored) {
    const text = fromCache(stored, key);
    if (text) {
      nextPlace += text.sites;
      return text;
    }
  }
  const resolve = specifier => {
    if (!/^\.\.?\//.test(specifier)) return null;
    const other = path.relative(app, path.resolve(path.dirname(real), specifier));
    return other.startsWith('..') ? null : other;
  };
  rewriter ??= require('./rewrite.cjs').rewrite;
  const make = tableAt => {
    try {
      return rewriter(source, { file, name: file.replace(/\.[^./]+$/, ''), base, isModule, path: real, resolve, tableAt });
    } catch (error) {
      throw Object.assign(new Error(String(error && error.message).slice(0, 200)), { file });
    }
  };
  let made = make(stored && stored + 'on');
  let keep = null;
  if (stored) {
    try {
      put(stored + 'on', made.table ?? '{}');
      keep = kept => intoCache(stored, key, made, kept);
      if (isModule) keep(null);
    } catch { made = make(keep = null); }
  }
  nextPlace += made.sites;
  return { code: made.code, kept: null, keep };
}

// A file of the cache: a line for its key, a line of two numbers (places; bytes of the code), the code, and what V8 kept of it.

function intoCache(stored, key, { sites, code }, kept) {
  const bytes = Buffer.from(code);
  put(stored, Buffer.concat([Buffer.from(`${key}\n${sites} ${bytes.length}\n`), bytes, kept ?? Buffer.alloc(0)]));
}

function fromCache(stored, key) {
  try {
    const bytes = fs.readFileSync(stored);
    const head = Buffer.byteLength(key) + 1;
    if (bytes.utf8Slice(0, head) !== key + '\n') return null;
    const from = bytes.indexOf(10, head) + 1;
    const [sites, length] = bytes.latin1Slice(head, from).split(' ').map(Number);
    const kept = bytes.subarray(from + length);
    return { code: bytes.utf8Slice(from, from + length), kept: kept.length ? kept : null, keep: null, sites };
  } catch { return null; /* it is not there yet */ }
}

const NAMES = ['exports', 'require', 'module', '__filename', '__dirname'];

/**
 * The function of a CommonJS module, by what V8 kept of it: compiling takes longer than all else that a start with a full cache needs.
 * Null where Node has to compile it itself: without a cache, for `import()`, for source maps, and to say what is wrong with it.
 */
function compiled({ code, kept, keep }, source, filename) {
  if (!kept && !keep) return null;
  try {
    const byNode = /\bimport\b|sourceMappingURL=/.test(source);
    const made = byNode ? null : vm.compileFunction(code, NAMES, { filename, cachedData: kept ?? undefined, produceCachedData: !kept });
    if (keep) keep(made && made.cachedData);
    return made;
  } catch { return null; }
}

function put(file, content) {
  fs.writeFileSync(`${file}.${process.pid}`, content, { mode: 0o600 });
  fs.renameSync(`${file}.${process.pid}`, file);
}

/** When the source map beside a file was written, if its source names one. */
function mapTime(source, real) {
  if (!source.includes('sourceMappingURL=')) return 0;
  try { return fs.statSync(real + '.map').mtimeMs; } catch { return 0; }
}

/** 64 bits of a text, by FNV-1a over two halves: the name of a file, in which the text itself is told as well. */
function hashed(text) {
  let one = 0x811c9dc5, two = 0x01000193;
  for (let index = 0; index < text.length; index++) {
    one = Math.imul(one ^ text.charCodeAt(index), 0x01000193);
    two = Math.imul(two ^ text.charCodeAt(index), 0x85ebca6b);
  }
  return (one >>> 0).toString(16) + (two >>> 0).toString(16).padStart(8, '0');
}

module.exports = { rewritten, compiled };
