import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Rollout } from '../../../src/api/types.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { validateRollout, type RolloutEdit } from '../../../src/engine/validate/rollout.ts';
import { canary, ref, rollout, sized, step, steps } from './support.ts';

const judge = (one: Rollout, more: Partial<RolloutEdit> = {}): string[] =>
  validateRollout({ rollout: one, version: 'v1beta1', ...more }).violations.map(sentence);

const S = 'spec.strategy.canary.steps';
const NOT_YET = 'which this version does not do yet';

describe('a Rollout is refused', () => {
  const table: Readonly<Record<string, readonly [Rollout, string]>> = {
    'steps that go back, as percents': [
      steps('50%', '40%', '100%'),
      `${S}[1].replicas: "40%" is less than step 1's "50%": steps must not go back; use 50% or more, or remove the step`,
    ],
    'steps that go back, as Pods': [
      steps(3, 2),
      `${S}[1].replicas: 2 is less than step 1's 3: steps must not go back; use 3 or more, or remove the step`,
    ],
    'steps that go back with the other kind between them': [
      steps('50%', 7, '40%'),
      `${S}[2].replicas: "40%" is less than step 1's "50%": steps must not go back; use 50% or more, or remove the step`,
    ],
    'no step': [canary({ steps: [] }), `${S}: [] has no step; add at least one`],
    'steps left out': [canary({ steps: undefined }), `${S}: missing has no step; add at least one`],
    'too many steps': [
      steps(...Array.from({ length: 51 }, (_, i) => i + 1)),
      `${S}: 51 steps are too many; use 50 or fewer`,
    ],
    'a step without replicas': [
      canary({ steps: [{}] }),
      `${S}[0].replicas: missing is what a step is made of; add a number of Pods such as 1, or a percent such as "50%"`,
    ],
    'no strategy': [rollout({}), 'spec.strategy.canary: missing is the strategy to write; add it with its steps'],
    'a blue-green release': [
      rollout({ blueGreen: {} }),
      `spec.strategy.blueGreen: "set" is a blue-green release, ${NOT_YET}; use spec.strategy.canary`,
    ],
    'both strategies': [
      rollout({ canary: { steps: [{ replicas: 1 }] }, blueGreen: {} }),
      `spec.strategy.blueGreen: "set" is a blue-green release, ${NOT_YET}; use spec.strategy.canary`,
    ],
    'an extra canary Deployment': [
      canary({ enableExtraWorkloadForCanary: true }),
      `spec.strategy.canary.enableExtraWorkloadForCanary: true asks for an extra canary Deployment, ${NOT_YET}; remove it`,
    ],
    'metadata for canary Pods': [
      canary({ patchPodTemplateMetadata: { labels: { a: 'b' } } }),
      `spec.strategy.canary.patchPodTemplateMetadata: {"labels":{"a":"b"}} is for an extra canary Deployment, ${NOT_YET}; remove it`,
    ],
    'traffic routings': [
      canary({ trafficRoutings: [{ service: 's' }] }),
      `spec.strategy.canary.trafficRoutings: "set" routes traffic, ${NOT_YET}; remove it: steps count Pods`,
    ],
    'a TrafficRouting': [
      canary({ trafficRoutingRef: 'tr' }),
      `spec.strategy.canary.trafficRoutingRef: "tr" routes traffic, ${NOT_YET}; remove it`,
    ],
    'a weight that is no percent': [
      step({ traffic: '5' }),
      `${S}[0].traffic: "5" is not a percent; remove it, or use "1%" to "100%"`,
    ],
    'a step that is only a weight': [
      canary({ steps: [{ traffic: '20%' }] }),
      `${S}[0].replicas: missing is what a step is made of; write replicas: "20%" in place of the weight`,
    ],
    'weights of traffic routings, once': [
      canary({ trafficRoutings: [{ service: 's' }], steps: [{ replicas: '20%', traffic: '5%' }] }),
      `spec.strategy.canary.trafficRoutings: "set" routes traffic, ${NOT_YET}; remove it: steps count Pods`,
    ],
    'matches of a step': [step({ matches: [{}] }), `${S}[0].matches: "set" routes traffic, ${NOT_YET}; remove it`],
    'header changes of a step': [
      step({ requestHeaderModifier: { remove: ['a'] } }),
      `${S}[0].requestHeaderModifier: "set" routes traffic, ${NOT_YET}; remove it`,
    ],
    'a pause below nothing': [
      step({ pause: { duration: -1 } }),
      `${S}[0].pause.duration: -1 is no number of seconds from 0 to a year; use 0 to 31536000`,
    ],
    'a pause in milliseconds': [
      step({ pause: { duration: 86_400_000 } }),
      `${S}[0].pause.duration: 86400000 is no number of seconds from 0 to a year; use 0 to 31536000`,
    ],
    'a deadline below nothing': [
      canary({ stepDeadlineSeconds: -5 }),
      'spec.strategy.canary.stepDeadlineSeconds: -5 is no number of seconds from 0 to a year; use 0 to 31536000',
    ],
    'a failure threshold that is none': [
      canary({ failureThreshold: '120%' }),
      'spec.strategy.canary.failureThreshold: "120%" is neither a number of Pods nor a percent; use a number of Pods from 0, or "0%" to "100%"',
    ],
    'a kind that comes later': [
      rollout({ canary: { steps: [{ replicas: 1 }] } }, { ref: { kind: 'StatefulSet' } }),
      `spec.workloadRef: {"apiVersion":"apps/v1","kind":"StatefulSet"} is a kind of workload ${NOT_YET}; name a Deployment of apps/v1`,
    ],
    'a kind that is no workload': [
      rollout({ canary: { steps: [{ replicas: 1 }] } }, { ref: { apiVersion: 'v1', kind: 'Service' } }),
      'spec.workloadRef: {"apiVersion":"v1","kind":"Service"} is not a kind of workload that can be released; name a Deployment of apps/v1',
    ],
    'a choice that is none': [
      rollout({ canary: { steps: [{ replicas: 1 }] } }, { annotations: { [keys.ON_RESTART]: 'fast' } }),
      'metadata.annotations[tranche.dev/on-restart]: "fast" is not a choice; write Batches or Native, or remove it for Release',
    ],
  };
  for (const [what, [one, text]] of Object.entries(table)) {
    it(`for ${what}`, () => assert.deepEqual(judge(one), [text]));
  }

  for (const value of [0, -1, 1.5, '0%', '101%', '5', 'five', '', '5.5%']) {
    it(`for a step of ${JSON.stringify(value)}`, () => {
      assert.deepEqual(judge(steps(value, '100%')), [
        `${S}[0].replicas: ${JSON.stringify(value)} is neither a number of Pods nor a percent; use a number of Pods from 1, or "1%" to "100%"`,
      ]);
    });
  }

  it('for everything at once', () => {
    const all = judge(
      rollout(
        { canary: { trafficRoutings: [{}], steps: [{}, { replicas: 5 }, { replicas: 1, pause: { duration: -1 } }] } },
        { ref: { kind: 'X' } },
      ),
    );
    assert.deepEqual(
      all.map((text) => text.split(':')[0]),
      [
        'spec.workloadRef',
        'spec.strategy.canary.trafficRoutings',
        `${S}[0].replicas`,
        `${S}[2].pause.duration`,
        `${S}[2].replicas`,
      ],
    );
  });

  it('when another Rollout has its workload', () => {
    const other = { ...steps(1), metadata: { name: 'first', namespace: 'default' } };
    assert.deepEqual(judge(steps(1), { other }), [
      'spec.workloadRef.name: "web" is released by Rollout first already; change that one, or delete it first: kubectl delete rollouts.rollouts.kruise.io first',
    ]);
    assert.deepEqual(judge(steps(1), { other: steps('100%') }), [], 'the other is this one');
    const leaving = { ...other, metadata: { ...other.metadata, deletionTimestamp: '2026-11-23T12:00:00Z' } };
    assert.deepEqual(judge(steps(1), { other: leaving }), [], 'the other is on its way out');
  });

  it('when its Deployment is Recreate', () => {
    assert.deepEqual(judge(steps(1), { deployment: sized(3, 'Recreate') }), [
      'spec.workloadRef.name: "web" has the strategy Recreate, which cannot run two versions side by side; set spec.strategy.type of the Deployment to RollingUpdate first',
    ]);
  });

  describe('in v1alpha1, with the names of v1alpha1', () => {
    const inAlpha = (one: Rollout): string[] => judge(one, { version: 'v1alpha1' });

    it('for the canary style, said or not', () => {
      const style = 'metadata.annotations[rollouts.kruise.io/rolling-style]';
      const means = `means the canary style, with an extra Deployment, ${NOT_YET}; write "partition"`;
      const extra = { canary: { steps: [{ replicas: 1 }], enableExtraWorkloadForCanary: true } };
      const styled = (value: string): Rollout => rollout(extra, { annotations: { [keys.ROLLING_STYLE]: value } });
      assert.deepEqual(inAlpha(rollout(extra)), [`${style}: missing ${means}`]);
      assert.deepEqual(inAlpha(styled('canary')), [`${style}: "canary" ${means}`]);
      assert.deepEqual(inAlpha(styled('bluegreen')), [`${style}: "bluegreen" is not a style; write "partition"`]);
    });

    it('for a weight that is no percent, or goes back', () => {
      const weights = ['120%', '50%', '40%'].map((value) => ({ replicas: value, traffic: value }));
      assert.deepEqual(judge(canary({ steps: weights }), { version: 'v1alpha1' }), [
        `${S}[0].weight: 120 is not a percent of the Pods; use 1 to 100`,
        `${S}[2].weight: 40 is less than step 2's "50%": steps must not go back; use 50 or more, or remove the step`,
      ]);
    });

    it('for its workload and its weights', () => {
      const odd = rollout({ canary: { steps: [{ replicas: 1, traffic: '120%' }] } }, { ref: { kind: 'X' } });
      assert.deepEqual(inAlpha(odd), [
        'spec.objectRef.workloadRef: {"apiVersion":"apps/v1","kind":"X"} is not a kind of workload that can be released; name a Deployment of apps/v1',
        `${S}[0].weight: 120 is not a percent; remove it, or use 1 to 100`,
      ]);
    });

    it('for traffic routings only, where the weights are the steps', () => {
      const weights = [{ replicas: '20%', traffic: '20%' }];
      assert.deepEqual(inAlpha(canary({ trafficRoutings: [{ service: 's' }], steps: weights })), [
        `spec.strategy.canary.trafficRoutings: "set" routes traffic, ${NOT_YET}; remove it: steps count Pods`,
      ]);
    });
  });

  describe('in a release', () => {
    const running = (one: Rollout): Rollout => ({
      ...one,
      status: { phase: 'Progressing', currentStepIndex: 1, currentStepState: '' },
    });

    it('for another workload', () => {
      const next = { ...steps(1), spec: { ...steps(1).spec, workloadRef: { ...ref, name: 'other' } } };
      const reasons = judge(next, { old: running(steps(1, 2)) });
      assert.deepEqual(reasons, [
        'spec.workloadRef: {"apiVersion":"apps/v1","kind":"Deployment","name":"other"} cannot change during a release; wait until the release ends, or roll it back first',
      ]);
      assert.deepEqual(judge(next, { old: steps(1, 2) }), [], 'outside a release both may change');
    });

    it('but not for other steps, nor for another number of them', () => {
      for (const next of [steps(2, '90%'), steps('100%'), steps(1, 2, 3, '100%')])
        assert.deepEqual(judge(next, { old: running(steps(1, '50%')) }), []);
    });
  });
});

describe('a Rollout is accepted', () => {
  for (const one of [
    steps(1, '50%', '100%'),
    steps('1%', 1, 1, '1%'),
    step({ pause: {} }),
    step({ pause: { duration: 0 } }),
    step({ traffic: '5%' }),
    canary({ trafficRoutings: [], failureThreshold: 0, stepDeadlineSeconds: 0, onFailure: 'Rollback' }),
    rollout({ canary: { steps: [{ replicas: 1 }] } }, { annotations: { [keys.ON_DELETE]: 'Rollback' } }),
  ]) {
    it(JSON.stringify(one.spec.strategy), () => assert.deepEqual(judge(one), []));
  }

  it('whatever it says, when it is on its way out or its spec stays as it was', () => {
    const bad = steps('50%', '40%');
    const leaving = { ...bad, metadata: { ...bad.metadata, deletionTimestamp: '2026-11-23T12:00:00Z' } };
    assert.deepEqual(judge(leaving, { old: bad }), []);
    assert.deepEqual(judge({ ...bad, metadata: { ...bad.metadata, labels: { a: 'b' } } }, { old: bad }), []);
  });
});
