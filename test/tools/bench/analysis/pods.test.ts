// The made-up answers of the bench of the analysis are such that the program reads and counts them.
import assert from 'node:assert/strict';
import { readAnswer } from '../../../../src/metric-sources/prometheus.ts';
import { answerText, counterAt, FRESH, makePods, STABLE } from '../../../../tools/bench/analysis/pods.ts';

describe('the counters of the bench', () => {
  it('grow by five requests a second, of which one in a thousand is bad', () => {
    assert.deepEqual(
      [-1_000, 0, 30_000, 400_000].map((ms) => counterAt('total', 10_000, 10_000 + ms)),
      [0, 0, 150, 2_000],
    );
    assert.equal(counterAt('bad', 10_000, 410_000), 2);
  });

  it('are answered only for times at which the Pod existed', () => {
    const pods = [
      { name: 'a', fromMs: 0 },
      { name: 'b', fromMs: 50_000, toMs: 70_000 },
      { name: 'c', fromMs: 500_000 },
    ];
    assert.deepEqual(readAnswer(200, answerText('total', pods, 30_000, 90_000, 30_000)), [
      {
        pod: 'a',
        samples: new Map([
          [30_000, 150],
          [60_000, 300],
          [90_000, 450],
        ]),
      },
      { pod: 'b', samples: new Map([[60_000, 50]]) },
    ]);
  });

  it('are those of as many Pods of each version as wanted, each with a name of its own', () => {
    const pods = makePods('web', 1_000, 9_000, 1_000_000);
    assert.equal(new Set(pods.map(({ name }) => name)).size, 10_000);
    assert.equal(pods.filter(({ name, arm }) => arm === 'fresh' && name.startsWith(`web-${FRESH}-`)).length, 1_000);
    assert.equal(pods.filter(({ name, arm }) => arm === 'stable' && name.startsWith(`web-${STABLE}-`)).length, 9_000);
    assert.ok(pods.every(({ arm, createdAt }) => (arm === 'fresh') === createdAt > 1_000_000));
  });
});
