// A DaemonSet in a whole small world: steps by eviction, budgets, nodes that come and go, rollbacks, and the end of its Rollout.
import assert from 'node:assert/strict';
import type { DaemonSet } from '../../src/api/types.ts';
import { daemonSetKind } from '../../src/engine/workload/daemonset/kind.ts';
import { pathOf } from '../../src/kube/path.ts';
import type { Misbehaviour } from './api.ts';
import { isReady, NAME, versionOf, World, type WorldOptions } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const NODES = 6;

interface Options extends WorldOptions {
  readonly rollingUpdate?: object;
  readonly spec?: object;
}

async function begin({ rollingUpdate, spec, ...options }: Options = {}): Promise<World> {
  const nodes = options.nodes ?? NODES;
  const world = await new World({ evicts: true, ...options, nodes, kind: daemonSetKind }).start();
  const strategy = rollingUpdate && { updateStrategy: { type: 'RollingUpdate', rollingUpdate } };
  await world.createDeployment({ spec: { replicas: undefined, ...strategy, ...spec } });
  await world.until('all Pods run', () => world.readyPods === nodes);
  await world.createRollout(STEPS);
  await world.untilHealthy();
  await world.run(1_000);
  return world;
}

const typeOf = ({ deployment }: World): string | undefined => (deployment as DaemonSet).spec.updateStrategy?.type;
const ended = (world: World) => () =>
  world.history[0]?.endTime !== undefined && world.rollout.status?.phase === 'Healthy';
const evictions = (world: World): number =>
  world.calls.filter(({ path, method }) => method === 'POST' && path.endsWith('/eviction')).length;
const messageOf = (world: World): string => world.rollout.status?.message ?? '';
const budget = (world: World, spec: object): Promise<unknown> =>
  world.virtual.client.request('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', {
    body: {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: NAME },
      spec: { selector: { matchLabels: { app: NAME } }, ...spec },
    },
  });
const node = (world: World, name: string): Promise<unknown> =>
  world.virtual.client.request('POST', '/api/v1/nodes', {
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name } },
  });

describe('a DaemonSet in a world', () => {
  for (const webhook of [true, false])
    it(`is held also while no node accepts new Pods, and updated in steps when the nodes do again${webhook ? '' : ', without a webhook'}`, async () => {
      const world = await begin();
      const taint = async (taints: readonly object[]): Promise<void> => {
        for (const name of Array.from({ length: NODES }, (_, i) => `n${i}`))
          await world.virtual.client.request('PATCH', `/api/v1/nodes/${name}`, {
            type: 'application/merge-patch+json',
            body: { spec: { taints } },
          });
        // Its controller looks at the nodes again when the DaemonSet changes.
        await world.run(1_000);
        await world.patch({ metadata: { annotations: { note: `${taints.length}` } } });
        await world.run(10_000);
      };
      await taint([{ key: 'full', effect: 'NoSchedule' }]);
      assert.equal((world.deployment as DaemonSet).status?.desiredNumberScheduled, 0);
      assert.deepEqual(world.sizes, { v1: NODES });
      world.webhook = webhook;
      await world.release('v2');
      await world.run(120_000);
      if (webhook) assert.deepEqual(world.sizes, { v1: NODES }, 'no Pod was deleted');
      assert.equal(typeOf(world), 'OnDelete');
      await taint([]);
      await world.untilPaused(1);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await world.stop();
    });

  it('goes through its steps: one Pod at a time is evicted, and no more than the step', async () => {
    const world = await begin();
    await world.release('v2');
    assert.equal(typeOf(world), 'OnDelete', 'held in the answer of the webhook');
    let most = 0;
    world.virtual.observe(() => (most = Math.max(most, NODES - world.readyPods)));
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
    await world.run(30_000);
    assert.deepEqual([world.sizes, evictions(world)], [{ v1: 5, v2: 1 }, 1]);
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual([world.sizes, evictions(world)], [{ v1: 3, v2: 3 }, 3]);
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual([world.sizes, typeOf(world), world.held], [{ v2: 6 }, 'RollingUpdate', false]);
    assert.deepEqual([world.history[0]?.outcome, evictions(world), most], ['Completed', 6, 1]);
    assert.equal(world.condition('Bypassed'), undefined);
    const told = world.events.filter(({ reason }) => reason === 'PodEvicted');
    assert.deepEqual(
      told.map(({ about }) => about.kind),
      Array.from({ length: 6 }, () => 'Rollout'),
    );
    assert.match(told[0]!.message, /^Pod demo-\w+ was evicted, so that .* \(1 of 1 Pod\)$/);
    await world.run(20_000);
    assert.equal(world.rollout.status?.phase, 'Healthy');
    const left = world.virtual.cluster.store.list('apps/controllerrevisions', 'default');
    assert.deepEqual(
      left.filter(({ metadata }) => metadata.name.includes('-stable-')),
      [],
      'the copy of the stable template is gone',
    );
    await world.stop();
  });

  for (const [maxUnavailable, most] of [
    [2, 2],
    ['50%', 3],
    ['40%', 3],
    [0, 1],
  ] as const)
    it(`has at most ${most} unavailable with maxUnavailable ${maxUnavailable}`, async () => {
      const world = await begin({ rollingUpdate: { maxUnavailable, ...(maxUnavailable === 0 && { maxSurge: 1 }) } });
      await world.release('v2');
      await world.untilPaused(1);
      let seen = 0;
      world.virtual.observe(() => (seen = Math.max(seen, NODES - world.readyPods)));
      await world.approve();
      await world.untilPaused(2);
      await world.approve();
      await world.untilCompleted();
      assert.equal(seen, Math.min(most, 3));
      assert.deepEqual((world.deployment as DaemonSet).spec.updateStrategy, {
        type: 'RollingUpdate',
        rollingUpdate: { maxUnavailable, maxSurge: maxUnavailable === 0 ? 1 : 0 },
      });
      await world.stop();
    });

  it('that may not be evicted says which value and which command, and goes on when somebody deletes the Pods', async () => {
    const world = await begin({ evicts: false });
    await world.release('v2');
    await world.until('it asks', () => messageOf(world).includes('kubectl delete pod'));
    const said =
      /^step 1\/3: 0 of 1 Pod updated, waiting for somebody to delete Pod (demo-\w+) since \S+Z: the operator may not evict Pods of DaemonSets; set the value daemonSets\.evictPods of the chart, or run: kubectl delete pod \1$/.exec(
        messageOf(world),
      );
    assert.ok(said, messageOf(world));
    await world.run(60_000);
    assert.deepEqual([world.sizes, evictions(world)], [{ v1: 6 }, 0]);
    await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${said[1]}`);
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
    assert.equal(world.condition('Bypassed'), undefined);
    await world.stop();
  });

  it('waits for a PodDisruptionBudget, in words and without haste, and goes on when it allows the eviction', async () => {
    const world = await begin();
    await budget(world, { minAvailable: 6 });
    await world.run(1_000);
    await world.release('v2');
    await world.until('it says so', () => messageOf(world).includes('refused'), 30_000);
    assert.match(
      messageOf(world),
      /^step 1\/3: 0 of 1 Pod updated, waiting for the eviction of Pod demo-\w+, refused since \S+Z: The disruption budget demo needs 6 healthy pods and has 6 currently$/,
    );
    const asked = (): number =>
      world.apis.flatMap(({ calls }) => calls).filter(({ path }) => path.endsWith('/eviction')).length;
    const before = asked();
    await world.run(300_000);
    assert.ok(asked() - before <= 7, `${asked() - before} requests in five minutes`);
    assert.deepEqual(world.sizes, { v1: 6 });
    assert.equal(world.events.filter(({ reason }) => reason === 'EvictionRefused').length, 2);
    await world.virtual.client.request('DELETE', `/apis/policy/v1/namespaces/default/poddisruptionbudgets/${NAME}`);
    await world.untilPaused(1, 120_000);
    assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
    await world.stop();
  });

  it('rolls back in one answer, natively', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilPaused(2);
    await world.release('v1');
    assert.deepEqual([world.held, typeOf(world)], [false, 'RollingUpdate']);
    await world.until('it is rolled back', ended(world));
    assert.deepEqual([world.sizes, world.history[0]?.outcome], [{ v1: 6 }, 'RolledBack']);
    await world.stop();
  });

  it('stalls on a broken Pod, takes no other, and a newer version fixes it from step 1 by replacing that Pod', async () => {
    const world = await begin();
    await world.release('v2:broken');
    await world.until('it stalls', () => world.condition('Stalled')?.status === 'True', 120_000);
    assert.deepEqual(world.sizes, { v1: 5, 'v2:broken': 1 });
    await world.release('v3');
    await world.untilPaused(1);
    assert.deepEqual(world.sizes, { v1: 5, v3: 1 });
    await world.stop();
  });

  it('with onFailure Rollback goes back by itself', async () => {
    const world = await begin();
    await world.patchRollout({ spec: { strategy: { canary: { onFailure: 'Rollback', stepDeadlineSeconds: 30 } } } });
    await world.release('v2:broken');
    await world.until('it is rolled back', ended(world), 300_000);
    assert.deepEqual([world.sizes, world.history[0]?.outcome], [{ v1: 6 }, 'Failed']);
    await world.stop();
  });

  it('counts Pods of new nodes as bypassed, and its steps follow the number of nodes', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await node(world, 'n6');
    await node(world, 'n7');
    await world.until('they run', () => world.readyPods === 8);
    await world.until('it says so', () => /2 Pods beyond the step have the new version/.test(messageOf(world)));
    const bypassed = world.condition('Bypassed');
    assert.deepEqual([bypassed?.status, bypassed?.reason], ['True', 'CreatedDuringRelease']);
    // The event Bypassed counts for the alert about the webhooks.
    const told = new Set(world.events.map(({ reason }) => reason));
    assert.deepEqual([told.has('CreatedDuringRelease'), told.has('Bypassed')], [true, false]);
    assert.deepEqual([world.sizes, world.canary.currentStepState], [{ v1: 5, v2: 3 }, 'StepPaused']);
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual(world.sizes, { v1: 4, v2: 4 });
    await world.virtual.client.request('DELETE', '/api/v1/nodes/n7');
    await world.until('its Pod is gone', () => world.pods.length === 7, 300_000);
    await world.approve();
    await world.untilCompleted();
    assert.deepEqual(world.sizes, { v2: 7 });
    assert.equal(world.history[0]?.outcome, 'Completed');
    await world.stop();
  });

  it('made anew, it adopts the Pods of the one before, and replaces those that its controller takes for updated', async () => {
    const world = await begin();
    const path = pathOf(daemonSetKind.resource, { namespace: 'default', name: NAME });
    await world.virtual.client.request('DELETE', path, { body: { propagationPolicy: 'Orphan' } });
    await world.until('it is gone', () => !world.virtual.cluster.store.get('apps/daemonsets', 'default', NAME));
    await world.createDeployment({ spec: { replicas: undefined }, version: 'v2' });
    await world.untilPaused(1);
    for (const step of [2, 3]) {
      await world.approve();
      if (step === 2) await world.untilPaused(2);
    }
    await world.untilCompleted();
    assert.deepEqual([world.sizes, world.history[0]?.outcome], [{ v2: 6 }, 'Completed']);
    assert.ok(!world.events.some(({ reason }) => reason === 'RolledBack'), 'it is not taken for its own rollback');
    await world.stop();
  });

  it('counts a Pod that somebody deletes, and evicts no other for it', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    const pod = world.pods.find((one) => versionOf(one) === 'v1')!;
    await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${pod.metadata.name}`);
    await world.until('it is reported', () => world.condition('Bypassed')?.status === 'True');
    assert.match(messageOf(world), /1 Pod beyond the step has the new version/);
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual([world.sizes, evictions(world)], [{ v1: 3, v2: 3 }, 2]);
    await world.stop();
  });

  it('replaces an old Pod that is not Ready first, and waits for a node whose Pod is not available', async () => {
    const world = await begin();
    const ill = world.pods.find(
      (pod) => pod.metadata.name === world.pods.map((one) => one.metadata.name).toSorted()[3],
    )!;
    await world.virtual.client.request('PATCH', `/api/v1/namespaces/default/pods/${ill.metadata.name}`, {
      type: 'application/merge-patch+json',
      body: { metadata: { annotations: { 'sandbox.tranche.dev/ready': 'false' } } },
    });
    await world.until('it is ill', () => world.readyPods === NODES - 1);
    await world.run(1_000);
    await world.release('v2');
    await world.untilPaused(1);
    assert.deepEqual([world.sizes, world.readyPods], [{ v1: 5, v2: 1 }, NODES]);
    assert.ok(!world.pods.some(({ metadata }) => metadata.name === ill.metadata.name));
    await world.stop();
  });

  it('evicts nobody while the Pod of the step before is not available', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    const fresh = world.pods.find((one) => versionOf(one) === 'v2')!;
    await world.virtual.client.request('PATCH', `/api/v1/namespaces/default/pods/${fresh.metadata.name}`, {
      type: 'application/merge-patch+json',
      body: { metadata: { annotations: { 'sandbox.tranche.dev/ready': 'false' } } },
    });
    await world.until('it is ill', () => !isReady(world.pods.find((one) => versionOf(one) === 'v2')!));
    await world.run(1_000);
    await world.approve();
    await world.run(20_000);
    assert.deepEqual([world.sizes, evictions(world)], [{ v1: 5, v2: 1 }, 1]);
    await world.stop();
  });

  it('held after its type was set without a webhook: what was replaced stays, and the rest is held', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    world.webhook = false;
    await world.patch({ spec: { updateStrategy: { type: 'RollingUpdate' } } });
    world.webhook = true;
    await world.until('it is held again', () => typeOf(world) === 'OnDelete');
    assert.equal(world.condition('Bypassed')?.status ?? 'True', 'True');
    await world.run(30_000);
    assert.ok((world.sizes['v1'] ?? 0) >= 3, JSON.stringify(world.sizes));
    await world.stop();
  });

  it('whose new template no webhook saw is held late, and reported', async () => {
    const world = await begin();
    world.webhook = false;
    await world.release('v2');
    world.webhook = true;
    await world.until('it is held', () => world.held && typeOf(world) === 'OnDelete');
    await world.run(30_000);
    assert.equal(world.condition('Bypassed')?.status, 'True');
    assert.ok((world.sizes['v2'] ?? 0) < NODES, JSON.stringify(world.sizes));
    await world.stop();
  });

  it('is given back when its Rollout is deleted or disabled, and updated natively', async () => {
    for (const how of ['delete', 'disable'] as const) {
      const world = await begin();
      await world.release('v2');
      await world.untilPaused(1);
      if (how === 'delete') await world.deleteRollout();
      else await world.patchRollout({ spec: { disabled: true } });
      await world.until('it is given back', () => !world.held && typeOf(world) === 'RollingUpdate');
      await world.until('it is updated', () => world.sizes['v2'] === NODES);
      assert.equal(world.deployment.metadata.labels?.['rollouts.kruise.io/workload-type'], undefined);
      await world.stop();
    }
  });

  it('replaces nothing when nothing of ours runs', async () => {
    const world = await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    world.crash();
    await world.run(600_000);
    assert.deepEqual([typeOf(world), world.sizes['v1']], ['OnDelete', 5]);
    world.startOperator();
    await world.untilPaused(2);
    assert.deepEqual(world.sizes, { v1: 3, v2: 3 });
    await world.stop();
  });

  it('with OnDelete is not touched, and its Rollout says what to write', async () => {
    const world = await new World({ kind: daemonSetKind, nodes: 2 }).start();
    await world.createDeployment({ spec: { replicas: undefined, updateStrategy: { type: 'OnDelete' } } });
    await world.createRollout(STEPS);
    await world.until('it is told', () => world.condition('Stalled')?.reason === 'OnDeleteStrategy');
    assert.match(messageOf(world), /^DaemonSet "demo" has update strategy OnDelete/);
    await world.release('v2');
    await world.run(5_000);
    assert.deepEqual([world.held, world.sizes], [false, { v1: 2 }]);
    await world.stop();
  });

  it('waits in words when no node is left, and ends when there are nodes again', async () => {
    const world = await begin({ nodes: 2 });
    await world.release('v2');
    await world.untilPaused(1);
    for (const name of ['n0', 'n1']) await world.virtual.client.request('DELETE', `/api/v1/nodes/${name}`);
    await world.until('it says so', () => messageOf(world).startsWith('no node should run a Pod'), 300_000);
    await node(world, 'n5');
    await world.until('the Pod runs', () => world.readyPods === 1);
    await world.run(2_000);
    for (let step = 0; step < 3; step++) {
      await world.approve();
      await world.run(5_000);
    }
    await world.untilCompleted();
    assert.deepEqual([world.sizes, typeOf(world)], [{ v2: 1 }, 'RollingUpdate']);
    await world.stop();
  });

  it('that never had a node is not held, and its Pods start with its newest version', async () => {
    const world = await begin({ nodes: 0 });
    await world.release('v2');
    assert.equal(world.held, false);
    await world.until('it says so', () => messageOf(world).startsWith('no node should run a Pod'));
    // A controller that does not know the new template yet starts a Pod of the old one.
    await world.virtual.settled();
    await node(world, 'n5');
    await world.until('the Pod runs', () => world.readyPods === 1);
    await world.until(
      'it is over',
      () => world.rollout.status?.phase === 'Healthy' && world.canary.canaryReplicas === 1,
    );
    await world.stop();
  });

  it('whose first nodes are not counted yet when the template changes is held as soon as they are, and says why', async () => {
    const world = await begin({ nodes: 0 });
    const isCounted = (): boolean => (world.deployment as DaemonSet).status?.desiredNumberScheduled !== 0;
    // Before the DaemonSet controller writes its status, it creates Pods.
    let changed: Promise<unknown> | undefined;
    world.virtual.observe(() => {
      if (!isCounted() && world.sizes['v1'] !== undefined) changed ??= world.release('v2');
    });
    for (const name of ['n1', 'n2', 'n3', 'n4']) await node(world, name);
    await world.until('the template changes', () => changed !== undefined);
    await changed;
    assert.equal(world.held, false);
    await world.until('it is held', () => world.held);
    await world.untilPaused(1);
    const why = 'the release started with no Pods to update, and was not held';
    assert.equal(world.condition('Bypassed')?.message, why);
    assert.ok(world.events.some(({ message }) => message === `${why}: it is held now`));
    await world.stop();
  });

  it('evicts no second Pod when the answer to an eviction is lost', async () => {
    let lose = true;
    const misbehaviour = (): Misbehaviour => ({
      fault(call) {
        if (!lose || !call.path.endsWith('/eviction')) return undefined;
        lose = false;
        return 'lost';
      },
      line: () => undefined,
      onCrash: () => undefined,
    });
    const world = await begin({ misbehaviour });
    await world.release('v2');
    let seen = 0;
    world.virtual.observe(() => (seen = Math.max(seen, NODES - world.readyPods)));
    await world.untilPaused(1);
    assert.deepEqual([world.sizes, seen, lose], [{ v1: 5, v2: 1 }, 1, false]);
    await world.stop();
  });
});
