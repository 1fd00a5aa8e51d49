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
      `tranche: ${S}[1].replicas: 20 is more than the 10 Pods there are: the step releases all of them`,
    ]);
  });

  it('that the rest follows at once after a last step below all', () => {
    const text = (value: string): string =>
      `tranche: ${S}[1].replicas: ${value} is the last step: when it is done the rest of the Pods follow at once; end with "100%" to see them in a step`;
    assert.deepEqual(advice(steps(1, '50%'), 10), [text('"50%"')]);
    assert.deepEqual(advice(steps(1, 5), 10), [text('5')]);
    assert.deepEqual(advice(steps(1, '50%')), [text('"50%"')], 'also when the size is not known');
  });

  it('that Pods and percents go back at the size there is', () => {
    assert.deepEqual(advice(steps('50%', 3, '100%'), 10), [
      `tranche: ${S}[1].replicas: 3 is 3 of the 10 Pods there are, less than the 5 of step 1: the step does nothing`,
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
      'tranche: spec.strategy.canary.stepDeadlineSeconds: 60 is not more than the minReadySeconds of Deployment web, 60: ' +
        'these are added to it, so that a step fails after 120 seconds; write the seconds in which a Pod gets Ready',
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
      'to the new version at once, not in steps; to go back instead, annotate it with tranche.dev/on-delete=Rollback first';
    const text = (what: string): string[] => [`tranche: demo is in the middle of a release: ${what}`];
    assert.deepEqual(adviseOnLeaving(running(3), sized(10)), text(`7 Pods go ${toNew}`));
    assert.deepEqual(adviseOnLeaving(running(9), sized(10)), text(`1 Pod goes ${toNew}`));
    assert.deepEqual(adviseOnLeaving(running(3), undefined), text(`the rest of the Pods go ${toNew}`));
    const back = running(3, { [keys.ON_DELETE]: 'Rollback' });
    assert.deepEqual(
      adviseOnLeaving(back, sized(10)),
      text('3 Pods go back to the version before at once, not in steps'),
    );
    assert.deepEqual(adviseOnLeaving(steps(1), sized(10)), []);
    const off = { ...running(3), spec: { ...running(3).spec, disabled: true } };
    const told = validateRollout({ rollout: off, old: running(3), version: 'v1beta1', deployment: sized(10) });
    assert.deepEqual(told.warnings, text(`7 Pods go ${toNew}`));
  });

  it('that weights count Pods', () => {
    const weighted: CanaryStep[] = [{ replicas: '20%', traffic: '20%' }, { replicas: '100%' }];
    assert.deepEqual(advice(canary({ steps: weighted })), [
      'tranche: the weights of the steps count Pods: this version routes no traffic',
    ]);
  });
});
