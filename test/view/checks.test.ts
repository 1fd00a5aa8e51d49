// The checks of a release as plain data.
import assert from 'node:assert/strict';
import type { CheckStatus } from '../../src/api/analysis.ts';
import { checkViews, overruled } from '../../src/view/checks.ts';
import type { StepState } from '../../src/api/types.ts';
import { releaseView, type ReleaseView } from '../../src/view/release.ts';
import { ago, deployment, facts, NOW, progressing, replicaSet, rollout } from './support.ts';

const CHECKS = [
  { name: 'errors', ratio: { bad: 'e', total: 't', limit: '1%' } },
  { name: 'memory', pods: { resource: 'memory', timesStable: 2 } },
];
const steps = [{ replicas: 1, analysis: { seconds: 600 } }, { replicas: '100%' }];
const strategy = { canary: { analysis: CHECKS, steps } };
const WORSE: CheckStatus = {
  name: 'errors',
  verdict: 'Worse',
  since: ago(30),
  message: 'bad',
  evidence: 512,
  alarm: 200,
};
const said = (...analysis: CheckStatus[]): ReturnType<typeof rollout> =>
  rollout(progressing({ analysis }), { strategy });

describe('checks as plain data', () => {
  it('are in the order of the Rollout, also those that are not reported yet', () => {
    const views = checkViews(said({ name: 'gone', verdict: 'Fine', since: ago(1) }, WORSE));
    assert.deepEqual(
      views.map(({ name, verdict, since, evidence }) => [name, verdict, since, evidence]),
      [
        ['errors', 'Worse', NOW - 30_000, 512],
        ['memory', undefined, undefined, undefined],
      ],
    );
  });

  it('say their numbers in words, or why there are none', () => {
    const counts = { total: 480, bad: 12, stableTotal: 4320, stableBad: 3 };
    const { message: _, ...silent } = WORSE;
    const wordsOf = (one: CheckStatus): unknown => checkViews(said(one))[0]?.message;
    assert.equal(
      wordsOf({ ...silent, ...counts }),
      'new version: 12 of 480 requests bad (2.5 %); stable version: 3 of 4320 requests bad (0.069 %)',
    );
    assert.equal(
      wordsOf({ ...silent, ...counts, verdict: 'Unknown', message: 'connection refused' }),
      'connection refused',
    );
  });

  it('are overruled by an approval if they are Worse and nobody has approved since', () => {
    assert.deepEqual(
      overruled(said(WORSE)).map(({ name }) => name),
      ['errors'],
    );
    assert.deepEqual(overruled(said({ ...WORSE, acceptedBy: ['anna'] })), []);
    assert.deepEqual(overruled(said({ ...WORSE, acceptedBy: [] })), []);
    assert.deepEqual(overruled(said({ ...WORSE, verdict: 'Unknown' })), []);
    assert.deepEqual(overruled(rollout()), []);
  });

  it('watch the steps that say so', () => {
    const viewOf = (currentStepState: StepState): ReleaseView => {
      const of = rollout(progressing({ currentStepState }), { strategy });
      return releaseView(facts(of, deployment(), [replicaSet('v1', 3)]), NOW);
    };
    const watched = (currentStepState: StepState): unknown =>
      viewOf(currentStepState).release?.steps.map(({ watched }) => watched?.seconds);
    assert.deepEqual(watched('StepUpgrade'), [600, undefined]);
    assert.deepEqual(watched('StepMetricsAnalysis'), [undefined, undefined], 'it has begun');
    assert.equal(viewOf('StepUpgrade').release?.checks.length, 2);
  });
});
