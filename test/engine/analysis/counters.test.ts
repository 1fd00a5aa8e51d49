// Raw counters of Pods become the requests of each look.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { knownAtStart, lookAt, type PodFacts, type Seen } from '../../../src/engine/analysis/counters.ts';
import { rows } from '../build.ts';
import { looksOf, type CountersFacts } from './looks.ts';

/** Samples of one Pod at the looks 0, 1, 2, …; undefined: none. */
type Row = readonly (number | undefined)[];
interface Sketch {
  readonly total: Readonly<Record<string, Row>>;
  readonly bad?: Readonly<Record<string, Row>>;
  readonly warmUp?: number;
  readonly comparesStable?: boolean;
}

const LOOKS = 4;
const samples = (of: Readonly<Record<string, Row>> = {}): CountersFacts['counters']['total'] =>
  new Map(
    Object.entries(of).map(([name, row]) => [
      name,
      new Map(row.flatMap((value, index) => (value === undefined ? [] : [[index * 10, value] as const]))),
    ]),
  );

/** A Pod `new-5` is of the new version and was created at 5; the release starts at 0, and there is a look every 10. */
function podsOf({ total }: Sketch): PodFacts[] {
  return Object.keys(total).map((name) => {
    const [arm, at] = name.split('@');
    return { name, arm: arm!.startsWith('new') ? 'fresh' : 'stable', createdAt: Number(at) };
  });
}
const see = (sketch: Sketch): Seen[] =>
  looksOf({
    counters: { total: samples(sketch.total), bad: samples(sketch.bad) },
    pods: podsOf(sketch),
    times: Array.from({ length: LOOKS }, (_, index) => index * 10),
    warmUpMs: sketch.warmUp ?? 0,
    comparesStable: sketch.comparesStable ?? false,
  });
/** `bad/total` of the new version and of the stable one, for each look. */
const brief = (seen: readonly Seen[]): string[] =>
  seen.map((one) =>
    'look' in one
      ? `${one.look.fresh.bad}/${one.look.fresh.total} ${one.look.stable.bad}/${one.look.stable.total}`
      : one.unknown,
  );

describe('the requests of a look', () => {
  rows(
    [
      [
        'are the differences of the counters',
        { total: { 'new@-9': [100, 110, 130, 130] }, bad: { 'new@-9': [1, 1, 3, 3] } },
        ['0/10 0/0', '2/20 0/0', '0/0 0/0'],
      ],
      [
        'of a Pod that was created in the release start at 0, also if the first sample of the counter is 1',
        { total: { 'new@5': [undefined, 8, 9, 10] }, bad: { 'new@5': [undefined, undefined, 1, 1] } },
        ['0/8 0/0', '1/1 0/0', '0/1 0/0'],
      ],
      [
        'of an older Pod start with its first sample',
        { total: { 'stable@-9': [undefined, 500, 510, 520] } },
        ['0/0 0/0', '0/0 0/10', '0/0 0/10'],
      ],
      [
        'after a restart are the whole counter',
        { total: { 'new@-9': [100, 110, 5, 15] }, bad: { 'new@-9': [9, 9, 2, 2] } },
        ['0/10 0/0', '2/5 0/0', '0/10 0/0'],
      ],
      [
        'after a restart without a bad request since are not bad',
        { total: { 'new@-9': [100, 110, 5, 15] }, bad: { 'new@-9': [9, 9, undefined, 1] } },
        ['0/10 0/0', '0/5 0/0', '1/10 0/0'],
      ],
      [
        'are added up over the Pods of a version',
        { total: { 'new-a@-9': [0, 1, 1, 1], 'new-b@-9': [0, 2, 2, 2], 'stable@-9': [5, 9, 9, 9] } },
        ['0/3 0/4', '0/0 0/0', '0/0 0/0'],
      ],
      [
        'come later if a sample is missing',
        { total: { 'new-a@-9': [0, undefined, 7, 7], 'new-b@-9': [0, 1, 1, 1] } },
        ['0/1 0/0', '0/7 0/0', '0/0 0/0'],
      ],
      [
        'do not count in the first time after the creation of the Pod',
        { total: { 'new@5': [undefined, 100, 110, 120] }, warmUp: 10 },
        ['0/0 0/0', '0/0 0/0', '0/10 0/0'],
      ],
      [
        'are counted once if a counter of bad ones is gone for a look',
        { total: { 'new@-9': [100, 110, 120, 130] }, bad: { 'new@-9': [5, 6, undefined, 6] } },
        ['1/10 0/0', '0/10 0/0', '0/10 0/0'],
      ],
    ],
    (sketch: Sketch, expected: string[]) => assert.deepEqual(brief(see(sketch)), expected),
  );
});

describe('a look is unknown', () => {
  const bad = (value: number): Sketch => ({ total: { 'new@-9': [0, 1, 2, 3] }, bad: { 'new@-9': [0, value, 0, 0] } });
  rows(
    [
      ['with NaN', bad(NaN), 'the source returned NaN for Pod new@-9'],
      ['with infinity', bad(Infinity), 'the source returned Infinity for Pod new@-9'],
      ['with a negative counter', bad(-1), 'the source returned -1 for Pod new@-9'],
      ['with more bad requests than requests', bad(2), 'more bad requests than requests in Pod new@-9'],
      [
        'without samples of the new version',
        { total: { 'new@-9': [], 'stable@-9': [0, 1, 2, 3] } },
        'the source has no counters of the new Pods',
      ],
      [
        'without samples of the stable version, if it is compared with',
        { total: { 'new@-9': [0, 1, 2, 3], 'stable@-9': [] }, comparesStable: true },
        'the source has no counters of the stable Pods',
      ],
    ],
    (sketch: Sketch, expected: string) => assert.equal(brief(see(sketch))[0], expected),
  );

  it('and the next one has what was missed', () =>
    assert.deepEqual(brief(see({ total: { 'new@-9': [0, 1, 9, 9] }, bad: { 'new@-9': [0, 2, 2, 2] } })).slice(0, 2), [
      'more bad requests than requests in Pod new@-9',
      '2/9 0/0',
    ]));

  it('but not while all Pods of the new version are young', () =>
    assert.deepEqual(brief(see({ total: { 'new@15': [] }, warmUp: 30 })), ['0/0 0/0', '0/0 0/0', '0/0 0/0']));
});

describe('a Pod that keeps its name', () => {
  const counting = { startedAt: 0, warmUpMs: 0, comparesStable: false };
  const counters = (total: number, at: number) => ({
    total: new Map([['web-0', new Map([[at, total]])]]),
    bad: new Map(),
  });
  it('starts again when it gets another version, although its counter is higher', () => {
    const pod = (arm: PodFacts['arm'], createdAt: number): PodFacts => ({ name: 'web-0', arm, createdAt });
    const stable = [pod('stable', -50)];
    const known = knownAtStart(counting, counters(100, 0), stable);
    const first = lookAt(counting, known, counters(110, 10), stable, 10);
    const second = lookAt(counting, first.known, counters(150, 20), [pod('fresh', 12)], 20);
    assert.deepEqual(brief([first.seen, second.seen]), ['0/0 0/10', '0/150 0/0']);
  });
});

describe('the looks', () => {
  const counter = fc.array(fc.option(fc.integer({ min: 0, max: 50 }), { nil: undefined }), {
    minLength: LOOKS,
    maxLength: LOOKS,
  });
  const pods = fc.dictionary(
    fc
      .tuple(fc.constantFrom('new', 'stable'), fc.integer({ min: 1, max: 9 }), fc.integer({ min: -20, max: 30 }))
      .map(([arm, id, at]) => `${arm}-${id}@${at}`),
    counter,
    { maxKeys: 5 },
  );

  it('do not depend on the order of the Pods', () =>
    fc.assert(
      fc.property(pods, pods, (total, bad) => {
        const turned = (of: Record<string, Row>): Record<string, Row> =>
          Object.fromEntries(Object.entries(of).reverse());
        const both = [see({ total, bad }), see({ total: turned(total), bad: turned(bad) })];
        const known = both.map((seen) => seen.map((one) => ('look' in one ? one.look : 'unknown')));
        assert.deepEqual(known[0], known[1]);
      }),
    ));

  it('do not depend on later samples', () =>
    fc.assert(
      fc.property(pods, pods, (total, bad) => {
        const cut = (of: Record<string, Row>): Record<string, Row> =>
          Object.fromEntries(Object.entries(of).map(([name, row]) => [name, row.slice(0, LOOKS - 1)]));
        const [all, early] = [see({ total, bad }), see({ total: cut(total), bad: cut(bad) })];
        assert.deepEqual(all.slice(0, LOOKS - 2), early.slice(0, LOOKS - 2));
      }),
    ));

  it('never have more bad requests than requests', () =>
    fc.assert(
      fc.property(pods, pods, (total, bad) => {
        for (const seen of see({ total, bad })) {
          if (!('look' in seen)) continue;
          for (const { total: all, bad: failed } of [seen.look.fresh, seen.look.stable])
            assert.ok(failed >= 0 && failed <= all);
        }
      }),
    ));
});
