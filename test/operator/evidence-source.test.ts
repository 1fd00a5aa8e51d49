// What the operator asks the sources of checks for: after a restart, after a long silence, and when answers are too long.
import assert from 'node:assert/strict';
import type { AnalysisCheck } from '../../src/api/analysis.ts';
import type { Finding } from '../../src/engine/analysis/watch.ts';
import type { Series, Unknown } from '../../src/metric-sources/source.ts';
import { EvidenceWatches } from '../../src/operator/evidence.ts';

const HOUR = 3_600_000;
const START = Date.parse('2026-01-01T12:00:00Z');
const QUEUE: AnalysisCheck = {
  name: 'queue',
  intervalSeconds: 5,
  source: 'main',
  value: { query: 'max(queue)', max: 10 },
};

/** Answers a question about the looks from `fromMs` to `toMs`. */
type Answer = (fromMs: number, toMs: number) => readonly Series[] | Unknown;

/** The watch of one check in virtual time. */
class Bench {
  now = START;
  readonly asked: { readonly from: number; readonly to: number; readonly looks: number }[] = [];
  private readonly timers: { readonly at: number; readonly run: () => void }[] = [];
  private readonly watches: EvidenceWatches;

  constructor(
    check: AnalysisCheck,
    { hasHistory, startedAt }: { hasHistory: boolean; startedAt: number },
    answer: Answer,
  ) {
    const source = {
      hasHistory,
      close: () => undefined,
      range: async (_: unknown, from: number, to: number, step: number) => {
        this.asked.push({ from, to, looks: (to - from) / step + 1 });
        return Promise.resolve(answer(from, to));
      },
    };
    this.watches = new EvidenceWatches({
      sources: { get: () => source },
      findObject: () => Promise.resolve(undefined),
      clock: {
        now: () => this.now,
        after: (ms: number, run: () => void) => {
          const timer = { at: this.now + ms, run };
          this.timers.push(timer);
          return () => void this.timers.splice(this.timers.indexOf(timer), 1);
        },
      } as never,
      wake: () => undefined,
    });
    const names = { namespace: 'shop', workload: 'web', pods: 'app=web', rolloutID: 'r2' };
    const release = { ...names, revision: 'v2', stableRevision: 'v1', startedAt, ratioChecks: 0 };
    this.watches.open('web', { release, checks: [check], pods: [] });
  }

  get finding(): Finding | undefined {
    return this.watches.get('web')?.[0];
  }

  async run(ms: number): Promise<void> {
    const until = this.now + ms;
    for (;;) {
      // All promises of a look are settled.
      await new Promise(setImmediate);
      const [next] = this.timers.toSorted((a, b) => a.at - b.at);
      if (next === undefined || next.at > until) break;
      this.timers.splice(this.timers.indexOf(next), 1);
      this.now = Math.max(this.now, next.at);
      next.run();
    }
    this.now = until;
  }
}

const value = (number: number, at: number): Series[] => [{ pod: undefined, samples: new Map([[at, number]]) }];

describe('the evidence of a check', () => {
  it('has one look at a source without a past after a restart, however long the release is', async () => {
    const bench = new Bench(QUEUE, { hasHistory: false, startedAt: START - 3 * HOUR }, (_, to) => value(99, to));
    await bench.run(0);
    assert.equal(bench.asked.length, 1);
    assert.equal(bench.finding?.verdict, 'Open');
    await bench.run(4_999);
    assert.equal(bench.finding.verdict, 'Open', 'two bad looks');
  });

  it('notes the looks that nobody had as looks without data', async () => {
    const bench = new Bench(QUEUE, { hasHistory: false, startedAt: START - 3 * HOUR }, (_, to) => value(1, to));
    await bench.run(0);
    const to = bench.asked[0]!.to;
    assert.deepEqual(bench.finding?.unseen, [{ from: START - 3 * HOUR + 5_000, to: to - 5_000 }]);
  });

  it('asks for fewer looks at a time until the answers are not too long', async () => {
    const bench = new Bench(QUEUE, { hasHistory: true, startedAt: START - HOUR }, (from, to) =>
      to - from > 20 * 5_000 ? { unknown: 'the answer has more than 1048576 bytes' } : value(1, to),
    );
    await bench.run(HOUR);
    assert.equal(bench.finding?.lastAt, START + HOUR - 5_000);
    assert.deepEqual(
      bench.finding.unseen.filter(({ to }) => to > START + HOUR / 2),
      [],
    );
  });
});
