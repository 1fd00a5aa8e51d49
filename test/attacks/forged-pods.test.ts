// Pods and statuses that somebody writes to have them taken for those of a release of a StatefulSet or DaemonSet: by labels, owner reference and hash.
import assert from 'node:assert/strict';
import { CONTROLLER_REVISION_HASH } from '../../src/api/keys.ts';
import { advancedDaemonSetKind } from '../../src/engine/workload/advanced-daemonset/kind.ts';
import { advancedStatefulSetKind } from '../../src/engine/workload/advanced-statefulset/kind.ts';
import { cloneSetKind } from '../../src/engine/workload/cloneset/kind.ts';
import { daemonSetKind } from '../../src/engine/workload/daemonset/kind.ts';
import { statefulSetKind } from '../../src/engine/workload/statefulset/kind.ts';
import type { StatefulSet } from '../../src/api/types.ts';
import type { WorkloadKind } from '../../src/engine/workload/kind.ts';
import { pathOf } from '../../src/kube/path.ts';
import { NAME, template, versionOf, World } from '../operator/world.ts';

const PODS = '/api/v1/namespaces/default/pods';
const NOBODY = 'nobody';
const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

/** A user who may create Pods, but neither approve nor change ControllerRevisions. */
async function forge(world: World, names: readonly string[], hash: string): Promise<void> {
  const { apiVersion, kind } = world.kind.resource;
  const owner = { apiVersion, kind, name: NAME, uid: world.deployment.metadata.uid, controller: true };
  const { spec } = template('v2') as { spec: object };
  for (const name of names)
    await world.virtual.client.request('POST', PODS, {
      body: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, labels: { app: NAME, [CONTROLLER_REVISION_HASH]: hash }, ownerReferences: [owner] },
        spec: { ...spec, schedulerName: NOBODY },
      },
    });
}

const real = (world: World, version: string): number =>
  world.pods.filter(
    (pod) =>
      versionOf(pod) === version &&
      !('schedulerName' in (pod.spec ?? {}) && (pod.spec as { schedulerName?: string }).schedulerName === NOBODY),
  ).length;

/** Pods that the partition of a StatefulSet lets be updated. */
const granted = ({ deployment }: World): number =>
  deployment.kind === 'StatefulSet'
    ? Math.max(0, 10 - ((deployment as StatefulSet).spec.updateStrategy?.rollingUpdate?.partition ?? 0))
    : 0;

async function begin(kind: WorkloadKind): Promise<{ world: World; hash: string }> {
  const world = await new World({ kind, policies: true, nodes: 10, evicts: true }).start();
  await world.createDeployment(
    kind.resource.kind === 'DaemonSet' ? { spec: { replicas: undefined } } : { replicas: 10 },
  );
  await world.until('all Pods run', () => world.readyPods === 10);
  await world.createPolicy('production', { requireRollout: true, protectInFlight: true });
  await world.createRollout(STEPS);
  await world.untilHealthy();
  // The name of a version is known before its release: from a release that was rolled back.
  await world.release('v2');
  await world.untilPaused(1);
  const hash = world.pods.find((pod) => versionOf(pod) === 'v2')!.metadata.labels![CONTROLLER_REVISION_HASH]!;
  await world.release('v1');
  await world.until(
    'it is rolled back',
    () =>
      !world.held && world.rollout.status?.phase === 'Healthy' && real(world, 'v1') === 10 && world.readyPods === 10,
  );
  await world.run(20_000);
  return { world, hash };
}

describe('forged Pods of the next version', function () {
  for (const [kind, nameOf] of [
    [statefulSetKind, (i: number) => `forged-${i}`],
    [statefulSetKind, (i: number) => `${NAME}-${100 + i}`],
    [daemonSetKind, (i: number) => `forged-${i}`],
    [advancedStatefulSetKind, (i: number) => `${NAME}-${100 + i}`],
    [cloneSetKind, (i: number) => `forged-${i}`],
    [advancedDaemonSetKind, (i: number) => `forged-${i}`],
  ] as const)
    it(`${nameOf(0)} of a ${kind.resource.kind} of ${kind.resource.apiVersion} start no real ones beyond the step`, async () => {
      const { world, hash } = await begin(kind);
      try {
        await forge(
          world,
          Array.from({ length: 8 }, (_, i) => nameOf(i)),
          hash,
        );
        await world.release('v2');
        let [most, early] = [0, false];
        // A Pod on any node is one of an Advanced DaemonSet, so one that is Ready ends its step.
        const named = kind !== advancedDaemonSetKind;
        world.virtual.observe(() => {
          most = Math.max(most, granted(world), real(world, 'v2'));
          early ||= named && world.held && world.canary.currentStepState === 'StepPaused' && real(world, 'v2') === 0;
        });
        await world.run(30_000);
        assert.ok(most <= 1, `${most} Pods: ${world.describe()}`);
        assert.equal(early, false, 'a step is done when real Pods are there');
      } finally {
        await world.stop();
      }
    });
});

describe('a forged status of a StatefulSet', () => {
  it('that names the stable version as the new one ends no release', async () => {
    const { world } = await begin(statefulSetKind);
    try {
      await world.deletePolicy('production');
      await world.release('v2');
      await world.untilPaused(1);
      const { currentRevision, updateRevision } = (world.deployment as unknown as StatefulSet).status ?? {};
      const where = pathOf(world.kind.resource, { namespace: 'default', name: NAME, subresource: 'status' });
      let seen = true;
      world.virtual.observe(() => (seen &&= world.held));
      for (let i = 0; i < 5; i++) {
        const status = { currentRevision: updateRevision, updateRevision: currentRevision, observedGeneration: 1000 };
        const type = 'application/merge-patch+json';
        await world.virtual.client.request('PATCH', where, { type, body: { status } });
        await world.run(500);
      }
      await world.run(10_000);
      assert.deepEqual([real(world, 'v2'), seen], [1, true], world.describe());
    } finally {
      await world.stop();
    }
  });
});
