// Which Deployments of a namespace are in a release: by their record, and by the phase of their Rollout.
import assert from 'node:assert/strict';
import type { Rollout, Workload } from '../../src/api/types.ts';
import { deploymentsInRelease, inFlightIndex } from '../../src/operator/releases.ts';
import { heldIndex } from '../../src/operator/policies.ts';
import { keyOf, Store } from '../../src/kube/store.ts';
import { atStep, deployment, healthy, held, rollout } from '../engine/build.ts';
import * as kruise from '../support/openkruise.ts';

const NAMESPACE = 'shop';
const finishing = atStep(3, 'Completed', { reason: 'Finalising' });

function released(rollouts: readonly Rollout[], workloads: readonly Workload[]): string[] {
  const known = new Store<Rollout>({ inFlight: inFlightIndex });
  const deployments = new Store<Workload>({ held: heldIndex });
  for (const one of rollouts) known.set(keyOf(one), one);
  for (const one of workloads) deployments.set(keyOf(one), one);
  return deploymentsInRelease(known, deployments, NAMESPACE).map(
    ({ deployment: { metadata }, rollout: name }) => `${metadata.name} by ${name}`,
  );
}

describe('Deployments in a release', () => {
  const free = deployment();
  const isHeld = deployment({ held: held() });
  const elsewhere = deployment({ held: held(), metadata: { namespace: 'other' } });

  it('are those with a record, and those whose Rollout has not ended its release', () => {
    assert.deepEqual(released([rollout({ status: healthy() })], [free]), []);
    assert.deepEqual(released([rollout({ status: atStep(1, 'StepPaused') })], [isHeld]), ['web by web-rollout']);
    assert.deepEqual(released([], [isHeld]), ['web by web-rollout'], 'the Rollout is gone');
    assert.deepEqual(released([rollout({ status: finishing })], [free]), ['web by web-rollout'], 'given back');
    for (const phase of ['Disabling', 'Terminating'] as const)
      assert.deepEqual(released([rollout({ status: { ...healthy(), phase } })], [free]), ['web by web-rollout']);
  });

  it('are not others', () => {
    assert.deepEqual(released([rollout({ status: finishing })], []), [], 'not enrolled, or gone');
    assert.deepEqual(released([rollout({ status: finishing, metadata: { namespace: 'other' } })], [free]), []);
    assert.deepEqual(released([rollout({ status: finishing, workloadRef: { kind: 'StatefulSet' } })], [free]), []);
    assert.deepEqual(released([rollout({ status: finishing, workloadRef: { name: '../shop/web' } })], [free]), []);
    assert.deepEqual(released([], [elsewhere]), []);
  });

  it('are not those that OpenKruise left in a release: the takeover resizes their ReplicaSets', () => {
    const release = { namespace: NAMESPACE, name: 'web', step: 2, state: 'StepPaused', stable: 'v1', canary: 'v2' };
    const status = kruise.rolloutStatus({ ...release, updated: 5 }) as NonNullable<Rollout['status']>;
    const metadata = kruise.onDeployment({ ...release, updated: 5 }, { partition: '50%', rollingUpdate: {} });
    const left = deployment({ metadata });
    const spec = { ...left.spec, paused: true, strategy: { type: 'Recreate' } };
    assert.deepEqual(released([rollout({ status })], [{ ...left, spec }]), []);
    assert.deepEqual(released([rollout({ status: finishing })], [{ ...left, spec }]), ['web by web-rollout'], 'ours');
  });

  it('are those that are being deleted only with a record: nothing else ends, and their ReplicaSets may be orphaned', () => {
    const deleted = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    assert.deepEqual(released([rollout({ status: finishing })], [deployment({ metadata: deleted })]), []);
    assert.deepEqual(released([], [deployment({ held: held(), metadata: deleted })]), ['web by web-rollout']);
  });
});
