import assert from 'node:assert/strict';
import { median, percentile, slope, summarize, type Point } from '../../../tools/bench/stats.ts';

describe('the statistics of the benches', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);

  it('gives percentiles that were measured, whatever the order', () => {
    assert.deepEqual(summarize(hundred), { count: 100, p50: 50, p95: 95, p99: 99, max: 100 });
    assert.equal(percentile([1, 2, 3, 4], 0.51), 3);
    assert.equal(percentile([7], 0.01), 7);
    assert.ok(Number.isNaN(median([])));
  });

  it('finds the slope of a line that a third of wild values hides', () => {
    const line = Array.from({ length: 60 }, (_, i): Point => [i * 10, i % 3 === 0 ? 1e9 * (i % 2) : 5 + i * 20]);
    assert.equal(slope(line), 2);
  });

  it('calls what goes up and down flat', () => {
    const saw = Array.from({ length: 100 }, (_, i): Point => [i, 1000 + (i % 10) * 50]);
    assert.equal(slope(saw), 0);
    assert.equal(slope([[1, 1]]), 0);
    assert.equal(
      slope([
        [1, 1],
        [1, 9],
      ]),
      0,
    );
  });
});
