// What a check has seen: the laws of the fold, and each kind of check in words.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AnalysisCheck } from '../../../src/api/analysis.ts';
import type { PodFacts } from '../../../src/engine/analysis/counters.ts';
import type { Release, Series } from '../../../src/engine/analysis/query.ts';
import {
  dueRange,
  findingOf,
  miss,
  nextReadAt,
  see,
  seeObject,
  startWatch,
  type Finding,
  type Watch,
} from '../../../src/engine/analysis/watch.ts';
import { rows } from '../build.ts';

const START = 1_000_000;
const STEP = 30_000;
const RELEASE: Release = {
  namespace: 'shop',
  workload: 'web',
  pods: 'app=web',
  rolloutID: 'r2',
  revision: 'v2',
  stableRevision: 'v1',
  startedAt: START,
  ratioChecks: 1,
};
const ERRORS: AnalysisCheck = {
  name: 'errors',
  warmUpSeconds: 0,
  ratio: { bad: 'bad', total: 'all', limit: '1%', timesStable: 2 },
};

/** Counters of one Pod at the looks 0, 1, 2, …: requests and bad requests so far; null = no sample. */
type Row = readonly (readonly [total: number, bad: number] | null)[];
type World = Readonly<Record<string, Row>>;
const podsOf = (world: World): PodFacts[] =>
  Object.keys(world).map((name) => ({
    name,
    arm: name.startsWith('web-v2') ? 'fresh' : 'stable',
    createdAt: name.startsWith('web-v2') ? START + 1 : START - 900_000,
  }));

/** What a source answers for these looks. */
const answer = (world: World, which: 0 | 1, fromMs: number, toMs: number): Series[] =>
  Object.entries(world).map(([pod, row]) => ({
    pod,
    samples: new Map(
      row.flatMap((counters, look) => {
        const at = START + look * STEP;
        return counters === null || at < fromMs || at > toMs ? [] : [[at, counters[which]] as const];
      }),
    ),
  }));

/** Reads what is due at a time, `most` looks with each question. */
function read(watch: Watch, world: World, now: number, most = 500): Watch {
  for (let range = dueRange(watch, now, most); range; range = dueRange(watch, now, most)) {
    const { fromMs, toMs } = range;
    watch = see(watch, range, [answer(world, 0, fromMs, toMs), answer(world, 1, fromMs, toMs)], podsOf(world));
  }
  return watch;
}
const timeOf = (look: number): number => START + look * STEP + 10_000;
const brief = ({ verdict, since, fresh, stable, evidence }: Finding): unknown => ({
  verdict,
  since,
  fresh,
  stable,
  evidence,
});
const judged = (world: World, looks: number, check = ERRORS): unknown =>
  brief(findingOf(read(startWatch(check, RELEASE), world, timeOf(looks))));

const LOOKS = 12;
/** Random Pods of both versions, which restart and lose samples. */
const worlds = fc
  .dictionary(
    fc.constantFrom('web-v2-a', 'web-v2-b', 'web-v1-a', 'web-v1-b', 'web-v1-c'),
    fc.array(fc.tuple(fc.nat(200), fc.nat(30), fc.constantFrom('plain', 'plain', 'plain', 'lost', 'restart')), {
      minLength: LOOKS + 1,
      maxLength: LOOKS + 1,
    }),
    { minKeys: 1 },
  )
  .map((random): World =>
    Object.fromEntries(
      Object.entries(random).map(([pod, looks]) => {
        let [total, bad] = [0, 0];
        const row = looks.map(([more, share, what]): Row[number] => {
          if (what === 'restart') [total, bad] = [0, 0];
          total += more;
          bad += Math.floor((more * share) / 100);
          return what === 'lost' ? null : [total, bad];
        });
        return [pod, row];
      }),
    ),
  );

describe('the fold', () => {
  const looks = fc.integer({ min: 1, max: LOOKS });

  it('says the same live, in pieces, and after a crash at any look', () =>
    fc.assert(
      fc.property(worlds, looks, fc.integer({ min: 1, max: 4 }), (world, until, most) => {
        const replayed = judged(world, until);
        let live = startWatch(ERRORS, RELEASE);
        for (let look = 1; look <= until; look += 1) live = read(live, world, timeOf(look));
        assert.deepEqual(brief(findingOf(live)), replayed);
        const pieces = read(startWatch(ERRORS, RELEASE), world, timeOf(until), most);
        assert.deepEqual(brief(findingOf(pieces)), replayed);
      }),
    ));

  it('says the same after a time without answers', () =>
    fc.assert(
      fc.property(worlds, looks, fc.integer({ min: 0, max: LOOKS - 1 }), (world, from, until) => {
        let watch = read(startWatch(ERRORS, RELEASE), world, timeOf(until));
        watch = miss(watch, 'connection refused', timeOf(from));
        const { verdict } = findingOf(watch);
        assert.ok(verdict === 'Unknown' || verdict === 'Worse');
        watch = read({ ...watch }, world, timeOf(LOOKS));
        assert.deepEqual(brief(findingOf(watch)), judged(world, LOOKS));
      }),
    ));

  it('does not depend on later samples, and Worse stays', () =>
    fc.assert(
      fc.property(worlds, looks, (world, until) => {
        const cut = Object.fromEntries(Object.entries(world).map(([pod, row]) => [pod, row.slice(0, until + 1)]));
        assert.deepEqual(judged(cut, until), judged(world, until));
        const then = judged(world, until) as Finding;
        if (then.verdict === 'Worse') assert.equal((judged(world, LOOKS) as Finding).verdict, 'Worse');
      }),
    ));

  it('does not depend on the order of Pods', () =>
    fc.assert(
      fc.property(worlds, (world) => {
        const reversed = Object.fromEntries(Object.entries(world).reverse());
        assert.deepEqual(judged(reversed, LOOKS), judged(world, LOOKS));
      }),
    ));

  it('never becomes Worse without data, and never Fine with numbers that cannot be', () =>
    fc.assert(
      fc.property(worlds, fc.constantFrom(NaN, Infinity, -1), (world, wrong) => {
        let watch = startWatch(ERRORS, RELEASE);
        for (let look = 1; look <= LOOKS; look += 1) watch = miss(watch, 'down', timeOf(look));
        assert.equal(findingOf(watch).verdict, 'Unknown');
        const broken = Object.fromEntries(
          Object.keys(world).map((pod) => [pod, Array.from({ length: LOOKS + 1 }, () => [wrong, 0] as const)]),
        );
        const { verdict } = judged(broken, LOOKS) as Finding;
        assert.notEqual(verdict, 'Worse');
        assert.notEqual(verdict, 'Fine');
      }),
    ));

  it('finds what is worse: the laws above can fail', () => {
    const row = (share: number): Row => Array.from({ length: 9 }, (_, look) => [look * 200, look * 200 * share]);
    const world = { 'web-v2-a': row(0.2), 'web-v1-a': row(0), 'web-v1-b': row(0) };
    assert.equal((judged(world, 8) as Finding).verdict, 'Worse');
    assert.equal((judged({ ...world, 'web-v2-a': row(0) }, 8) as Finding).verdict, 'Open');
  });

  it('names the one Pod that has nearly all bad requests, of three and more', () => {
    const row = (share: number): Row => Array.from({ length: 9 }, (_, look) => [look * 200, look * 200 * share]);
    const world = { 'web-v2-a': row(0.5), 'web-v2-b': row(0), 'web-v2-c': row(0), 'web-v1-a': row(0) };
    const onePod = (of: World): unknown => findingOf(read(startWatch(ERRORS, RELEASE), of, timeOf(8))).onePod;
    assert.equal(onePod(world), 'web-v2-a');
    assert.equal(onePod({ ...world, 'web-v2-b': row(0.5) }), undefined);
    const { 'web-v2-c': _, ...two } = world;
    assert.equal(onePod(two), undefined);
  });

  it('counts Pods that are gone, by the names of their ReplicaSets', () => {
    const row: Row = [[0, 0], [100, 0], [200, 0], null, null];
    const gone = { 'web-v2-a': row, 'web-v1-a': row, 'web-v9-a': row, 'webs-v2-a': row };
    const range = dueRange(startWatch(ERRORS, RELEASE), timeOf(4), 500)!;
    const answers = [0, 1].map((which) => answer(gone, which as 0 | 1, range.fromMs, range.toMs));
    const { fresh, stable } = findingOf(see(startWatch(ERRORS, RELEASE), range, answers, []));
    assert.deepEqual(fresh, { total: 200, bad: 0 });
    assert.deepEqual(stable, { total: 200, bad: 0 });
    const late = { 'web-v1-a': [null, ...row] };
    const counted = [0, 1].map((which) => answer(late, which as 0 | 1, range.fromMs, range.toMs));
    const said = findingOf(see(startWatch(ERRORS, RELEASE), range, counted, []));
    assert.deepEqual(said.stable, { total: 200, bad: 0 }, 'the first sample is where a Pod of before is counted from');
  });

  it('does not count what Pods of this version did in an earlier release', () => {
    const before: Row = [[1000, 900], [1000, 900], [1000, 900], null, null];
    const range = dueRange(startWatch(ERRORS, RELEASE), timeOf(4), 500)!;
    const answers = [0, 1].map((which) => answer({ 'web-v2-z': before }, which as 0 | 1, range.fromMs, range.toMs));
    const { fresh } = findingOf(see(startWatch(ERRORS, RELEASE), range, answers, []));
    assert.deepEqual(fresh, { total: 0, bad: 0 });
  });

  it('takes no name of a Pod from a source that cannot be one, and not more than some thousands', () => {
    const row: Row = [[0, 0], [100, 90], null, null];
    const range = dueRange(startWatch(ERRORS, RELEASE), timeOf(4), 500)!;
    const seen = (names: readonly string[]): Finding => {
      const rows = Object.fromEntries(names.map((name) => [name, row]));
      const answers = [0, 1].map((which) => answer(rows, which as 0 | 1, range.fromMs, range.toMs));
      return findingOf(see(startWatch(ERRORS, RELEASE), range, answers, []));
    };
    assert.equal(seen(['web-v2-\u001b[31m', 'web-v2-A', `web-v2-${'a'.repeat(300)}`]).fresh?.total, 0);
    const many = Array.from({ length: 5_000 }, (_, index) => `web-v2-${index}`);
    assert.equal(seen(many).fresh?.total, 200_000);
  });
});

describe('the looks that are due', () => {
  const watch = startWatch(ERRORS, RELEASE);
  rows(
    [
      ['are none at the start', START, 9, undefined],
      ['are none before the source can have the samples', START + 39_999, 9, undefined],
      ['begin with the counters at the start', START + 40_000, 9, [START, START + 30_000]],
      ['are all that were missed', START + 100_000, 9, [START, START + 90_000]],
      ['are so many at most', START + 100_000, 2, [START, START + 60_000]],
    ],
    (now: number, most: number, expected: readonly number[] | undefined) => {
      const range = dueRange(watch, now, most);
      assert.deepEqual(range && [range.fromMs, range.toMs], expected);
    },
  );
  it('come when the next one can be read', () => assert.equal(nextReadAt(watch), START + 40_000));
});

describe('the words of a check', () => {
  const range = { fromMs: START + STEP, toMs: START + STEP, stepMs: STEP };
  const one = (value: number | undefined): Series[] =>
    value === undefined ? [] : [{ pod: undefined, samples: new Map([[START + STEP, value]]) }];
  const ofPods = (values: Readonly<Record<string, number>>): Series[] =>
    Object.entries(values).map(([pod, value]) => ({ pod, samples: new Map([[START + STEP, value]]) }));
  const words = (check: AnalysisCheck, answers: Series[], pods: PodFacts[] = []): string => {
    const { verdict, message } = findingOf(see(startWatch(check, RELEASE), range, [answers], pods));
    return `${verdict}: ${message}`;
  };
  const queue: AnalysisCheck = { name: 'queue', value: { query: 'q', min: 1, max: 1000, failures: 2 } };
  rows(
    [
      ['a good value', queue, one(12), 'Open: the value is 12, and must be at least 1 and at most 1000'],
      [
        'a bad value',
        queue,
        one(1204.123456),
        'Open: the value is 1204.12, and must be at least 1 and at most 1000 (1 of 2 bad values in a row)',
      ],
      ['no value', queue, one(undefined), 'Unknown: the query returned nothing'],
      [
        'two values',
        queue,
        [...one(1), ...one(2)],
        'Unknown: the query returned 2 series, and a check needs one: use sum() or max()',
      ],
      ['no number', queue, one(NaN), 'Unknown: the source returned NaN'],
    ],
    (check: AnalysisCheck, answers: Series[], expected: string) => assert.equal(words(check, answers), expected),
  );

  it('values of Pods', () => {
    const check: AnalysisCheck = { name: 'memory', warmUpSeconds: 0, pods: { resource: 'memory', timesStable: 1.5 } };
    const values = { a: 100, b: 100, c: 100, d: 10, e: 10, f: 10, g: 10, h: 10, i: 10, j: 10 };
    const pods = Object.keys(values).map((name): PodFacts => ({
      name,
      arm: name < 'd' ? 'fresh' : 'stable',
      createdAt: START,
    }));
    assert.match(
      words(check, ofPods(values), pods),
      /^Open: memory of the new Pods is above 1\.5 times that of the stable Pods, for 1 look$/,
    );
    assert.match(words(check, [], pods), /^Unknown: no values of Pods of the new version$/);
    assert.match(words(check, [], pods.slice(3)), /^Open: /);
  });

  it('a condition', () => {
    const check: AnalysisCheck = {
      name: 'smoke',
      condition: { apiVersion: 'batch/v1', kind: 'Job', ok: 'Complete', failed: 'Failed' },
    };
    const job = (type?: string): object => ({
      metadata: { name: 'smoke-1' },
      status: { conditions: type === undefined ? [] : [{ type, status: 'True' }] },
    });
    const said = (object: object | undefined): string => {
      const { verdict, message } = findingOf(seeObject(startWatch(check, RELEASE), object as never, START));
      return `${verdict}: ${message}`;
    };
    assert.equal(said(undefined), 'Unknown: there is no Job with the id of this release');
    assert.equal(said(job()), 'Open: Job smoke-1 is not done');
    assert.equal(said(job('Complete')), 'Fine: Job smoke-1 has the condition Complete');
    assert.equal(said(job('Failed')), 'Worse: Job smoke-1 has the condition Failed');
  });
});
