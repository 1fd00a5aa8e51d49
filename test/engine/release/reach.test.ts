// Where the webhooks reach, and what a Rollout elsewhere is told.
import assert from 'node:assert/strict';
import { notReached, unreachedBy, type Reached } from '../../../src/engine/release/reach.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { rows } from '../build.ts';

describe('a namespace is reached', () => {
  const table: readonly (readonly [what: string, reached: Reached, namespace: string, why: RegExp | undefined])[] = [
    ['where all are', { watched: [] }, 'shop', undefined],
    ['where it is one of those that are watched', { watched: ['a', 'shop'] }, 'shop', undefined],
    [
      'not where others are',
      { watched: ['a'] },
      'shop',
      /is not in watchNamespaces, so a Rollout has no effect there; add it to watchNamespaces of the chart \(now a\), or use one of these$/,
    ],
    ['not where the program runs', { own: 'tranche', watched: [] }, 'tranche', /is the namespace of Tranche/],
    [
      'not where the program runs, even when it is watched',
      { own: 'tranche', watched: ['tranche'] },
      'tranche',
      /is the namespace of Tranche/,
    ],
    [
      'not where the cluster itself runs',
      { watched: ['kube-system'] },
      'kube-system',
      /is excluded from the webhooks.*; use another namespace$/,
    ],
    [
      'not where the cluster itself runs, even with the program in it',
      { own: 'kube-system', watched: [] },
      'kube-system',
      /is excluded/,
    ],
  ];
  rows(table, (reached, namespace, why) => {
    const found = unreachedBy(reached)(namespace);
    if (why === undefined) assert.equal(found, undefined);
    else assert.match(sentence(found!), why);
  });

  it('or five of those that are are named', () => {
    const watched = ['a', 'b', 'c', 'd', 'e'];
    assert.match(unreachedBy({ watched })('shop')!.remedy, /now a, b, c, d, e/);
    assert.match(unreachedBy({ watched: [...watched, 'f', 'g'] })('shop')!.remedy, /now a, b, c, d, e and 2 more/);
  });

  it('or not, and the Rollout says so', () => {
    const found = unreachedBy({ watched: ['a'] })('shop')!;
    assert.match(
      notReached('Deployment', 'web', found),
      /^Deployment "web" is not released in steps: namespace "shop" is not in watchNamespaces/,
    );
  });
});
