// How much a question about the evidence of a release asks for.
import assert from 'node:assert/strict';
import { mostLooks } from '../../src/operator/evidence.ts';

/** Bytes of the first answer of Prometheus about so many Pods, with the sample at the start of the release. */
function answerBytes(pods: number, nameLength: number): number {
  const samples = Array.from({ length: mostLooks(pods) + 1 }, (_, look) => [1_800_000_000 + look * 30, '12345678']);
  return pods * JSON.stringify({ metric: { pod: 'p'.repeat(nameLength) }, values: samples }).length;
}

describe('a question about past looks', () => {
  const longestAnswer = 2 ** 20;

  it('has an answer that a source may give, whatever the number of Pods', () => {
    for (const pods of [1, 30, 100, 1_000, 3_000, 5_000]) {
      const bytes = answerBytes(pods, 63);
      assert.ok(bytes < longestAnswer, `${pods} Pods: ${bytes} bytes`);
    }
    assert.ok(answerBytes(10_000, 24) < longestAnswer);
  });

  it('is about many looks of a small workload, and about one look of a very large one', () => {
    assert.deepEqual([0, 30, 1_000, 10_000, 1_000_000].map(mostLooks), [500, 500, 15, 1, 1]);
  });
});
