// Before a Deployment is released at all: the Rollout's finalizer, the digest of its plan, and the label that enrols the workload.
import assert from 'node:assert/strict';
import {
  APPROVED,
  GLASS_BROKEN,
  HELD,
  PLAN_CHANGED,
  PLAN_HASH,
  ROLLOUT_FINALIZER,
  WORKLOAD_TYPE,
} from '../../../src/api/keys.ts';
import type { CanaryStrategy } from '../../../src/api/types.ts';
import { enrol, guard } from '../../../src/engine/release/enrol.ts';
import { deploymentKind } from '../../../src/engine/workload/deployment/kind.ts';
import type { Snapshot } from '../../../src/engine/snapshot.ts';
import {
  atStep,
  brief,
  deployment,
  healthy,
  mergePatchOf,
  rollout,
  rows,
  snapshot,
  type DeploymentSketch,
  type RolloutSketch,
} from '../build.ts';

/** The metadata that is written, but for the resourceVersion; undefined: nothing is. */
function guarded(sketch: RolloutSketch, facts: Partial<Snapshot> = {}): object | undefined {
  const decision = guard(snapshot({ rollout: rollout(sketch), ...facts }));
  if (decision === undefined) return undefined;
  const { resourceVersion, ...metadata } = mergePatchOf(decision.effects).metadata;
  assert.equal(resourceVersion, '50');
  return metadata;
}

describe('before anything is held, a Rollout', () => {
  const marks = { [GLASS_BROKEN]: '{}', [APPROVED]: '{}', [PLAN_CHANGED]: '{}' };
  const none = { [GLASS_BROKEN]: null, [APPROVED]: null, [PLAN_CHANGED]: null };
  const table: readonly (readonly [
    what: string,
    sketch: RolloutSketch,
    written: object | undefined,
    facts?: Partial<Snapshot>,
  ])[] = [
    ['that has all of it is left alone', {}, undefined],
    [
      'gets its finalizer, beside those of others',
      { metadata: { finalizers: ['others'] } },
      { finalizers: ['others', ROLLOUT_FINALIZER] },
    ],
    ['gets its finalizer', { metadata: { finalizers: undefined! } }, { finalizers: [ROLLOUT_FINALIZER] }],
    ['loses the marks of a release that is over', { annotations: marks, status: healthy() }, { annotations: none }],
    ['loses those that it has', { annotations: { [APPROVED]: '{}' } }, { annotations: { [APPROVED]: null } }],
    ['keeps them during a release', { annotations: marks, status: atStep(1, 'StepPaused') }, undefined],
    [
      'keeps them while its workload has a record',
      { annotations: marks },
      undefined,
      { workload: deployment({ annotations: { [HELD]: '{' } }) },
    ],
  ];
  rows(table, (sketch, written, facts) => assert.deepEqual(guarded(sketch, facts), written));

  it('gets the digest of its plan', () => {
    const found = guarded({ annotations: { [PLAN_HASH]: 'old' } }) as { annotations: Record<string, string> };
    assert.match(found.annotations[PLAN_HASH] ?? '', /^[0-9a-f]{64}$/);
    assert.deepEqual(Object.keys(found), ['annotations']);
  });

  const hashOf = (canary: Partial<CanaryStrategy>): string | undefined =>
    (guarded({ canary, annotations: { [PLAN_HASH]: '' } }) as { annotations: Record<string, string> }).annotations[
      PLAN_HASH
    ];
  it('has the same plan whatever its pauses and its threshold', () => {
    const plan = hashOf({ steps: [{ replicas: 1 }] });
    assert.equal(hashOf({ steps: [{ replicas: 1, pause: { duration: 9 } }], failureThreshold: 2 }), plan);
    assert.notEqual(hashOf({ steps: [{ replicas: 2 }] }), plan);
    assert.notEqual(hashOf({ steps: [{ replicas: 1 }], onFailure: 'Rollback' }), plan);
    const { spec, ...rest } = rollout({ annotations: { [PLAN_HASH]: '' } });
    const without = guard(snapshot({ rollout: { ...rest, spec: { ...spec, strategy: {} } } }));
    assert.ok(without, 'one without a plan has a digest as well');
  });
});

describe('a workload that is enrolled', () => {
  const enrolled = (sketch: DeploymentSketch, of: RolloutSketch = {}) => {
    const workload = deployment({ labels: { [WORKLOAD_TYPE]: undefined }, ...sketch });
    return enrol(snapshot({ rollout: rollout(of) }), deploymentKind, workload);
  };

  it('gets the label by which the webhook sees its changes', () => {
    const decision = enrolled({});
    assert.equal(brief(decision), 'enrol | - | Enrolled | -');
    assert.deepEqual(mergePatchOf(decision.effects).metadata, {
      resourceVersion: '100',
      labels: { [WORKLOAD_TYPE]: 'deployment' },
    });
  });

  it('says nothing where it cannot be released', () => {
    assert.equal(brief(enrolled({ type: 'Recreate' })), 'enrol | - | - | -');
  });

  it('comes with the advice that admission could not give: what the steps come to at its size', () => {
    const { events } = enrolled({ replicas: 1 });
    assert.deepEqual(
      events.map(({ reason }) => reason),
      ['Enrolled', 'Advice'],
    );
    assert.doesNotMatch(events[1]!.message, /^tranche: /);
  });
});
