// The check `pods`: one value per Pod, compared by rank.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { chanceOfHigher, judgeRank, startRank, type PodValues } from '../../../src/engine/analysis/rank.ts';
import { rows } from '../build.ts';

describe('the probability of a difference by chance', () => {
  rows(
    [
      ['1 of 10', [9], [1, 2, 3, 4, 5, 6, 7, 8, 0], 1 / 10],
      ['2 of 10', [9, 8], [1, 2, 3, 4, 5, 6, 7, 0], 1 / 45],
      ['3 of 10', [9, 8, 7], [1, 2, 3, 4, 5, 6, 0], 1 / 120],
      ['in the middle', [2], [1, 3], 2 / 3],
      ['all equal', [5, 5], [5, 5, 5], 1],
      ['the lowest', [0], [1, 2], 1],
    ],
    (fresh: number[], stable: number[], expected: number) =>
      assert.ok(Math.abs(chanceOfHigher(fresh, stable) - expected) < 1e-12),
  );

  it('is that of all orders, counted one by one', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 }),
        (fresh, stable) => assert.ok(Math.abs(chanceOfHigher(fresh, stable) - counted(fresh, stable)) < 1e-9),
      ),
    ));

  it('is nearly the same by the approximation for many Pods', () => {
    // 41 Pods are too many for the exact way, 40 are not.
    const stable = Array.from({ length: 30 }, (_, index) => index);
    for (const shift of [0, 5, 10]) {
      const fresh = Array.from({ length: 10 }, (_, index) => 3 * index + shift + 0.5);
      const exact = chanceOfHigher(fresh, stable);
      const nearly = chanceOfHigher(fresh, [...stable, 14.5]);
      assert.ok(Math.abs(exact - nearly) < 0.02, `${exact} ${nearly}`);
    }
  });

  it('takes 10,000 Pods', () => {
    const many = Array.from({ length: 9_000 }, (_, index) => index % 997);
    assert.ok(chanceOfHigher(many.slice(0, 1_000), many) > 0.01);
    assert.ok(
      chanceOfHigher(
        many.slice(0, 1_000).map((value) => value + 100),
        many,
      ) < 0.001,
    );
  });
});

/** The same by its definition: the mean ranks of all ways to choose. */
function counted(fresh: readonly number[], stable: readonly number[]): number {
  const all = [...fresh, ...stable];
  const rank = (value: number): number =>
    all.filter((one) => one < value).length + (all.filter((one) => one === value).length + 1) / 2;
  const reached = fresh.reduce((sum, value) => sum + rank(value), 0);
  let [ways, high] = [0, 0];
  for (let chosen = 0; chosen < 2 ** all.length; chosen++) {
    const picked = all.filter((_, index) => (chosen >> index) % 2 === 1);
    if (picked.length !== fresh.length) continue;
    ways += 1;
    if (picked.reduce((sum, value) => sum + rank(value), 0) >= reached - 1e-9) high += 1;
  }
  return high / ways;
}

describe('the verdict', () => {
  const high: Omit<PodValues, 'at'> = { fresh: [20, 21, 22], stable: [1, 2, 3, 4, 5, 6, 7] };
  const same: Omit<PodValues, 'at'> = { fresh: [3, 4, 5], stable: [1, 2, 3, 4, 5, 6, 7] };
  const three: Omit<PodValues, 'at'> = { fresh: [1, 2, 3], stable: [1, 2, 3, 4, 5, 6] };
  const few: Omit<PodValues, 'at'> = { fresh: [20, 21], stable: high.stable };
  const none: Omit<PodValues, 'at'> = { fresh: [], stable: high.stable };
  const broken: Omit<PodValues, 'at'> = { fresh: [NaN, 1, 2], stable: high.stable };
  rows(
    [
      ['Open at first', [high, high], 'Open since 0'],
      ['Worse after three looks in a row', [high, high, high], 'Worse since 3'],
      ['not with another look between', [high, high, same, high, high], 'Open since 0'],
      ['Fine after three looks in a row', [same, same, same], 'Fine since 3'],
      [
        'Open with fewer than three new Pods',
        [few, few, few, few],
        'Open since 0 too few Pods to compare (2 new, 7 stable)',
      ],
      [
        'Open as long as no difference between so many Pods could be shown',
        [three, three, three],
        'Open since 0 too few Pods to compare (3 new, 6 stable)',
      ],
      ['Unknown without values of the new version', [none], 'Unknown since 1 no values of Pods of the new version'],
      [
        'Unknown without values of the stable version',
        [{ ...high, stable: [] }],
        'Unknown since 1 no values of Pods of the stable version',
      ],
      [
        'Unknown with a value that is not a number',
        [high, broken, broken],
        'Unknown since 2 the source returned a value that is not a number',
      ],
      ['Worse for ever', [high, high, high, none, same], 'Worse since 3'],
    ],
    (looks: Omit<PodValues, 'at'>[], expected: string) => {
      const state = looks.reduce(
        (before, look, index) => judgeRank(1, before, { at: index + 1, ...look }),
        startRank(0),
      );
      const { verdict, since, why } = state;
      assert.equal([verdict, 'since', since, ...(why === undefined ? [] : [why])].join(' '), expected);
    },
  );

  it('allows so many times the stable values', () => {
    const judged = (times: number) =>
      [1, 2, 3].reduce((before, at) => judgeRank(times, before, { at, ...high }), startRank(0)).verdict;
    assert.equal(judged(1.5), 'Worse');
    assert.equal(judged(5), 'Fine');
  });
});
