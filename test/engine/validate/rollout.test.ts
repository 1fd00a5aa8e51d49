import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Rollout } from '../../../src/api/types.ts';
import { sentence } from '../../../src/engine/validate/violation.ts';
import { validateRollout, type RolloutEdit } from '../../../src/engine/validate/rollout.ts';
import { canary, ref, rollout, sized, step, steps } from './support.ts';

const judge = (one: Rollout, more: Partial<RolloutEdit> = {}): string[] =>
  validateRollout({ rollout: one, version: 'v1beta1', ...more }).violations.map(sentence);

const S = 'spec.strategy.canary.steps';
const NOT_YET = 'not supported yet';

describe('a Rollout is refused', () => {
  const table: Readonly<Record<string, readonly [Rollout, string]>> = {
    'steps that go back, as percents': [
      steps('50%', '40%', '100%'),
      `${S}[1].replicas: Invalid value: "40%": must not be less than step 1 ("50%"); write 50% or more, or remove the step`,
    ],
    'steps that go back, as Pods': [
      steps(3, 2),
      `${S}[1].replicas: Invalid value: 2: must not be less than step 1 (3); write 3 or more, or remove the step`,
    ],
    'steps that go back with the other kind between them': [
      steps('50%', 7, '40%'),
      `${S}[2].replicas: Invalid value: "40%": must not be less than step 1 ("50%"); write 50% or more, or remove the step`,
    ],
    'no step': [canary({ steps: [] }), `${S}: Required value: add at least one step`],
    'steps left out': [canary({ steps: undefined }), `${S}: Required value: add at least one step`],
    'too many steps': [
      steps(...Array.from({ length: 51 }, (_, i) => i + 1)),
      `${S}: Invalid value: 51: must have at most 50 steps; remove steps`,
    ],
    'a step without replicas': [
      canary({ steps: [{}] }),
      `${S}[0].replicas: Required value: add a number of Pods such as 1, or a percentage such as "50%"`,
    ],
    'no strategy': [rollout({}), 'spec.strategy.canary: Required value: add it with at least one step'],
    'a blue-green release': [
      rollout({ blueGreen: {} }),
      `spec.strategy.blueGreen: Forbidden: blue-green releases are ${NOT_YET}; write spec.strategy.canary`,
    ],
    'both strategies': [
      rollout({ canary: { steps: [{ replicas: 1 }] }, blueGreen: {} }),
      `spec.strategy.blueGreen: Forbidden: blue-green releases are ${NOT_YET}; write spec.strategy.canary`,
    ],
    'an extra canary Deployment': [
      canary({ enableExtraWorkloadForCanary: true }),
      `spec.strategy.canary.enableExtraWorkloadForCanary: Forbidden: extra canary Deployments are ${NOT_YET}; remove it`,
    ],
    'metadata for canary Pods': [
      canary({ patchPodTemplateMetadata: { labels: { a: 'b' } } }),
      `spec.strategy.canary.patchPodTemplateMetadata: Forbidden: extra canary Deployments are ${NOT_YET}; remove it`,
    ],
    'a weight that is no percent': [
      step({ traffic: '5' }),
      `${S}[0].traffic: Invalid value: "5": must be a percentage; remove it, or write "1%" to "100%"`,
    ],
    'a step that is only a weight': [
      canary({ steps: [{ traffic: '20%' }] }),
      `${S}[0].replicas: Required value: write replicas: "20%" instead of the weight`,
    ],
    'a pause below nothing': [
      step({ pause: { duration: -1 } }),
      `${S}[0].pause.duration: Invalid value: -1: must be between 0 and 31536000 seconds; write whole seconds such as 600`,
    ],
    'a pause in milliseconds': [
      step({ pause: { duration: 86_400_000 } }),
      `${S}[0].pause.duration: Invalid value: 86400000: must be between 0 and 31536000 seconds; write whole seconds such as 600`,
    ],
    'a deadline below nothing': [
      canary({ stepDeadlineSeconds: -5 }),
      'spec.strategy.canary.stepDeadlineSeconds: Invalid value: -5: must be between 0 and 31536000 seconds; write whole seconds such as 600',
    ],
    'a window without a limit': [
      canary({ rollbackWindow: {} }),
      'spec.strategy.canary.rollbackWindow: Required value: revisions or seconds is required; write for example revisions: 1, or remove it',
    ],
    'a window further back than is remembered': [
      canary({ rollbackWindow: { revisions: 11 } }),
      'spec.strategy.canary.rollbackWindow.revisions: Invalid value: 11: must be between 1 and 10; write 1 for the version before the stable one, or remove it',
    ],
    'a window of no time': [
      canary({ rollbackWindow: { seconds: 0 } }),
      'spec.strategy.canary.rollbackWindow.seconds: Invalid value: 0: must be between 1 and 31536000 seconds; write whole seconds such as 3600, or remove it',
    ],
    'a failure threshold that is none': [
      canary({ failureThreshold: '120%' }),
      'spec.strategy.canary.failureThreshold: Invalid value: "120%": must be a number of Pods or a percentage; write 0 or more, or "0%" to "100%"',
    ],
    'a kind that comes later': [
      rollout({ canary: { steps: [{ replicas: 1 }] } }, { ref: { kind: 'ReplicaSet' } }),
      `spec.workloadRef: Unsupported value: {"apiVersion":"apps/v1","kind":"ReplicaSet"}: this kind is ${NOT_YET}; write a Deployment, StatefulSet or DaemonSet of apps/v1, or a CloneSet, StatefulSet or DaemonSet of apps.kruise.io`,
    ],
    'a kind that is no workload': [
      rollout({ canary: { steps: [{ replicas: 1 }] } }, { ref: { apiVersion: 'v1', kind: 'Service' } }),
      'spec.workloadRef: Unsupported value: {"apiVersion":"v1","kind":"Service"}: this kind cannot be released; write a Deployment, StatefulSet or DaemonSet of apps/v1, or a CloneSet, StatefulSet or DaemonSet of apps.kruise.io',
    ],
    'a choice that is none': [
      rollout({ canary: { steps: [{ replicas: 1 }] } }, { annotations: { [keys.ON_RESTART]: 'fast' } }),
      'metadata.annotations[tranche.dev/on-restart]: Unsupported value: "fast": write Batches or Native, or remove it for Release',
    ],
  };
  for (const [what, [one, text]] of Object.entries(table)) {
    it(`for ${what}`, () => assert.deepEqual(judge(one), [text]));
  }

  for (const value of [0, -1, 1.5, '0%', '101%', '5', 'five', '', '5.5%']) {
    it(`for a step of ${JSON.stringify(value)}`, () => {
      assert.deepEqual(judge(steps(value, '100%')), [
        `${S}[0].replicas: Invalid value: ${JSON.stringify(value)}: must be a number of Pods or a percentage; write 1 or more, or "1%" to "100%"`,
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
        'spec.strategy.canary.trafficRoutings[0].gateway',
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
      'spec.workloadRef.name: Invalid value: "web": already released by Rollout first; change that Rollout, or delete it first: kubectl delete rollouts.rollouts.kruise.io first',
    ]);
    assert.deepEqual(judge(steps(1), { other: steps('100%') }), [], 'the other is this one');
    const leaving = { ...other, metadata: { ...other.metadata, deletionTimestamp: '2026-11-23T12:00:00Z' } };
    assert.deepEqual(judge(steps(1), { other: leaving }), [], 'the other is on its way out');
  });

  it('when its Deployment is Recreate', () => {
    assert.deepEqual(judge(steps(1), { deployment: sized(3, 'Recreate') }), [
      'spec.workloadRef.name: Invalid value: "web": the Deployment has strategy Recreate, which cannot run two versions side by side; in the Deployment, set spec.strategy.type to RollingUpdate first',
    ]);
  });

  describe('in v1alpha1, with the names of v1alpha1', () => {
    const inAlpha = (one: Rollout): string[] => judge(one, { version: 'v1alpha1' });

    it('for the canary style, said or not', () => {
      const style = 'metadata.annotations[rollouts.kruise.io/rolling-style]';
      const means = `the canary style, with an extra Deployment, is ${NOT_YET}; write "partition"`;
      const extra = { canary: { steps: [{ replicas: 1 }], enableExtraWorkloadForCanary: true } };
      const styled = (value: string): Rollout => rollout(extra, { annotations: { [keys.ROLLING_STYLE]: value } });
      assert.deepEqual(inAlpha(rollout(extra)), [`${style}: Required value: ${means}`]);
      assert.deepEqual(inAlpha(styled('canary')), [`${style}: Invalid value: "canary": ${means}`]);
      assert.deepEqual(inAlpha(styled('bluegreen')), [`${style}: Unsupported value: "bluegreen": write "partition"`]);
    });

    it('for a weight that is no percent, or goes back', () => {
      const weights = ['120%', '50%', '40%'].map((value) => ({ replicas: value, traffic: value }));
      assert.deepEqual(judge(canary({ steps: weights }), { version: 'v1alpha1' }), [
        `${S}[0].weight: Invalid value: 120: must be a percentage of the Pods; write 1 to 100`,
        `${S}[2].weight: Invalid value: 40: must not be less than step 2 ("50%"); write 50 or more, or remove the step`,
      ]);
    });

    it('for its workload and its weights', () => {
      const odd = rollout({ canary: { steps: [{ replicas: 1, traffic: '120%' }] } }, { ref: { kind: 'X' } });
      assert.deepEqual(inAlpha(odd), [
        'spec.objectRef.workloadRef: Unsupported value: {"apiVersion":"apps/v1","kind":"X"}: this kind cannot be released; write a Deployment, StatefulSet or DaemonSet of apps/v1, or a CloneSet, StatefulSet or DaemonSet of apps.kruise.io',
        `${S}[0].weight: Invalid value: 120: must be a percentage; remove it, or write 1 to 100`,
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
        'spec.workloadRef: Forbidden: cannot change during a release; wait until the release ends, or roll it back first',
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
    canary({ rollbackWindow: { revisions: 1 } }),
    canary({ rollbackWindow: { seconds: 60 } }),
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
