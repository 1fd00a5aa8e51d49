import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { run } from '../../../support/processes.ts';
import type { Point } from '../../../../tools/bench/stats.ts';
import { judge } from '../../../../tools/bench/soak/judge.ts';

/** The same numbers in every run. */
const noise = (i: number): number => Math.sin(i * 12.9898) * 0.5;
const series = (f: (i: number) => number, length = 60): Point[] => Array.from({ length }, (_, i) => [i * 3, f(i)]);
const rule = { absolute: 2, share: 0.05 };

describe('the judge of the soak', () => {
  const flat: Readonly<Record<string, (i: number) => number>> = {
    'noise around a level': (i) => 100 + 20 * noise(i),
    'a saw that is filled and emptied': (i) => 100 + (i % 9) * 5,
    'a jump that stays': (i) => (i < 50 ? 100 : 160) + noise(i),
    'a growth too small to tell': (i) => 100 + i * 0.05 + noise(i),
    'a level that sinks': (i) => 200 - i + noise(i),
    spikes: (i) => (i % 7 === 3 ? 300 : 100) + noise(i),
  };
  for (const [what, f] of Object.entries(flat)) {
    it(`calls flat: ${what}`, () => assert.equal(judge(series(f), rule).leaks, false));
  }

  const leaks: Readonly<Record<string, (i: number) => number>> = {
    'a growth as steady as can be': (i) => 100 + i,
    'one under noise': (i) => 100 + i * 0.5 + 10 * noise(i),
    'one under the saw of a collector': (i) => 100 + i * 2 + (i % 9) * 4,
    'one in stairs': (i) => 100 + Math.floor(i / 10) * 5,
    'one with spikes': (i) => (i % 7 === 3 ? 300 : 100) + i * 2,
  };
  for (const [what, f] of Object.entries(leaks)) {
    it(`finds: ${what}`, () => assert.equal(judge(series(f), rule).leaks, true));
  }

  it('says by how much it grows', () => {
    const { slope, growth, steadiness } = judge(
      series((i) => 100 + i * 6),
      rule,
    );
    assert.deepEqual({ slope, growth, steadiness }, { slope: 2, growth: 354, steadiness: 1 });
  });

  it('judges nothing by a handful of points', () => {
    assert.throws(
      () =>
        judge(
          series(() => 1, 5),
          rule,
        ),
      /use a longer run/,
    );
  });

  it('finds a planted leak in the heap of a real process, and none without it', async () => {
    const script = fileURLToPath(new URL('../../../../tools/bench/soak/leaky.ts', import.meta.url));
    const heapOf = async (how: string): Promise<Point[]> => {
      const { stdout, stderr, code } = await run(process.execPath, ['--expose-gc', script, how]);
      assert.equal(code, 0, stderr);
      const { heap } = JSON.parse(stdout) as { heap: number[] };
      // What comes first is the process finding its size.
      return heap.map((bytes, i): Point => [i, bytes]).slice(10);
    };
    const heap = { absolute: 500_000, share: 0 };
    assert.equal(judge(await heapOf('keep nothing'), heap).leaks, false);
    assert.equal(judge(await heapOf('leak'), heap).leaks, true);
  });
});
