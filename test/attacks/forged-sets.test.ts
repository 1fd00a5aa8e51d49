// ReplicaSets that somebody makes to have them taken for those of a release: by their hash, or by adoption.
import assert from 'node:assert/strict';
import { validateReplicaSet } from '../../src/admission/webhooks/replicaset.ts';
import { POD_TEMPLATE_HASH } from '../../src/api/keys.ts';
import type { Deployment } from '../../src/api/types.ts';
import { aDeployment, atOnce, someDeps } from '../admission/support.ts';
import { NAME, template, versionOf, World } from '../operator/world.ts';

const SETS = '/apis/apps/v1/namespaces/default/replicasets';
const GC = 'system:serviceaccount:kube-system:generic-garbage-collector';

describe('a ReplicaSet with the hash of the version that is released', () => {
  it('does not take over what was granted to that version', async () => {
    const world = await new World({ seed: 5, policies: true }).start();
    try {
      await world.createDeployment();
      await world.createPolicy('production', { requireRollout: true, protectInFlight: true });
      await world.createRollout([{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }]);
      await world.untilHealthy();
      await world.release('v2');
      await world.untilPaused(1);
      const v2 = world.replicaSets.find((set) => versionOf(set.spec.template) === 'v2')!;
      const labels = { app: NAME, [POD_TEMPLATE_HASH]: v2.metadata.labels![POD_TEMPLATE_HASH] };
      const { spec } = template('evil') as { spec: object };
      await world.virtual.client.request('POST', SETS, {
        body: {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: { name: `${NAME}-forged`, labels },
          spec: { replicas: 0, selector: { matchLabels: labels }, template: { metadata: { labels }, spec } },
        },
      });
      await world.approve();
      await world.untilPaused(2);
      await world.release('evil');
      for (let i = 0; i < 30; i++) {
        assert.ok((world.sizes['evil'] ?? 0) <= 1, world.describe());
        await world.run(2_000);
      }
      assert.equal(world.canary.currentStepIndex, 1, 'it starts again');
    } finally {
      await world.stop();
    }
  });
});

describe('a ReplicaSet that loses its controller in a release', () => {
  const held = { ...aDeployment('v2'), metadata: { ...aDeployment('v2').metadata, uid: 'web' } } as Deployment;
  const set = (owner: string | undefined, labels: object) => ({
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: 'other-1',
      namespace: 'default',
      labels,
      ...(owner && {
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'other', uid: owner, controller: true }],
      }),
    },
    spec: { replicas: 8 },
  });
  const selected = held.spec.selector?.matchLabels ?? {};
  const judge = (before: object, after: object | null, operation = 'UPDATE') =>
    atOnce(
      validateReplicaSet(
        {
          uid: 'u',
          operation,
          kind: { group: 'apps', version: 'v1', kind: 'ReplicaSet' },
          namespace: 'default',
          name: 'other-1',
          userInfo: { username: GC },
          oldObject: before,
          object: after,
        } as never,
        { ...someDeps(), releasesIn: () => [{ deployment: held, rollout: 'web' }] },
      ),
    );

  it('is not set free by the garbage collector for the Deployment to adopt', () => {
    assert.ok(Object.keys(selected).length > 0);
    const { status } = judge(set('other', selected), set(undefined, selected));
    assert.match(status?.message ?? '', /it would adopt this ReplicaSet/);
  });

  it('is set free where no selector in a release selects it, and deleted wherever', () => {
    assert.equal(judge(set('other', { app: 'x' }), set(undefined, { app: 'x' })).status, undefined);
    assert.equal(judge(set('web', selected), null, 'DELETE').status, undefined);
    assert.equal(judge(set('web', selected), set('web', selected)).status, undefined);
  });
});
