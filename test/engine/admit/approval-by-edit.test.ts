import assert from 'node:assert/strict';
import type { AnalysisCheck, StepAnalysis } from '../../../src/api/analysis.ts';
import type { CanaryStep, Rollout } from '../../../src/api/types.ts';
import { approvalByEdit, asWaiting } from '../../../src/engine/admit/approval-by-edit.ts';
import { demo } from './support.ts';

const withSteps = (rollout: Rollout, steps: readonly CanaryStep[]): Rollout => ({
  ...rollout,
  spec: { ...rollout.spec, strategy: { canary: { steps } } },
});
const paused = (first?: number, second?: number): readonly CanaryStep[] => [
  { replicas: 1, ...(first !== undefined && { pause: { duration: first } }) },
  { replicas: '100%', ...(second !== undefined && { pause: { duration: second } }) },
];
const FIELD = 'spec.strategy.canary.steps[0].pause.duration';

describe('a shorter pause in the step that waits', () => {
  for (const [when, old, next, expected] of [
    ['a time instead of approval', withSteps(demo({}), paused()), paused(60), { field: FIELD, value: 60 }],
    ['no time instead of some', withSteps(demo({}), paused(60)), paused(0), { field: FIELD, value: 0 }],
    ['a longer time', withSteps(demo({}), paused(60)), paused(90), undefined],
    ['approval instead of a time', withSteps(demo({}), paused(60)), paused(), undefined],
    ['another step', withSteps(demo({}), paused()), paused(undefined, 0), undefined],
    ['a step that does not wait', withSteps(demo({ currentStepState: 'StepUpgrade' }), paused()), paused(0), undefined],
    ['no release', withSteps(demo(), paused()), paused(0), undefined],
    ['a new Rollout', undefined, paused(0), undefined],
  ] as readonly (readonly [string, Rollout | undefined, readonly CanaryStep[], object | undefined])[]) {
    it(`${expected === undefined ? 'is no approval' : 'approves'}: ${when}`, () => {
      assert.deepEqual(approvalByEdit(old, withSteps(demo({}), next)), expected);
    });
  }

  describe('with analysis', () => {
    const watched = (analysis: StepAnalysis | undefined, pause?: CanaryStep['pause']): readonly CanaryStep[] => [
      { replicas: 1, ...(analysis && { analysis }), ...(pause && { pause }) },
      { replicas: '100%' },
    ];
    const few = { seconds: 60, minTotal: 500 };
    const ANALYSIS = 'spec.strategy.canary.steps[0].analysis';
    for (const [when, was, is, expected] of [
      ['analysis instead of approval', watched(undefined), watched({ seconds: 1 }), FIELD],
      ['analysis besides approval', watched(undefined), watched({ seconds: 1 }, {}), undefined],
      ['fewer requests', watched(few), watched({ ...few, minTotal: 499 }), ANALYSIS],
      ['fewer requests than the default', watched({ seconds: 60 }), watched({ seconds: 60, minTotal: 0 }), ANALYSIS],
      ['no wait for the default', watched({ seconds: 60 }), watched({ seconds: 60, lowTraffic: 'Continue' }), ANALYSIS],
      ['fewer requests are enough', watched(few), watched({ ...few, lowTraffic: 'Continue' }), ANALYSIS],
      ['requests to come', watched(few), watched({ ...few, lowTraffic: 'Wait' }), ANALYSIS],
      ['a pause instead of requests', watched(few, { duration: 0 }), watched(undefined, { duration: 0 }), ANALYSIS],
      ['approval instead of requests', watched(few), watched(undefined), undefined],
      ['more requests', watched(few), watched({ ...few, minTotal: 501 }), undefined],
      ['less time, after the time', watched(few), watched({ ...few, seconds: 1 }), undefined],
      ['requests that nobody waits for', watched({ ...few, lowTraffic: 'Wait' }), watched({ seconds: 60 }), undefined],
    ] as const)
      it(`${expected === undefined ? 'is no approval' : 'approves'}: ${when}`, () => {
        assert.equal(approvalByEdit(withSteps(demo({}), was), withSteps(demo({}), is))?.field, expected);
      });

    it('approves: the checks that count requests are removed', () => {
      const errors = { name: 'errors', ratio: { bad: 'bad', total: 'all', limit: '1%' } };
      const queue = { name: 'queue', value: { query: 'max(queue)', max: 9 } };
      const checked = (...analysis: AnalysisCheck[]): Rollout => {
        const made = withSteps(demo({}), watched(few));
        return { ...made, spec: { ...made.spec, strategy: { canary: { ...made.spec.strategy.canary, analysis } } } };
      };
      const field = 'spec.strategy.canary.analysis';
      assert.equal(approvalByEdit(checked(errors, queue), checked(queue))?.field, field);
      assert.equal(approvalByEdit(checked(errors, queue), checked(errors)), undefined);
      assert.equal(approvalByEdit(checked(queue), checked()), undefined);
    });
    it('is left aside where the rest of the plan is judged', () => {
      const next = withSteps(demo({}), watched({ seconds: 60 }));
      assert.deepEqual(asWaiting(withSteps(demo({}), watched(few)), next).spec.strategy.canary?.steps, watched(few));
    });
  });

  it('is left aside where the rest of the plan is judged', () => {
    const old = withSteps(demo({}), paused());
    const next = withSteps(demo({}), [{ replicas: 3, pause: { duration: 0 } }, { replicas: '100%' }]);
    assert.deepEqual(asWaiting(old, next).spec.strategy.canary?.steps, [{ replicas: 3 }, { replicas: '100%' }]);
    const other = withSteps(demo({}), paused(undefined, 60));
    assert.equal(asWaiting(old, other), other, 'an edit that is no approval stays as it is');
  });
});
