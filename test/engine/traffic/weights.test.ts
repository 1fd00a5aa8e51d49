// The backends of a rule: weights that read well, and shares that stay exact.
import assert from 'node:assert/strict';
import type { BackendRef } from '../../../src/api/traffic.ts';
import type { Split } from '../../../src/engine/traffic/split.ts';
import { splitRefs, stripRefs, weightOf } from '../../../src/engine/traffic/weights.ts';
import { rows } from '../build.ts';
import { apart, NAMESPACE, ref, shared } from './build.ts';

const weights = (refs: readonly BackendRef[]): string =>
  refs.map(({ name, weight }) => `${name}=${weight ?? ''}`).join(' ');

describe('the weights of a split', () => {
  const table: readonly (readonly [what: string, refs: readonly BackendRef[], split: Split, wanted: string])[] = [
    ['are percentages where they can be', [ref('web')], apart(50), 'web=0 web-stable=95 web-canary=5'],
    ['are thousandths where they must be', [ref('web')], shared(66), 'web=934 web-canary=66'],
    ['start from the smallest numbers of the same proportion', [ref('web', 500)], shared(250), 'web=75 web-canary=25'],
    [
      'leave other backends their share',
      [ref('web', 1), ref('other', 2)],
      apart(500),
      'web=0 web-stable=50 web-canary=50 other=200',
    ],
    [
      'are the smallest that are exact where others would be too large',
      [ref('web', 3), ref('other', 50_000)],
      apart(500),
      'web=0 web-stable=3 web-canary=3 other=100000',
    ],
    [
      'divide each ref to the Service, of another port too',
      [ref('web', 1), ref('web', 3, { port: 81 })],
      shared(100),
      'web=90 web-canary=10 web=270 web-canary=30',
    ],
    ['count an absent weight as 1', [{ name: 'web', port: 80 }], shared(500), 'web=50 web-canary=50'],
    ['leave a Service without requests alone', [ref('web', 0), ref('other')], apart(500), 'web=0 other=1'],
  ];
  rows(table, (refs, split, wanted) => assert.equal(weights(splitRefs(refs, split, NAMESPACE)), wanted));

  it('keep port and filters of the ref in its legs', () => {
    const filters = [{ type: 'ExtensionRef' }];
    const split = splitRefs([ref('web', 1, { filters })], apart(100), NAMESPACE);
    assert.deepEqual(split[2], ref('web-canary', 10, { filters }));
  });

  it('count what the API server refuses as absent, in a false record', () => {
    for (const weight of [-1, 0.5, 2e6, Number.NaN]) assert.equal(weightOf({ name: 'web', weight }), 1);
    assert.equal(weightOf({ name: 'web', weight: 'many' as unknown as number }), 1);
  });
});

describe('the backends without legs', () => {
  const of = (refs: readonly BackendRef[]): string =>
    weights(stripRefs(refs, { service: 'web', record: undefined, candidates: [], own: NAMESPACE }));
  const table: readonly (readonly [what: string, refs: readonly BackendRef[], wanted: string])[] = [
    ['are what they were where no leg is', [ref('web', 4), ref('other', 2)], 'web=4 other=2'],
    [
      'count a leg as the ref that it stands behind',
      [ref('web', 0), ref('web-stable', 95), ref('web-canary', 5)],
      'web=1',
    ],
    [
      'stay apart by port',
      [ref('web', 90), ref('web', 180, { port: 81 }), ref('web-canary', 20, { port: 81 })],
      'web=9 web=20',
    ],
    ['are the Service where only legs are left', [ref('web-stable', 1), ref('web-canary', 1)], 'web=1'],
    [
      'keep a leg of another namespace: it is not ours',
      [ref('web-canary', 7, { namespace: 'elsewhere' })],
      'web-canary=7',
    ],
    ['may all have weight 0', [ref('web', 0), ref('web-canary', 0)], 'web=0'],
  ];
  rows(table, (refs, wanted) => assert.equal(of(refs), wanted));
});
