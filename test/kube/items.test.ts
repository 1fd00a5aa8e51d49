// Tests of lists that are read item by item.
import assert from 'node:assert/strict';
import { NetworkError } from '../../src/kube/errors.ts';
import { readItems } from '../../src/kube/items.ts';

const DEPLOYMENTS = {
  kind: 'DeploymentList',
  apiVersion: 'apps/v1',
  metadata: { resourceVersion: '7', continue: 'x' },
  items: [{ a: 'ü{"]\\', b: [1, { c: [] }] }, {}, { d: '\\"items":[{}]' }, { items: [{ e: null }] }],
};
/** As API servers write custom resources: the fields in order of the alphabet. */
const ROLLOUTS = {
  apiVersion: 'x/v1',
  items: [{ kind: 'Rollout' }],
  kind: 'RolloutList',
  metadata: { remainingItemCount: 3 },
};

async function read(text: string, size: number, maxBytes = 1_000) {
  const bytes = Buffer.from(text);
  const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
  const items: unknown[] = [];
  const lists: unknown[] = [];
  const rest = await readItems(
    (async function* () {
      for (const chunk of chunks) yield await Promise.resolve(chunk);
    })(),
    maxBytes,
    (item, list) => {
      items.push(item);
      lists.push(list);
    },
  );
  return { items, lists, rest: JSON.parse(rest) as unknown };
}

describe('a list that is read item by item', () => {
  for (const list of [DEPLOYMENTS, ROLLOUTS]) {
    for (const size of [1, 2, 3, 7, 1_000]) {
      for (const text of [JSON.stringify(list), JSON.stringify(list, undefined, 2)]) {
        it(`gives all of ${list.kind} in pieces of ${size} of ${text.length} bytes`, async () => {
          const { items, rest } = await read(text, size);
          assert.deepEqual(items, list.items);
          assert.deepEqual(rest, { ...list, items: [] });
        });
      }
    }
  }

  it('says with each item of which list it is, as far as that came before the items', async () => {
    const { kind, apiVersion, metadata } = DEPLOYMENTS;
    const { lists } = await read(JSON.stringify(DEPLOYMENTS), 10);
    for (const list of lists) assert.deepEqual(list, { kind, apiVersion, metadata, items: [] });
  });

  it('is read as it is when it is empty, or no list at all', async () => {
    for (const answer of [
      { ...DEPLOYMENTS, items: [] },
      { items: null },
      { message: 'no', details: { items: [{}] } },
    ]) {
      const { items, rest } = await read(JSON.stringify(answer), 5);
      assert.deepEqual([items, rest], [[], answer]);
    }
  });

  it('may be longer than one answer may, but no item may', async () => {
    const many = { ...DEPLOYMENTS, items: Array.from({ length: 100 }, (_, n) => ({ n })) };
    assert.equal((await read(JSON.stringify(many), 50, 200)).items.length, 100);
    const large = { ...DEPLOYMENTS, items: [{ text: 'x'.repeat(300) }] };
    await assert.rejects(read(JSON.stringify(large), 50, 200), NetworkError);
  });

  it('that ends too soon, or is no JSON, is an error', async () => {
    const text = JSON.stringify(DEPLOYMENTS);
    for (const broken of [text.slice(0, -1), text.slice(0, 100), text.replace('null', 'nul')])
      await assert.rejects(read(broken, 9), SyntaxError);
  });
});
