'use strict';
// Which files are the application's own, and their rewritten code. A run keeps that in the folder RUNNER_PROBE_CACHE, so that each
// module is parsed once for all of its servers; the parser is loaded only where there is a module to be rewritten.

const fs = require('fs');
const path = require('path');

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
 * The rewritten code of a module: null if it is not the application's own. Throws if it cannot be rewritten, with the `file` as events
 * call it. Numbers of places begin at `from`.
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
    try {
      const text = fs.readFileSync(stored, 'utf8');
      const end = text.indexOf('\n', key.length + 1);
      if (text.startsWith(key + '\n')) {
        nextPlace += Number(text.slice(key.length + 1, end));
        return text.slice(end + 1);
      }
    } catch { /* it is not there yet */ }
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
  if (stored) {
    try {
      put(stored + 'on', made.table ?? '{}');
      put(stored, `${key}\n${made.sites}\n${made.code}`);
    } catch { made = make(null); }
  }
  nextPlace += made.sites;
  return made.code;
}

function put(file, text) {
  fs.writeFileSync(`${file}.${process.pid}`, text, { mode: 0o600 });
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

module.exports = { rewritten };
