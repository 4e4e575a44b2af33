// The search for canaries in texts.
import assert from 'node:assert';
import fs from 'node:fs';
import test from 'node:test';
import { createRequire } from 'node:module';

const { shortestMatch } = createRequire(import.meta.url)('../../probes/node/canaries.cjs');
const source = fs.readFileSync(new URL('../../src/canary.rs', import.meta.url), 'utf8');
const ofRunner = [...source.split('pub const PATTERN')[1].split(');')[0].matchAll(/^ {4}"(.+)",$/gm)].map(match => match[1]).join('');

const LENGTHS = {
  abc: 3, 'a|bcd': 1, 'zq[0-9a-z]{19,195}': 21, 'a+b*c?d': 2, 'a{3}': 3, 'a{2,}b{0,4}': 2, '(?:ab|c)d': 2, '(ab){2}': 4, '(?<name>ab)c': 3,
  '^ab$': 2, '(?=abc)d': 1, '(?<!abc)d': 1, '\\bab\\b': 2, '[\\]a]b': 2, '[^]a': 2, '\\.\\d\\w': 3, 'a+?b': 2, '': 0, 'a|': 0, '((a))b': 2,
  '\\u0041b': 0, '(a)\\1': 0, '\\p{L}': 0, '(?i:a)b': 0, [ofRunner]: 21,
};
for (const [pattern, length] of Object.entries(LENGTHS)) {
  test(`the shortest match of ${pattern || 'nothing'}`, () => assert.equal(shortestMatch(pattern), length));
}
