// ControllerRevisions that somebody deletes and makes to have a new template taken for the stable one.
import assert from 'node:assert/strict';
import { CONTROLLER_REVISION_HASH } from '../../src/api/keys.ts';
import type { ControllerRevision, KubeObject } from '../../src/api/types.ts';
import { daemonSetKind } from '../../src/engine/workload/daemonset/kind.ts';
import type { WorkloadKind } from '../../src/engine/workload/kind.ts';
import { statefulSetKind } from '../../src/engine/workload/statefulset/kind.ts';
import { templateIn } from '../../src/engine/workload/revisions.ts';
import { NAME, template, versionOf, World } from '../operator/world.ts';

const REVISIONS = '/apis/apps/v1/namespaces/default/controllerrevisions';
const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

const revisions = (world: World): ControllerRevision[] =>
  (world.virtual.cluster.store.list('apps/controllerrevisions', 'default') as unknown as ControllerRevision[]).filter(
    ({ metadata }) => !metadata.name.includes('-stable-'),
  );

/** The ControllerRevision of the new version takes the place of the stable one. */
async function forge(world: World, kind: WorkloadKind): Promise<void> {
  const { client } = world.virtual;
  const of = (version: string): ControllerRevision =>
    revisions(world).find((one) => versionOf(templateIn(one) as never) === version)!;
  const [stable, next] = [of('v1'), of('v2')];
  const hash = stable.metadata.labels?.[CONTROLLER_REVISION_HASH];
  await client.request('DELETE', `${REVISIONS}/${stable.metadata.name}`);
  await client.request('POST', REVISIONS, {
    body: {
      apiVersion: 'apps/v1',
      kind: 'ControllerRevision',
      metadata: {
        name: kind === daemonSetKind ? `${NAME}-forged` : stable.metadata.name,
        labels: { ...next.metadata.labels, ...(hash && { [CONTROLLER_REVISION_HASH]: hash }) },
        ownerReferences: next.metadata.ownerReferences,
      },
      revision: 100,
      data: next.data,
    },
  });
}

const POLICIES = { approval: { approval: { required: 2 } }, protectInFlight: { protectInFlight: true } };

describe('forged ControllerRevisions', () => {
  for (const kind of [statefulSetKind, daemonSetKind])
    for (const [rule, spec] of Object.entries(POLICIES))
      it(`of a ${kind.resource.kind} start no Pods beyond the step, under a policy with ${rule}`, async () => {
        const world = await new World({ kind, policies: true, nodes: 10, evicts: true }).start();
        try {
          await world.createDeployment(kind === daemonSetKind ? { spec: { replicas: undefined } } : { replicas: 10 });
          await world.until('all Pods run', () => world.readyPods === 10);
          await world.createPolicy('production', { requireRollout: true, ...spec });
          await world.createRollout(STEPS);
          await world.untilHealthy();
          await world.release('v2');
          await world.untilPaused(1);
          await forge(world, kind);
          await world.run(20_000);
          for (const { metadata } of revisions(world))
            await world.virtual.client.request('DELETE', `${REVISIONS}/${metadata.name}`);
          await world.run(60_000);
          assert.ok((world.sizes['v2'] ?? 0) <= 1, world.describe());
        } finally {
          await world.stop();
        }
      });

  for (const kind of [statefulSetKind, daemonSetKind])
    it(`do not make the operator write their template into a ${kind.resource.kind}`, async () => {
      const world = await new World({ kind, policies: true, nodes: 6, evicts: true }).start();
      try {
        await world.createDeployment(kind === daemonSetKind ? { spec: { replicas: undefined } } : { replicas: 6 });
        await world.until('all Pods run', () => world.readyPods === 6);
        await world.createRollout(STEPS, { canary: { onFailure: 'Rollback', stepDeadlineSeconds: 30 } });
        await world.untilHealthy();
        await world.release('v2:broken');
        await world.run(3_000);
        const all = world.virtual.cluster.store.list('apps/controllerrevisions', 'default');
        const of = (one: KubeObject): string => versionOf(templateIn(one as never) as never);
        const stable = revisions(world).find((one) => of(one) === 'v1')!;
        for (const one of all.filter((each) => of(each as never) === 'v1'))
          await world.virtual.client.request('DELETE', `${REVISIONS}/${one.metadata.name}`);
        const { name, labels, ownerReferences } = stable.metadata;
        const forged = { spec: { template: { ...(template('evil') as object), $patch: 'replace' } } };
        await world.virtual.client.request('POST', REVISIONS, {
          body: { ...stable, metadata: { name, labels, ownerReferences }, data: forged },
        });
        await world.run(120_000);
        assert.deepEqual([world.runs, world.held], ['v2:broken', true]);
        assert.match(world.rollout.status?.message ?? '', /stays held: its stable template is not found/);
      } finally {
        await world.stop();
      }
    });
});
