// What the probe attaches to objects is seen by nobody else, and may be attached to any.
import assert from 'node:assert';
import fs from 'node:fs';
import test from 'node:test';
import { createRequire } from 'node:module';
import * as itself from './attachments.test.mjs';

const { attachments } = createRequire(import.meta.url)('../../probes/node/attachments.cjs');
const fail = () => { throw new Error('code of the object was run'); };
const trapped = new Proxy({}, Object.fromEntries(Object.getOwnPropertyNames(Reflect).map(name => [name, fail])));

const OBJECTS = {
  'an object': {}, 'an object without prototype': Object.create(null), 'a frozen object': Object.freeze({ a: 1 }), 'a frozen list': Object.freeze([1]),
  'a sealed class': Object.seal(class {}), 'a function': () => 1, 'a list': [1, , 3], 'a proxy': trapped, 'the global object': globalThis,
  'the environment': process.env, 'a module of Node': fs, 'a module': itself, bytes: Buffer.alloc(3), 'a map': new Map([[1, 2]]), 'a pattern': /x/g,
  'a promise': Promise.resolve(1), 'an error': new Error('x'), 'a prototype': Array.prototype, arguments: (function () { return arguments; })(1, 2),
  'a generator': (function* () {})(), 'a date': new Date(0), 'a class with private fields': new (class { #own = 1; has() { return #own in this; } })(),
};

for (const [name, object] of Object.entries(OBJECTS)) {
  test(`attached to ${name}`, () => {
    const [First, Second] = [attachments(), attachments()];
    const keys = () => object === trapped ? [] : [Reflect.ownKeys(object), Object.isExtensible(object)];
    const before = keys();
    assert.equal(First.of(object), undefined);
    new First(object, 'one');
    new Second(object, 'two');
    assert.deepEqual([First.of(object), Second.of(object)], ['one', 'two']);
    assert.deepEqual(keys(), before);
    assert.equal(First.of({}), undefined);
  });
}
