// The check `ratio`, look by look.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Seen } from '../../../src/engine/analysis/counters.ts';
import { evidenceOf, judgeRatio, startRatio, type RatioCheck } from '../../../src/engine/analysis/ratio.ts';
import { rows } from '../build.ts';

const NOTHING = new Map();
/** `2/30 1/90`: bad requests of all, of the new and of the stable version. Anything else: why nothing is seen. */
function looks(...texts: string[]): Seen[] {
  return texts.map((text, index): Seen => {
    const at = (index + 1) * 30;
    const numbers = /^(\d+)\/(\d+) (\d+)\/(\d+)$/.exec(text)?.slice(1).map(Number);
    if (!numbers) return { at, unknown: text };
    const [c, n, s, m] = numbers as [number, number, number, number];
    return { at, look: { fresh: { bad: c, total: n }, stable: { bad: s, total: m } }, byPod: NOTHING };
  });
}
const times = (count: number, text: string): string[] => Array.from({ length: count }, () => text);
const judged = (check: RatioCheck, ...texts: string[]) => judgeRatio(check, 1, startRatio(check, 0), looks(...texts));

describe('the verdict', () => {
  rows(
    [
      ['Open without a look', { timesStable: 1.5 }, [], 'Open since 0'],
      ['Open as long as nothing is shown', { timesStable: 1.5 }, times(5, '0/30 0/270'), 'Open since 0'],
      ['Worse if the new version is clearly worse', { timesStable: 1.5 }, times(9, '30/300 3/2700'), 'Worse since 90'],
      ['not Worse if both fail together', { timesStable: 1.5 }, times(60, '30/300 270/2700'), 'Fine since 90'],
      ['Worse above the limit', { limit: 0.01 }, times(9, '30/300 0/0'), 'Worse since 90'],
      ['Fine below the limit', { limit: 0.01 }, times(9, '0/300 0/0'), 'Fine since 90'],
      [
        'Open below the limit, but against the stable version nothing is shown',
        { limit: 0.01, timesStable: 1 },
        times(9, '0/300 0/2700'),
        'Open since 0',
      ],
      [
        'Worse above the limit, also if the stable version is as bad',
        { limit: 0.01, timesStable: 1 },
        times(9, '30/300 300/3000'),
        'Worse since 90',
      ],
      [
        'Unknown at once if nothing is seen',
        { limit: 0.01 },
        [...times(2, '0/300 0/0'), 'refused'],
        'Unknown since 90 refused',
      ],
      [
        'Unknown since the first such look',
        { limit: 0.01 },
        ['0/300 0/0', 'refused', 'empty'],
        'Unknown since 60 empty',
      ],
      ['Open again after that', { limit: 0.01 }, ['0/30 0/0', 'refused', '0/30 0/0'], 'Open since 90'],
      [
        'never Worse by looks at which nothing is seen',
        { limit: 0.01 },
        times(100, 'refused'),
        'Unknown since 30 refused',
      ],
      [
        'Worse for ever',
        { limit: 0.01 },
        [...times(9, '30/300 0/0'), 'refused', ...times(99, '0/300 0/0')],
        'Worse since 90',
      ],
      ['Worse after Fine', { limit: 0.01 }, [...times(9, '0/300 0/0'), ...times(20, '60/300 0/0')], 'Worse since 450'],
    ],
    (check: RatioCheck, texts: string[], expected: string) => {
      const { verdict, since, why } = judged(check, ...texts);
      assert.equal([verdict, 'since', since, ...(why === undefined ? [] : [why])].join(' '), expected);
    },
  );

  it('needs more evidence if the release has more checks', () => {
    const check = { limit: 0.01 };
    const seen = looks(...times(3, '6/100 0/0'));
    const [one, ten] = [1, 10].map((checks) => judgeRatio(check, checks, startRatio(check, 0), seen));
    assert.equal(one!.verdict, 'Worse');
    assert.equal(ten!.verdict, 'Open');
    assert.ok(evidenceOf(check, 1, one!).evidence > 100);
  });

  it('comes with the numbers that it is based on', () => {
    const { fresh, stable } = judged({ timesStable: 1 }, '1/10 2/90', 'refused', '0/10 1/90');
    assert.deepEqual({ fresh, stable }, { fresh: { total: 20, bad: 1 }, stable: { total: 180, bad: 3 } });
  });
});

describe('a stored state', () => {
  const count = fc.integer({ min: 0, max: 40 });
  const text = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(count, count, count, count).map(([c, n, s, m]) => `${c}/${c + n} ${s}/${s + m}`) },
    { weight: 1, arbitrary: fc.constant('refused') },
  );
  const check = fc.constantFrom<RatioCheck>({ limit: 0.1 }, { timesStable: 1.5 }, { limit: 0.2, timesStable: 1 });

  it('goes on as if nothing had happened, at any look', () =>
    fc.assert(
      fc.property(check, fc.array(text, { maxLength: 30 }), fc.nat(30), (given, texts, cut) => {
        const seen = looks(...texts);
        const live = seen.reduce((state, one) => judgeRatio(given, 2, state, [one]), startRatio(given, 0));
        const replay = judgeRatio(given, 2, startRatio(given, 0), seen);
        const stored = JSON.parse(JSON.stringify(judgeRatio(given, 2, startRatio(given, 0), seen.slice(0, cut))));
        const resumed = judgeRatio(given, 2, stored, seen.slice(cut));
        assert.deepEqual(live, replay);
        assert.deepEqual(resumed, replay);
      }),
    ));
});
