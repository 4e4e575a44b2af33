// What the generated applications of tests/sweep/app.mjs promise, without a server.
import assert from 'node:assert';
import test from 'node:test';

import { makeDocument, makePlan } from '../sweep/plan.mjs';

for (const [endpoints, leaks] of [[50, 12], [200, 28], [1000, 28]]) {
  test(`${endpoints} operations are documented, and each is in one leak at most`, () => {
    const plan = makePlan({ seed: 3, endpoints, leaks });
    const { paths } = makeDocument(plan.operations);
    const documented = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map(one => `${one.toUpperCase()} ${path}`));
    assert.strictEqual(documented.length, endpoints);
    assert.strictEqual(plan.leaks.length, leaks);
    const members = plan.leaks.flatMap(leak => [...new Set([...leak.sources, ...leak.victims, ...leak.third])]);
    assert.strictEqual(new Set(members).size, members.length);
    for (const name of members) assert.ok(documented.includes(name), name);
    assert.ok(plan.leaks.filter(leak => leak.across && leak.needs === 'overlap').length >= leaks / 4);
  });

  test(`what can be created in ${endpoints} operations can be deleted`, () => {
    const { operations } = makePlan({ seed: 3, endpoints, leaks });
    const nouns = kind => operations.filter(one => one.kind === kind).map(one => one.noun).sort();
    assert.deepStrictEqual(nouns('create'), nouns('remove'));
  });
}

test('the same seed gives the same application', () => {
  const made = () => makePlan({ seed: 5, endpoints: 50, leaks: 12 });
  assert.deepStrictEqual(made(), made());
});
