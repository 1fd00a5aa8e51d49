// The number of requests for each check and interval, out of what a source was asked.
import assert from 'node:assert/strict';
import { tally, type Question } from '../../../../tools/bench/operator/requests.ts';

const STEP = 30_000;
const ask = (release: string, query: string, from: number, to = from): Question => ({
  release,
  query,
  startMs: from * STEP,
  endMs: to * STEP,
  stepMs: STEP,
});

describe('the requests to a source', () => {
  it('are counted for each check and each interval of a release', () => {
    const queries = ['total', 'errors', 'timeouts'];
    // The first question also asks for the start of the release. The last one makes up for two intervals.
    const a = queries.flatMap((query) => [ask('a', query, 0, 1), ask('a', query, 2), ask('a', query, 3, 4)]);
    const b = queries.map((query) => ask('b', query, 7, 8));
    assert.deepEqual(tally([...a, ...b], 2), {
      requests: 12,
      repeated: 0,
      releases: 2,
      intervals: 5,
      perCheckAndInterval: 1.2,
    });
  });

  it('are repeated if the same was asked before, about the same release and the same times', () => {
    const first = ask('a', 'total', 0, 1);
    const others = [ask('b', 'total', 0, 1), ask('a', 'errors', 0, 1), ask('a', 'total', 1), ask('a', 'total', 0, 2)];
    assert.equal(tally([first, ...others], 1).repeated, 0);
    assert.equal(tally([first, ...others, first, first], 1).repeated, 2);
  });

  it('are none for each interval if there was no interval', () => {
    assert.ok(Number.isNaN(tally([], 2).perCheckAndInterval));
  });
});
