// Deployments from create to delete, in a whole cluster in virtual time.
import assert from 'node:assert/strict';
import { describe, it } from 'mocha';
import { templateHash } from '../../src/controllers/deployment/template.ts';
import { aCluster, aDeployment, aRunningDeployment, condition, imagePatch, isAvailable, sizes } from './support.ts';

const REPLICA_SETS = '/apis/apps/v1/namespaces/default/replicasets';
const STRATEGIC = 'application/strategic-merge-patch+json';

describe('a Deployment', () => {
  it('gets a ReplicaSet with its template, its Pods, and a true status', async () => {
    const cluster = await aRunningDeployment({ replicas: 4 });
    const [replicaSet] = cluster.replicaSets();
    const deployment = cluster.deployment('web')!;
    assert.equal(replicaSet!.metadata.name, `web-${templateHash(deployment.spec.template)}`);
    assert.deepEqual(replicaSet!.metadata.annotations, {
      'deployment.kubernetes.io/desired-replicas': '4',
      'deployment.kubernetes.io/max-replicas': '5',
      'deployment.kubernetes.io/revision': '1',
    });
    assert.equal(replicaSet!.metadata.ownerReferences![0]!.uid, deployment.metadata.uid);
    assert.deepEqual(
      [deployment.status.replicas, deployment.status.updatedReplicas, deployment.status.terminatingReplicas],
      [4, 4, 0],
    );
    assert.equal(condition(deployment, 'Available')?.status, 'True');
    assert.match(condition(deployment, 'Progressing')!.message!, /^ReplicaSet "web-.*" has successfully progressed\.$/);
    assert.equal(deployment.metadata.annotations!['deployment.kubernetes.io/revision'], '1');
  });

  it('rolls back by template to the ReplicaSet it had, under a new revision', async () => {
    const cluster = await aRunningDeployment({ replicas: 4 });
    for (const image of ['web:2', 'web:1']) {
      await cluster.patchDeployment('web', { spec: imagePatch(image) }, STRATEGIC);
      await cluster.settled();
    }
    assert.deepEqual(sizes(cluster), { 'web:1': 4, 'web:2': 0 });
    const back = cluster.replicaSets().find((each) => each.spec.replicas === 4)!;
    assert.equal(back.metadata.annotations!['deployment.kubernetes.io/revision'], '3');
    assert.equal(back.metadata.annotations!['deployment.kubernetes.io/revision-history'], '1');
  });

  it('stops at a broken version with R - maxUnavailable Pods available, and says so after its deadline', async () => {
    const cluster = await aRunningDeployment({ progressDeadlineSeconds: 60 });
    await cluster.patchDeployment('web', { spec: imagePatch('web:broken') }, STRATEGIC);
    await cluster.run(50_000);
    assert.equal(condition(cluster.deployment('web'), 'Progressing')?.reason, 'ReplicaSetUpdated');
    await cluster.run(30_000);
    assert.deepEqual(sizes(cluster), { 'web:1': 8, 'web:broken': 5 });
    const progressing = condition(cluster.deployment('web'), 'Progressing')!;
    assert.deepEqual([progressing.status, progressing.reason], ['False', 'ProgressDeadlineExceeded']);
  });

  it('counts Pods as available after minReadySeconds, with nothing but time to tell', async () => {
    const cluster = await aCluster();
    await cluster.createDeployment(aDeployment({ replicas: 2, minReadySeconds: 30 }));
    await cluster.run(20_000);
    const early = cluster.deployment('web')!.status;
    assert.deepEqual([early.readyReplicas, early.availableReplicas], [2, undefined]);
    await cluster.run(20_000);
    assert.equal(cluster.deployment('web')!.status.availableReplicas, 2);
  });

  it('keeps no more old ReplicaSets than its history allows', async () => {
    const cluster = await aRunningDeployment({ replicas: 1, revisionHistoryLimit: 1 });
    for (const image of ['web:2', 'web:3', 'web:4']) {
      await cluster.patchDeployment('web', { spec: imagePatch(image) }, STRATEGIC);
      await cluster.settled();
    }
    assert.deepEqual(sizes(cluster), { 'web:3': 0, 'web:4': 1 });
  });

  it('Recreate: no new Pod before the last old one is gone', async () => {
    const cluster = await aRunningDeployment({ replicas: 3, strategy: 'Recreate' });
    const generations: string[] = [];
    cluster.observe(() => {
      const images = new Set(cluster.pods().map((pod) => pod.spec.containers[0].image as string));
      if (images.size > 0) generations.push([...images].join('+'));
    });
    await cluster.patchDeployment('web', { spec: imagePatch('web:2') }, STRATEGIC);
    await cluster.settled();
    assert.deepEqual([...new Set(generations)], ['web:1', 'web:2']);
    assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 3 });
  });

  it('takes another name when a ReplicaSet with another template has the one it wanted', async () => {
    const cluster = await aCluster();
    const deployment = await cluster.createDeployment(aDeployment({ replicas: 1, paused: true }));
    const name = `web-${templateHash(deployment.spec.template)}`;
    const stranger = {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'other' } },
        template: { ...deployment.spec.template, metadata: { labels: { app: 'other' } } },
      },
    };
    await cluster.client.request('POST', REPLICA_SETS, { body: stranger });
    await cluster.run(1000);
    await cluster.patchDeployment('web', { spec: { paused: false } });
    await cluster.settled();
    assert.equal(cluster.deployment('web')!.status.collisionCount, 1);
    assert.equal(cluster.deployment('web')!.status.availableReplicas, 1);
  });

  it('adopts a ReplicaSet that its selector matches, and lets go of one that it no longer matches', async () => {
    const cluster = await aRunningDeployment({ replicas: 2 });
    const [owned] = cluster.replicaSets();
    const path = `${REPLICA_SETS}/${owned!.metadata.name}`;
    const type = 'application/merge-patch+json';
    await cluster.client.request('PATCH', path, { type, body: { metadata: { ownerReferences: null } } });
    await cluster.settled();
    const adopted = cluster.replicaSets().find(({ metadata }) => metadata.name === owned!.metadata.name)!;
    assert.equal(adopted.metadata.ownerReferences?.[0]?.name, 'web');
    await cluster.client.request('PATCH', path, { type, body: { metadata: { labels: { app: 'gone' } } } });
    await cluster.settled();
    const released = cluster.replicaSets().find(({ metadata }) => metadata.name === owned!.metadata.name)!;
    assert.equal(released.metadata.ownerReferences, undefined);
  });

  it('says what it does in Events, for people', async () => {
    const cluster = await aRunningDeployment({ replicas: 2 }, { verbose: true });
    const events = cluster.cluster.store.list('/events', 'default');
    const said = (reason: string): string[] =>
      events.filter((event) => event.reason === reason).map((event) => String(event.message));
    assert.match(said('ScalingReplicaSet')[0]!, /^Scaled up replica set web-\w+ from 0 to 2$/);
    assert.equal(said('SuccessfulCreate').length, 2);
    assert.match(said('Scheduled')[0]!, /^Successfully assigned default\/web-.* to n0$/);
  });

  it('reaches the same result if its controllers are killed at any moment', async () => {
    for (let seed = 1; seed <= 10; seed++) {
      const cluster = await aRunningDeployment({ replicas: 5 }, { seed });
      await cluster.patchDeployment('web', { spec: imagePatch('web:2') }, STRATEGIC);
      const { deployment, replicaset, kubelet, scheduler } = cluster.controllers.byName;
      for (let i = 0; i < 8; i++) {
        await cluster.run(cluster.clock.random() * 300);
        for (const controller of [deployment, replicaset, kubelet, scheduler]) {
          if (cluster.clock.random() < 0.5) continue;
          controller.crash();
          await cluster.run(cluster.clock.random() * 50);
          controller.start();
        }
      }
      await cluster.settled();
      assert.deepEqual(sizes(cluster), { 'web:1': 0, 'web:2': 5 }, `seed ${seed}`);
      assert.equal(cluster.pods().filter(isAvailable).length, 5, `seed ${seed}`);
    }
  });

  it('replays a run from its seed', async () => {
    const history = async (seed: number): Promise<string[]> => {
      const cluster = await aRunningDeployment({ replicas: 3 }, { seed });
      return cluster.pods().map(({ metadata }) => `${metadata.name} ${metadata.uid} ${metadata.resourceVersion}`);
    };
    assert.deepEqual(await history(7), await history(7));
    assert.notDeepEqual(await history(7), await history(8));
  });
});
