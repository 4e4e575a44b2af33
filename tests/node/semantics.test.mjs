// A snippet means the same rewritten: what it returns, raises and logs, and the order of microtasks.
import assert from 'node:assert';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { createRequire } from 'node:module';
import { inspect } from 'node:util';

const require = createRequire(import.meta.url);
const events = fs.mkdtempSync(path.join(os.tmpdir(), 'probe-semantics-'));
// Whatever contains "mark" is looked for: the snippets use it, so that the hooks do all of their work.
fs.writeFileSync(path.join(events, 'marks'), 'mark\n');
Object.assign(process.env, { RUNNER_PROBE_DIR: events, RUNNER_PROBE_CANARY: 'zq[0-9a-z]{19,195}', RUNNER_PROBE_MARKS: path.join(events, 'marks'), RUNNER_PROBE_APP: path.join(events, 'nothing') });
require('../../probes/node/probe.cjs');
const { rewrite } = require('../../probes/node/rewrite.cjs');

let base = 1e7;
function load(source, isRewritten) {
  let code = source;
  if (isRewritten) {
    const result = rewrite(source, { file: 'snippet.cjs', name: 'snippet', base, isModule: false });
    base += result.sites + 1;
    code = result.code;
  }
  const module = { exports: {} };
  new Function('module', 'exports', 'require', code)(module, module.exports, require);
  return module.exports;
}

/** What a snippet does (V8's words for what has no name in the source differ): it gets `log`, and may be async. */
async function outcome(source, isRewritten) {
  const logged = [];
  const log = (...values) => { logged.push(values.length > 1 ? values : values[0]); };
  let result;
  try { result = { value: await load(source, isRewritten)(log) }; }
  catch (error) { result = { raised: error?.name ?? error, message: String(error?.message).replace(/^.* (is not a (?:function|constructor))/, '… $1').replace(/ of '.*' as it is/, ' as it is') }; }
  return inspect({ result, logged }, { depth: 6 });
}

const SNIPPETS = {
  'a property': `const a = { b: 'mark' }; return a.b;`,
  'a chain of properties': `const a = { b: { c: ['mark'] } }; return a.b.c[0];`,
  'a property of undefined': `const a = {}; return a.b.c;`,
  'a property of null, computed': `let a = null, k = 'x'; return a[k];`,
  'a call of what is no function': `const a = { b: 1 }; return a.b('mark');`,
  'a call of what is no function, deep': `const a = { b: {} }; return a.b.c('mark');`,
  'this in a method': `const a = { b: 'mark', c() { return this.b; } }; return a.c();`,
  'this in a deep method': `const a = { d: { b: 'mark', c() { return this.b; } } }; return a.d.c();`,
  'this in parentheses': `const a = { b: 'mark', c() { return this?.b; } }; return [(a.c)(), (0, a.c)];`,
  'this is lost by a comma': `'use strict'; const a = { c() { return this; } }; return (0, a.c)();`,
  'this in an optional call in parentheses': `const a = { b: 'mark', c() { return this.b; } }; return (a?.c)();`,
  'this in a computed call': `const a = { b: 'mark', c() { return this.b; } }; const k = 'c'; return a[k]() + a['c']();`,
  'optional chain': `const a = { b: null }; return [a?.b?.c, a?.b?.c.d.e, a.x?.y(log('no')), a?.['b'], a.b?.[log('no')]];`,
  'optional chain goes on': `const a = { b: { c: { d: 'mark' } } }; return [a?.b.c.d, a.b?.c.d, a?.b?.c?.d, a.b?.['c'].d];`,
  'optional call': `const a = { f() { return [this === a, 'mark']; } }; return [a.f?.(), a.g?.(log('no')), a?.f(), a.x?.f().g.h];`,
  'optional chain of a call': `const f = () => null; return [f()?.x, f?.()?.x.y, f()?.x(log('no'))];`,
  'optional short circuit in the middle raises': `const a = { b: undefined }; return (a?.b).c;`,
  'delete': `const a = { b: 'mark', c: { d: 1 } }; return [delete a.b, delete a?.c?.d, delete a.x?.y, a];`,
  'typeof': `const a = { b: 'mark' }; return [typeof a.b, typeof nothing, typeof a, typeof a.b.c];`,
  'typeof of what is not yet there raises': `const f = () => typeof later; const x = f(); let later = 1; return x;`,
  'void and in': `const a = { b: 'mark' }; return [void a.b, 'b' in a, !a.b, -a.b];`,
  'assignment': `const a = {}; const b = a.x = a['y'] = 'mark'; return [a, b];`,
  'assignment evaluates left to right': `const a = () => (log('a'), {}); const k = () => (log('k'), 'k'); const v = () => (log('v'), 'mark'); return a()[k()] = v();`,
  'load evaluates left to right': `const a = () => (log('a'), { k: 'mark' }); const k = () => (log('k'), 'k'); return a()[k()];`,
  'call evaluates left to right': `const a = () => (log('a'), { get f() { log('get'); return () => 'mark'; } }); return a().f(log('x'), log('y'));`,
  'call looks its method up before the arguments': `const a = { f: () => 'one' }; return a.f(a.f = () => 'mark');`,
  'compound assignment': `const a = { n: 1, s: 'ma' }; a.n += 2; a.s += 'rk'; a.n **= 2; a['n'] -= 1; return a;`,
  'increment': `const a = { n: 1 }; const k = 'n'; return [a.n++, ++a.n, a[k]--, a, -a.n];`,
  'logical assignment': `const a = { x: null, y: 'mark' }; a.x ??= 'mark'; a.y ??= log('no'); a.z ||= 'mark'; a.y &&= 'other'; return a;`,
  'logical assignment names functions': `let f; f ??= () => {}; const o = {}; o.g ||= function () {}; return [f.name, o.g.name];`,
  'logical assignment of a captured variable': `let made; const get = v => made ??= { v }; return [get('mark'), get('x'), get('y') === made];`,
  'setter and getter': `const a = { _v: 0, get v() { log('get'); return this._v; }, set v(x) { log('set'); this._v = x; } }; a.v = 'mark'; a.v += '!'; return a.v;`,
  'getters run once': `let n = 0; const a = { get b() { n++; return { c: 'mark' }; } }; const r = [a.b.c, a.b['c'], a.b?.c]; return [n, r];`,
  'proxy': `const seen = []; const p = new Proxy({}, { get(t, k) { seen.push('get ' + String(k)); return 'mark'; }, set(t, k, v) { seen.push('set ' + k); return true; }, ownKeys() { seen.push('keys'); return []; }, getPrototypeOf() { seen.push('proto'); return null; }, getOwnPropertyDescriptor() { seen.push('own'); } }); p.x = 'mark'; const h = { p }; h.p; log(h.p.y); const { z } = p; return seen;`,
  'new': `class A { constructor(x) { this.x = x; this.t = new.target === A; } } const n = { A }; return [new A('mark').x, new n.A('mark').t, new (class { y = 'mark'; })().y, new Date(0).getTime(), new A];`,
  'new of a call': `const f = () => class { z = 'mark'; }; return new (f())().z;`,
  'instanceof': `class A {} const a = new A; return [a instanceof A, [] instanceof Array, Promise.resolve() instanceof Promise];`,
  'super': `class A { f(x) { return ['A', x, this.n]; } get g() { return 'mark'; } static s() { return 'static mark'; } } class B extends A { n = 'mark'; f(x) { return super.f(x); } get g() { return super.g + super['g']; } static s() { return super.s(); } set() { super.q = 'mark'; return this.q; } } const b = new B; return [b.f('mark'), b.g, B.s(), b.set()];`,
  'super constructor': `class A { constructor(x) { this.x = x; } } class B extends A { constructor(x) { log('before'); super(x + '!'); this.y = this.x; } } return new B('mark');`,
  'private fields': `class A { #x = 'mark'; static #n = 0; #m() { return this.#x; } get #g() { return this.#x; } f(o) { A.#n++; this.#x += '!'; return [this.#m(), this.#g, #x in o, o?.#x, A.#n]; } } return new A().f(new A());`,
  'private field of another raises': `class A { #x; f(o) { return o.#x; } } return new A().f({});`,
  'class fields and static blocks': `class A { static n = 'mark'; static { this.m = this.n + '!'; } p = A.n; ['q' + 1] = this.p; h = () => this.p; } return [A.m, new A().q1, new A().h()];`,
  'accessors of classes': `class A { #v; get v() { return this.#v; } set v(x) { this.#v = x; } static async *g() { yield 'mark'; } } const a = new A; a.v = 'mark'; return [a.v, (await A.g().next()).value];`,
  'eval sees the variables': `const secret = 'mark'; return eval('secret + 1') + (0, eval)('typeof secret');`,
  'eval declares': `eval('var declared = "mark"'); return declared;`,
  'arguments': `function f(a) { arguments[0] = 'mark'; return [a, arguments.length, [...arguments].slice(1)]; } return f('x', 'y', 'z');`,
  'arguments follow their names': `function f(a) { a = 'mark'; const g = () => a; return [arguments[0], g()]; } return f('x');`,
  'arrow arguments': `function f() { return (() => arguments[0])(); } return f('mark');`,
  'template tags': `const tag = (s, ...v) => s.raw.join('|') + v; const o = { tag, p: { tag(s) { return this === o.p && s[0]; } } }; const m = 'mark'; return [tag\`a\${m}b\`, o.tag\`c\${o.x}\`, o.p.tag\`mark\`, o.p['tag']\`x\`];`,
  'template objects are one': `const tag = s => s; const f = () => tag\`mark\`; return f() === f();`,
  'destructuring': `const { a, b: { c = 'mark' } = {}, ...rest } = { a: 'mark', d: 1 }; const [x, , y = a, ...z] = ['mark', 1, undefined, 3, 4]; return [a, c, rest, x, y, z];`,
  'destructuring with defaults that use others': `const f = ({ a = 'mark', b = a + '!' } = {}, [c = b] = []) => [a, b, c]; return [f(), f({ a: 1 }), f({}, ['x'])];`,
  'destructuring into members': `const o = {}; let v; ({ a: o.x, b: o['y'], c: v = 'mark' } = { a: 'mark', b: 2 }); [o.z, v, ...o.w] = ['mark', v, 3]; return [o, v];`,
  'destructuring assignment yields the right side': `let a; const g = () => a; const o = { a: 'mark' }; const r = ({ a } = o); return [r === o, g()];`,
  'destructuring getters run once': `let n = 0; const o = { get a() { n++; return 'mark'; } }; const { a } = o; return [n, a];`,
  'destructuring iterators': `function* g() { try { yield 'mark'; yield 2; } finally { log('closed'); } } const [a] = g(); return a;`,
  'destructuring undefined raises': `const { a } = undefined; return a;`,
  'destructured captured': `const { a, b } = { a: 'mark', b: 2 }; const f = () => [a, b]; return f()`,
  'swap': `let a = 'mark', b = 'x'; const g = () => [a, b]; [a, b] = [b, a]; return g();`,
  'spread': `const o = { a: 'mark' }; const f = (...x) => x; return [{ ...o, b: 1 }, [...'ab', ...[o.a]], f(...[1, 2], ...o.a)];`,
  'shorthand': `const mark = 'mark'; const f = () => ({ mark, g() { return mark; } }); return [f().mark, f().g()];`,
  'shorthand of __proto__': `const __proto__ = { x: 'mark' }; const f = () => ({ __proto__ }); return [Object.keys(f()), f().x];`,
  'computed keys': `const k = { a: 'mark' }; return { [k.a]: 1, [k.a + 2]() { return 3; }, get [k['a'] + 3]() { return 4; } };`,
  'names of functions': `const a = () => {}; let b = function () {}; const o = { c: () => {}, d() {}, e: class {} }; let f; f = () => {}; const g = class {}; const use = () => [a, b, f, g]; const { h = () => {} } = {}; return [a.name, b.name, o.c.name, o.d.name, o.e.name, f.name, g.name, h.name, use.name];`,
  'names of called functions': `return [(function () { return arguments.callee.name; }).call(null), (() => {}).name, (class {}).name, [function () {}][0].name];`,
  'length of functions': `const f = (a, b) => () => [a, b]; function g(a, b = 1, c) { return () => [a, b, c]; } return [f.length, g.length, (({ a }, ...b) => a).length];`,
  'closures in loops': `const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); for (const x of ['mark', 'b']) fs.push(() => x); for (const k in { q: 1 }) { fs.push(() => k); } return fs.map(f => f());`,
  'a counter closure': `const make = () => { let n = 0; return () => ++n; }; const c = make(), d = make(); return [c(), c(), d(), (n => () => n)('mark')()];`,
  'variables before their time': `const f = () => later; try { f(); } catch (e) { log(e.name, e.message); } let later = 'mark'; return f();`,
  'const is const': `const c = 'x'; const f = () => { c = 'mark'; }; f();`,
  'hoisting': `return f(); function f() { return g; var g = 1; } `,
  'functions in blocks': `{ function f() { return 'mark'; } } if (true) { function g() { return f(); } } return [typeof f, g()];`,
  'shadowing': `let x = 'mark'; const f = () => { { let x = 2; log(x); } return x; }; const g = x => { const h = () => x; x = x + '!'; return h(); }; return [f(), g('a'), (x => x)(3)];`,
  'generators': `function* g(a) { const b = yield a.x; try { yield* [b, 'mark']; } finally { log('end'); } return (yield)?.z; } const i = g({ x: 'mark' }); return [i.next('no'), i.next('mark'), i.next(), i.next(), i.next({ z: 'mark' }), i.next()];`,
  'generators return early': `function* g() { try { const o = { v: yield 'mark' }; log(o.v); yield o.v; } finally { log('done'); } } const i = g(); i.next(); i.next('mark'); return [i.return('r'), i.next()];`,
  'async generators': `async function* g() { for (const x of ['mark', Promise.resolve('b')]) { const o = { x }; yield o.x; } } const r = []; for await (const x of g()) r.push(x); return r;`,
  'labelled statements': `const o = { n: 0 }; outer: for (let i = 0; i < 3; i++) { for (const k of [1, 2]) { if (k === 2) continue outer; if (i === 2) break outer; o.n += k; } } block: { if (o.n) break block; log('no'); } return o.n;`,
  'directives': `function f() { 'use strict'; const g = () => this; return [this, g()]; } return f();`,
  'directives without semicolons': "function f() { 'use strict'\n return this }\n function g(a) { 'use strict'\n const h = () => a\n return [h(), this] }\n return [f(), g('mark')]",
  'no semicolons': "const a = { b: 'mark' }\nconst c = a.b\nlet d\nd = a\n;[d.b, a.x] = ['mark2', 'x']\nconst f = () => d\nf()\nconst { b } = a\nconst g = () => b\ng()\n;(() => log(b))()\nreturn a",
  'return and a line break': "const a = { b: 'mark' }; const f = () => { return\n a.b }; return f()",
  'increments over lines': "const a = { b: 1 }; let n = 1\nn\n++a.b\nreturn [n, a]",
  'arrows with objects and comments': "const f = x => /* => */ ({ x }); const g = x => // =>\n ({ y: () => x }); const h = (x = '=>') => (y => [x, y])('mark'); return [f('mark'), g('mark').y(), h()];",
  'async arrows': `const f = async x => ({ v: (await x).v, g: () => x }); const r = await f(Promise.resolve({ v: 'mark' })); return r.v;`,
  'sequences': `const a = { b: 'mark' }; let i = (log(1), a.b); for (let x = (log(2), 0), y = a.b; x < 1; x++, log(y)); return i;`,
  'switch': `const a = { k: 'mark' }; switch (a.k) { case 'x': log('no'); case a.k: const z = a.k; log((() => z)()); break; default: log('no'); } return a.k;`,
  'conditional': `const a = { t: 'mark' }; return a.t ? a.f ? 1 : a.t : a.u;`,
  'keywords without spaces': `const a={b:'mark'};const f=()=>{if(a.b)return"mark".length;else a.b=1};function*g(){yield"mark".big;yield[a.b]}return[typeof"x".y,f(),[...g()].length,void"x".z]`,
  'catch and finally': `const o = {}; const f = () => { try { o.x.y; } catch ({ name }) { const g = () => name; return g(); } finally { o.z = 'mark'; } }; return [f(), o];`,
  'errors pass': `const boom = () => { throw new RangeError('mark'); }; const o = { boom }; try { o.boom(); } catch (e) { log(e.message); } return o.boom();`,
  'getter that raises': `const o = { get x() { throw new TypeError('mark'); } }; return o.x;`,
  'frozen objects': `'use strict'; const o = Object.freeze({ x: 1 }); o.x = 'mark';`,
  'sloppy frozen objects': `const o = Object.freeze({ x: 1 }); return [o.x = 'mark', o.x];`,
  'primitives': `const s = 'mark'; s.x = 1; return [s.length, s[0], s.toUpperCase(), (5).toFixed(1), 1..toString(), true.toString(), s.x];`,
  'symbols and numbers as keys': `const k = Symbol('mark'); const o = { [k]: 'mark', 5: 'mark' }; o[k] += '!'; return [o[k], o[5], o[2 + 3]];`,
  'objects as keys are converted once': `let n = 0; const k = { toString() { n++; return 'x'; } }; const o = { x: 'mark' }; const r = [o[k], o[k] = 'mark', k in o]; return [n, r];`,
  'collections': `const m = new Map([['k', 'mark']]); m.set('x', { y: 'mark' }).set('z', 1); const s = new Set(['mark']); s.add('b'); const w = new WeakMap([[m, 'mark']]); return [m.get('x'), [...m.keys()], s.has('mark'), w.get(m), m.size, s];`,
  'collections with odd members': `class M extends Map { get(k) { log('get'); return super.get(k); } get size() { log('size'); return 1; } } const m = new M(); m.set('a', 'mark'); return [m.get('a'), m];`,
  'arrays': `const a = ['mark']; a.push('b', 'c'); a.unshift('z'); const r = [a.pop(), a.shift(), a.splice(0, 1), a.map(x => x), a.concat(['mark']), a.at(-1), a.find(x => x)]; a.length = 0; return [r, a];`,
  'sparse arrays': `const a = [, 'mark']; a[5] = 'mark'; return [a, 0 in a, a.indexOf('mark')];`,
  'cycles': `const a = { n: 'mark' }; a.self = a; a.list = [a]; const o = { a }; return [o.a.self.self === a, o.a.list[0].n];`,
  'buffers': `const b = Buffer.alloc(8); b.write('mark'); const c = b.subarray(0, 4); return [c.toString(), b[0], b.slice(1, 2)];`,
  'regular expressions': `const r = /m(a)(?<x>r)k/g; const { groups: { x }, 1: one } = r.exec('mark'); return [x, one, r.lastIndex, 'mark'.replace(/a/, (m) => m + m), /[/]=>/.test('a')];`,
  'promises': `const p = Promise.resolve('mark'); const o = { p }; return [await o.p, await Promise.all([o.p, 2]), (await Promise.allSettled([Promise.reject('mark')]))[0].reason, o.p === p];`,
  'thenables': `let n = 0; const t = { get then() { n++; return f => f('mark'); } }; const o = { t }; const x = o.t; return [await o.t, n];`,
  'await raises': `const f = async () => { throw new Error('mark'); }; try { await f(); } catch (e) { log(e.message); } return await f();`,
  'async iteration': `const o = { async *[Symbol.asyncIterator]() { yield { v: 'mark' }; } }; for await (const { v } of o) { log((() => v)()); } for await (const x of [Promise.resolve('mark')]) log(x);`,
  'global assignment': `undeclaredThing = 'mark'; const r = undeclaredThing; delete globalThis.undeclaredThing; return [r, typeof undeclaredThing];`,
  'with': `const o = { x: 'mark', f() { return this.x; } }; with (o) { x = 'mark2'; return [x, f(), (() => x)()]; }`,
  'comma in keys': `const o = { b: 'mark' }; return o[log('x'), 'b'];`,
  'chained calls': `const b = { parts: [], add(x) { this.parts.push(x); return this; } }; return b.add('mark').add('b').add(...['c']).parts.join('-').toUpperCase();`,
  'chained calls over lines': "return ['mark', 'b']\n  .map(x => x + 1)\n  .filter(Boolean)\n  ?.join(',')\n  .split(',')",
  'curried calls': `const f = a => b => c => [a, b, c]; return f('mark')('b')('c');`,
  'call, apply and bind': `function f(x) { return [this.n, x]; } const o = { n: 'mark' }; return [f.call(o, 1), f.apply(o, [2]), f.bind(o)(3), Reflect.apply(f, o, [4])];`,
  'immediately called': `return (function (x) { return x + (() => x)(); })('mark') + (() => 'x')() + (async () => 1)().constructor.name;`,
  'Object.assign and defineProperty': `const o = {}; Object.assign(o, { a: 'mark' }, null); Object.defineProperty(o, 'h', { value: 'mark' }); return [o, o.h, Object.assign({}, o)];`,
  'dates and JSON': `const o = { d: new Date(0), toJSON() { log('json'); return 'mark'; } }; return [JSON.stringify(o), o.d.toISOString(), JSON.parse('{"x":"mark"}').x];`,
  'valueOf is not called': `const o = { valueOf() { log('valueOf'); return 1; }, toString() { log('toString'); return 'mark'; } }; const h = { o }; h.o; const x = h.o; log('before'); return x + 1;`,
  'inspect is not called': `const o = { [Symbol.for('nodejs.util.inspect.custom')]() { log('inspect'); return 'x'; }, s: 'mark' }; const h = { o }; const { s } = h.o; return s;`,
  'exponent and nullish': `const a = { n: 2 }; return [a.n ** a.n, a.x ?? a.n, (a.x || a.n) && 'mark', (-a.n) ** 2];`,
  'dynamic import': `const name = 'node:path'; const { sep } = await import(name); return [sep, typeof (await import('node:os')).default.cpus];`,
  'new.target': `function F() { return { t: new.target === F, u: (() => typeof new.target)() }; } return [new F().t, new F().u];`,
  'iterating while changing': `const o = { l: ['mark', 'b'] }; for (const x of o.l) { if (o.l.length < 4) o.l.push(x); } for (o.i of [1, 2]); for (o['k'] in { z: 1 }); return o;`,
  'do while': `const o = { n: 0 }; do o.n++; while (o.n < 3) return o.n`,
  'else if without braces': `const o = { n: 2 }; if (o.n === 1) o.x = 1; else if (o.n === 2) o.x = 'mark'; else o.x = 3; return o.x`,
  'big numbers and others': `const o = { n: 10n, d: 1_000, r: /x/u, s: 'a\\u2028b' }; return [o.n * 2n, o.d, o.r.flags, o.s.length];`,
};

for (const [name, body] of Object.entries(SNIPPETS)) {
  test(`the same: ${name}`, async () => {
    const isAsync = /\bawait\b/.test(body) ? 'async ' : '';
    const source = `module.exports = ${isAsync}function (log) { ${body}\n};`;
    assert.strictEqual(await outcome(source, true), await outcome(source, false));
  });
}

test('microtasks run in the same order', async () => {
  const source = `
    const tick = (log, name, count) => { let p = Promise.resolve(); for (let i = 0; i < count; i++) p = p.then(() => log(name + i)); return p; };
    class Service { #cache = new Map(); async get(k) { if (!this.#cache.has(k)) this.#cache.set(k, this.load(k)); return this.#cache.get(k); } async load(k) { await null; return { k, v: 'mark' }; } }
    const service = new Service();
    const thenable = { then(f) { f('mark'); } };
    const nested = async log => { const a = await service.get('a'); log(a.v); const { v } = await service.get('a'); log(v); return service.get('b'); };
    async function* stream() { yield 'mark'; yield Promise.resolve('b'); yield* [1, 2]; }
    let last; const set = async v => { last = await v; return last; };
    module.exports = async log => {
      const done = tick(log, 'tick', 40);
      const work = [nested(log), (async () => { for await (const x of stream()) log(x); })(), (async () => { log(await thenable); log(await 'mark'); })(),
        (async () => { try { await Promise.reject(new Error('mark')); } catch (e) { log(e.message); } finally { log('finally'); } })(), set('mark'), set(Promise.resolve('mark2')).then(log),
        (async () => { const o = {}; o.x = await service.get('c'); log(o.x.k); o.y ??= await 'mark'; log(o.y); return await o; })()];
      queueMicrotask(() => log('queued'));
      process.nextTick(() => log('next'));
      await Promise.all(work); await done;
    };`;
  assert.strictEqual(await outcome(source, true), await outcome(source, false));
});

test('line numbers stay', () => {
  const source = "module.exports = () => {\n  const a = { b: 'mark' };\n  const f = x =>\n    // twice\n    a.b + x;\n  f(a\n    .b);\n  throw new Error('here');\n};";
  const lineOf = isRewritten => { try { load(source, isRewritten)(); } catch (error) { return /<anonymous>:(\d+):/.exec(error.stack)[1]; } };
  assert.strictEqual(lineOf(true), lineOf(false));
});

test('a module in ESM keeps hashbang, import.meta, live bindings and top-level await', () => {
  const source = "#!/usr/bin/env node\n'use strict'\nimport fs, { readFileSync as read } from 'node:fs'\nexport let count = 0\nexport const bump = () => { count++; return import.meta.url + read.name + fs.x }\nexport default function () { return count }\nexport { count as total, bump as 'odd name' }\nconst x = await import('node:os')\nexport * from 'node:path'\nexport class A { static #x = 1; y = () => A.#x }\n";
  const { code } = rewrite(source, { file: 'm.mjs', name: 'm', base: 1, isModule: true });
  const { parse } = require('../../probes/node/rewrite.cjs');
  parse(code, true);
  assert.ok(code.startsWith("#!/usr/bin/env node\n'use strict'\n__rp$.m("));
});
