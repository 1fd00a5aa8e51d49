// Keys of workloads: what a Rollout names, whatever is stored in it.
import assert from 'node:assert/strict';
import type { Rollout } from '../../src/api/types.ts';
import { daemonSetKind } from '../../src/engine/workload/daemonset/kind.ts';
import { deploymentKind } from '../../src/engine/workload/deployment/kind.ts';
import { statefulSetKind } from '../../src/engine/workload/statefulset/kind.ts';
import { keyFor, readKey, workloadKey } from '../../src/operator/workload.ts';

const rolloutOf = (workloadRef: object): Rollout =>
  ({ metadata: { name: 'r', namespace: 'shop' }, spec: { workloadRef, strategy: {} } }) as unknown as Rollout;

describe('the key of a Rollout’s workload', () => {
  for (const [what, ref, key] of [
    ['a Deployment', { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, 'shop/web'],
    ['a Deployment without apiVersion', { kind: 'Deployment', name: 'web' }, 'shop/web'],
    ['a name that is a path', { apiVersion: 'apps/v1', kind: 'Deployment', name: '../b' }, 'shop/rollout:r'],
    ['a name that is a key', { apiVersion: 'apps/v1', kind: 'Deployment', name: 'rollout:x' }, 'shop/rollout:r'],
    ['a kind that is not supported', { apiVersion: 'batch/v1', kind: 'Job', name: 'web' }, 'shop/rollout:r'],
    ['no kind', { name: 'web' }, 'shop/rollout:r'],
  ] as const)
    it(`with ${what} is ${key}`, () => assert.equal(workloadKey(rolloutOf(ref)), key));

  it('is read back', () => {
    assert.deepEqual(readKey('shop/web'), { kind: deploymentKind, namespace: 'shop', name: 'web' });
    assert.deepEqual(readKey('shop/rollout:r'), { namespace: 'shop', misnamed: 'r' });
  });

  it('is another one for each kind', () => {
    assert.deepEqual(
      [deploymentKind, statefulSetKind, daemonSetKind].map((kind) => keyFor(kind, 'shop', 'web')),
      ['shop/web', 'shop/statefulsets:web', 'shop/daemonsets:web'],
    );
  });
});
