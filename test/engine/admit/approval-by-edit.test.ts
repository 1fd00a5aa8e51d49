import assert from 'node:assert/strict';
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

  it('is left aside where the rest of the plan is judged', () => {
    const old = withSteps(demo({}), paused());
    const next = withSteps(demo({}), [{ replicas: 3, pause: { duration: 0 } }, { replicas: '100%' }]);
    assert.deepEqual(asWaiting(old, next).spec.strategy.canary?.steps, [{ replicas: 3 }, { replicas: '100%' }]);
    const other = withSteps(demo({}), paused(undefined, 60));
    assert.equal(asWaiting(old, other), other, 'an edit that is no approval stays as it is');
  });
});
