// What the author of a Rollout should know.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { CanaryStep, Rollout, RolloutStatus } from '../../../src/api/types.ts';
import { adviseOnLeaving } from '../../../src/engine/validate/advice.ts';
import { validateRollout } from '../../../src/engine/validate/rollout.ts';
import { canary, sized, steps } from './support.ts';

const advice = (one: Rollout, replicas?: number): readonly string[] => {
  const found = validateRollout({
    rollout: one,
    version: 'v1beta1',
    ...(replicas !== undefined && { deployment: sized(replicas) }),
  });
  assert.deepEqual(found.violations, []);
  return found.warnings;
};

const S = 'spec.strategy.canary.steps';

describe('the author of a Rollout is told', () => {
  it('nothing about good steps', () => {
    assert.deepEqual(advice(steps(1, '50%', '100%'), 10), []);
    assert.deepEqual(advice(steps(1, 10), 10), []);
    assert.deepEqual(advice(steps(1, 10)), []);
  });

  it('that a step is more than there are Pods', () => {
    assert.deepEqual(advice(steps(1, 20), 10), [
      `tranche: ${S}[1].replicas: 20 is more than spec.replicas (10): the step updates all Pods`,
    ]);
  });

  it('that the rest follows at once after a last step below all', () => {
    const text = (value: string): string =>
      `tranche: ${S}[1].replicas: ${value} is the last step: after it, the remaining Pods are updated in a rolling update; to update them in a step, add "100%"`;
    assert.deepEqual(advice(steps(1, '50%'), 10), [text('"50%"')]);
    assert.deepEqual(advice(steps(1, 5), 10), [text('5')]);
    assert.deepEqual(advice(steps(1, '50%')), [text('"50%"')], 'also when the size is not known');
  });

  it('that Pods and percents go back at the size there is', () => {
    assert.deepEqual(advice(steps('50%', 3, '100%'), 10), [
      `tranche: ${S}[1].replicas: 3 is 3 of 10 Pods, less than step 1 (5): the step replaces no Pod`,
    ]);
    assert.deepEqual(advice(steps('50%', 3, '100%'), 4), []);
  });

  it('that minReadySeconds are longer than the deadline, and come on top of it', () => {
    const of = (stepDeadlineSeconds: number | undefined, minReadySeconds: number): readonly string[] =>
      validateRollout({
        rollout: canary({
          steps: [{ replicas: '100%' }],
          ...(stepDeadlineSeconds === undefined ? {} : { stepDeadlineSeconds }),
        }),
        version: 'v1beta1',
        deployment: { ...sized(3), spec: { ...sized(3).spec, minReadySeconds } },
      }).warnings;
    assert.deepEqual(of(60, 60), [
      'tranche: spec.strategy.canary.stepDeadlineSeconds: 60 is not more than minReadySeconds of Deployment web (60), which is added to it: ' +
        'a step fails after 120 seconds; write the time in which a Pod becomes Ready',
    ]);
    assert.equal(of(undefined, 900).length, 1, 'the default counts too');
    assert.deepEqual([...of(60, 59), ...of(0, 900)], []);
  });

  it('what disabling or deleting it in the middle of a release does to how many Pods', () => {
    const running = (updated: number, annotations = {}): Rollout => ({
      ...steps(1, '100%'),
      metadata: { name: 'demo', annotations },
      status: { phase: 'Progressing', canaryStatus: { canaryReplicas: updated } } as unknown as RolloutStatus,
    });
    const toNew =
      'updated to the new version in a rolling update, without steps; to roll back instead, set the annotation tranche.dev/on-delete=Rollback first';
    const text = (what: string): string[] => [`tranche: this ends the release of Rollout demo: ${what}`];
    assert.deepEqual(adviseOnLeaving(running(3), sized(10)), text(`7 Pods are ${toNew}`));
    assert.deepEqual(adviseOnLeaving(running(9), sized(10)), text(`1 Pod is ${toNew}`));
    assert.deepEqual(adviseOnLeaving(running(3), undefined), text(`the remaining Pods are ${toNew}`));
    const back = running(3, { [keys.ON_DELETE]: 'Rollback' });
    assert.deepEqual(
      adviseOnLeaving(back, sized(10)),
      text('3 Pods are rolled back to the stable version in a rolling update, without steps'),
    );
    assert.deepEqual(adviseOnLeaving(steps(1), sized(10)), []);
    const off = { ...running(3), spec: { ...running(3).spec, disabled: true } };
    const told = validateRollout({ rollout: off, old: running(3), version: 'v1beta1', deployment: sized(10) });
    assert.deepEqual(told.warnings, text(`7 Pods are ${toNew}`));
  });

  it('that weights count Pods', () => {
    const weighted: CanaryStep[] = [{ replicas: '20%', traffic: '20%' }, { replicas: '100%' }];
    assert.deepEqual(advice(canary({ steps: weighted })), [
      'tranche: the weights of the steps are percentages of Pods, because there are no trafficRoutings',
    ]);
  });
});
