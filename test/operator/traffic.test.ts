// Traffic of whole releases in virtual time: what the route says in each step, and what is left at the end.
import assert from 'node:assert/strict';
import { TRAFFIC } from '../../src/api/keys.ts';
import { pathOf } from '../../src/kube/path.ts';
import { DEPLOYMENTS, HTTP_ROUTES, PODS, SERVICES } from '../../src/api/resources.ts';
import type { CanaryStatus, CanaryStep } from '../../src/api/types.ts';
import { NAME, versionOf, type World } from './world.ts';
import { drainOf } from './draining.ts';
import { routedWorld, routeIn, ROUTING, RULES, serviceIn, weightsIn } from './traffic.ts';

/** 1 of 10 Pods, and 30 % of the requests: 10 % as the share of its Pods, and 2/9 of the rest. */
const STEPS = [{ replicas: 1, traffic: '30%' }, { replicas: '50%', traffic: '50%' }, { replicas: '100%' }];

/** 2 of 10 Pods with 5 % of the requests: fewer than the share of the Pods. */
const APART = [{ replicas: 2, traffic: '5%' }, { replicas: '50%', traffic: '30%' }, { replicas: '100%' }];
const USER_A = [{ headers: [{ name: 'x-user', value: 'a' }] }];

async function releasing(steps: readonly CanaryStep[] = STEPS): ReturnType<typeof routedWorld> {
  const world = await routedWorld();
  await world.createDeployment();
  await world.createRollout(steps, { canary: { trafficRoutings: ROUTING } });
  await world.untilHealthy();
  await world.release('v2');
  return world;
}

function nothingLeft(world: World): void {
  assert.deepEqual(routeIn(world)?.spec.rules, RULES);
  assert.deepEqual(routeIn(world)?.metadata.labels ?? {}, {});
  assert.deepEqual(routeIn(world)?.metadata.annotations ?? {}, {});
  for (const leg of ['canary', 'stable']) assert.equal(serviceIn(world, `${NAME}-${leg}`), undefined);
  assert.equal(world.deployment.metadata.annotations?.[TRAFFIC], undefined);
  assert.equal(world.canary.traffic, undefined);
}

/** What the operator has asked the API server for since the release: `PATCH httproutes`. Without watches and lists. */
const callsOf = (world: World, from: number): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { method, path, query } of world.calls.slice(from)) {
    const [, kind, name] = /\/(httproutes|services|endpointslices|deployments)(\/|$)/.exec(path) ?? [];
    if (kind === undefined || query?.['watch'] !== undefined || (method === 'GET' && name === '')) continue;
    counts[`${method} ${kind}`] = (counts[`${method} ${kind}`] ?? 0) + 1;
  }
  return counts;
};

describe('operator: shared traffic', () => {
  it('gives the new version its share in each step, and leaves nothing behind', async () => {
    const world = await releasing();
    await world.untilPaused(1);
    assert.deepEqual(weightsIn(world), [{ demo: 778, 'demo-canary': 222 }]);
    assert.equal(world.deployment.metadata.annotations?.[TRAFFIC], 'Shared');
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual(routeIn(world)?.spec.rules, RULES);
    await world.approve();
    await world.untilHealthy();
    assert.deepEqual(world.sizes, { v2: 10 });
    nothingLeft(world);
    await world.stop();
  });

  it('takes the requests away before a rollback', async () => {
    const world = await releasing();
    await world.untilPaused(1);
    await world.release('v1');
    await world.until(
      'the route is the user’s',
      () => JSON.stringify(routeIn(world)?.spec.rules) === JSON.stringify(RULES),
    );
    assert.deepEqual(world.sizes, { v1: 9, v2: 1 });
    await world.untilHealthy();
    assert.deepEqual(world.sizes, { v1: 10 });
    nothingLeft(world);
    await world.stop();
  });

  it('takes the requests away before a newer version starts', async () => {
    const world = await releasing();
    await world.untilPaused(1);
    await world.release('v3');
    await world.until('v3 has its share', () => world.canary.traffic?.state === 'Watch' && world.sizes['v3'] === 1);
    assert.deepEqual(weightsIn(world), [{ demo: 778, 'demo-canary': 222 }]);
    assert.equal(serviceIn(world, `${NAME}-canary`)?.spec.selector?.['pod-template-hash'], world.versions[0]?.revision);
    await world.stop();
  });

  it('leaves nothing behind when the Rollout is deleted', async () => {
    const world = await releasing();
    await world.untilPaused(1);
    await world.deleteRollout();
    await world.until('it is gone', () => world.rolloutOf() === undefined);
    assert.deepEqual(routeIn(world)?.spec.rules, RULES);
    assert.equal(serviceIn(world, `${NAME}-canary`), undefined);
    assert.equal(world.held, false);
    await world.stop();
  });

  it('leaves nothing behind when the Rollout is disabled', async () => {
    const world = await releasing();
    await world.untilPaused(1);
    await world.patchRollout({ spec: { disabled: true } });
    await world.until('it is disabled', () => world.rollout.status?.phase === 'Disabled');
    assert.deepEqual(routeIn(world)?.spec.rules, RULES);
    assert.equal(serviceIn(world, `${NAME}-canary`), undefined);
    await world.stop();
  });

  it('takes the requests from a version whose Pods are gone, and gives them back', async () => {
    const world = await routedWorld({ readyMs: 1_500 });
    await world.createDeployment();
    await world.createRollout(STEPS, { canary: { trafficRoutings: ROUTING } });
    await world.untilHealthy();
    await world.release('v2:slow');
    await world.untilPaused(1, 120_000);
    const [pod] = world.pods.filter((one) => versionOf(one as never) === 'v2:slow');
    await world.virtual.client.request(
      'DELETE',
      pathOf(PODS, { namespace: 'default', name: pod?.metadata.name ?? '' }),
    );
    await world.until('it retreats', () => JSON.stringify(weightsIn(world)) === '[{"demo":100,"demo-canary":0}]');
    await world.until('it says so', () => /Service demo-canary/.test(world.canary.message ?? ''));
    await world.until('an event says so', () => world.events.some(({ reason }) => reason === 'TrafficRetreated'));
    await world.until('it is back', () => world.canary.traffic?.state === 'Watch', 120_000);
    assert.deepEqual(weightsIn(world), [{ demo: 778, 'demo-canary': 222 }]);
    await world.stop();
  });

  it('says in words that the route does not exist', async () => {
    const world = await routedWorld();
    await world.virtual.client.request('DELETE', pathOf(HTTP_ROUTES, { namespace: 'default', name: NAME }));
    await world.createDeployment();
    await world.createRollout(STEPS, { canary: { trafficRoutings: ROUTING } });
    await world.untilHealthy();
    await world.release('v2');
    await world.until('it stalls', () => world.condition('Stalled')?.status === 'True');
    assert.equal(world.condition('Stalled')?.reason, 'TrafficBlocked');
    assert.match(world.condition('Stalled')?.message ?? '', /HTTPRoute demo does not exist/);
    await world.stop();
  });
});

describe('operator: two Rollouts with one route', () => {
  const RIVAL = 'a-rival';
  /** Both are created in the same second, and none has seen the other at admission. */
  async function together(): ReturnType<typeof routedWorld> {
    const world = await routedWorld();
    await world.createDeployment();
    const { client } = world.virtual;
    const labels = { app: NAME, tier: RIVAL };
    const body = structuredClone(world.deployment) as unknown as {
      metadata: object;
      spec: { selector: object; template: { metadata: object } };
    };
    body.metadata = { name: RIVAL };
    body.spec.selector = { matchLabels: labels };
    body.spec.template.metadata = { labels };
    await client.request('POST', pathOf(DEPLOYMENTS, { namespace: 'default' }), { body });
    const canary = { trafficRoutings: ROUTING };
    await Promise.all([
      world.createRollout(STEPS, { canary }),
      world.createRollout(STEPS, { canary, name: RIVAL, workload: RIVAL }),
    ]);
    await world.until('both are enrolled', () =>
      [undefined, RIVAL].every((name) => world.rolloutOf(name)?.status?.phase === 'Healthy'),
    );
    const image = (version: string): object => ({
      spec: { template: { spec: { containers: [{ name: 'main', image: `demo/${version}:ok` }] } } },
    });
    await Promise.all([world.release('v2'), world.patch(image('v2'), undefined, RIVAL)]);
    return world;
  }
  const stalledOf = (world: World): { status: string; reason?: string; message?: string } | undefined =>
    world.condition('Stalled');

  it('lets the first one release, and the other one waits and says for whom', async () => {
    const world = await together();
    await world.until('the other one waits', () => stalledOf(world)?.status === 'True');
    const { reason, message } = stalledOf(world)!;
    assert.equal(reason, 'TrafficBlocked');
    assert.match(
      message ?? '',
      /^HTTPRoute demo is already routed by Rollout a-rival: write another HTTPRoute, or delete/,
    );
    const first = (): Partial<CanaryStatus> => world.rolloutOf(RIVAL)?.status?.canaryStatus ?? {};
    await world.until('the first one has its requests', () => first().currentStepState === 'StepPaused');
    assert.deepEqual(weightsIn(world), [{ demo: 778, 'demo-canary': 222 }]);
    const from = world.calls.length;
    await world.run(120_000);
    assert.deepEqual(
      world.calls.slice(from).filter(({ method, path }) => method !== 'GET' && /httproutes|services/.test(path)),
      [],
      'nothing is written again',
    );
    assert.equal(world.canary.traffic, undefined);
    await world.stop();
  });

  it('lets the other one release when the first one is gone', async () => {
    const world = await together();
    await world.until('the other one waits', () => stalledOf(world)?.status === 'True');
    await world.deleteRollout(RIVAL);
    await world.untilPaused(1, 300_000);
    assert.deepEqual(weightsIn(world), [{ demo: 778, 'demo-canary': 222 }]);
    assert.equal(stalledOf(world)?.status, 'False');
    await world.stop();
  });
});

describe('operator: traffic apart', () => {
  it('keeps the versions apart in each step, and leaves nothing behind', async () => {
    const world = await releasing(APART);
    await world.until('the versions are apart', () => weightsIn(world)[0]?.['demo-stable'] === 100);
    assert.deepEqual(weightsIn(world), [{ demo: 0, 'demo-stable': 100 }]);
    assert.deepEqual(world.sizes, { v1: 10 });
    await world.untilPaused(1);
    assert.deepEqual(weightsIn(world), [{ demo: 0, 'demo-stable': 95, 'demo-canary': 5 }]);
    assert.equal(world.deployment.metadata.annotations?.[TRAFFIC], 'Apart');
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual(weightsIn(world), [{ demo: 0, 'demo-stable': 70, 'demo-canary': 30 }]);
    await world.approve();
    await world.untilHealthy();
    assert.deepEqual(world.sizes, { v2: 10 });
    nothingLeft(world);
    await world.stop();
  });

  it('keeps all requests with the stable version until a rollback is over', async () => {
    const world = await releasing(APART);
    await world.untilPaused(1);
    await world.release('v1');
    await world.until('v2 is gone', () => world.sizes['v2'] === undefined, 120_000);
    assert.deepEqual(weightsIn(world), [{ demo: 0, 'demo-stable': 100, 'demo-canary': 0 }]);
    await world.untilHealthy();
    nothingLeft(world);
    await world.stop();
  });

  it('sends only the requests that match to the new version', async () => {
    const world = await releasing([{ replicas: 1, matches: USER_A }, { replicas: '50%' }, { replicas: '100%' }]);
    await world.untilPaused(1);
    assert.deepEqual(weightsIn(world), [{ 'demo-canary': 1 }, { demo: 0, 'demo-stable': 100, 'demo-canary': 0 }]);
    assert.deepEqual(routeIn(world)?.spec.rules?.[0]?.matches, [
      { path: { type: 'PathPrefix', value: '/' }, headers: [{ type: 'Exact', name: 'x-user', value: 'a' }] },
    ]);
    await world.approve();
    await world.untilPaused(2);
    assert.deepEqual(routeIn(world)?.spec.rules, RULES);
    await world.approve();
    await world.untilHealthy();
    nothingLeft(world);
    await world.stop();
  });

  it('stays out of the way of a Service that somebody else has made', async () => {
    const world = await routedWorld();
    await world.virtual.client.request('POST', pathOf(SERVICES, { namespace: 'default' }), {
      body: {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: `${NAME}-stable` },
        spec: { selector: { app: 'another' }, ports: [{ port: 80 }] },
      },
    });
    await world.createDeployment();
    await world.createRollout(APART, { canary: { trafficRoutings: ROUTING } });
    await world.untilHealthy();
    await world.release('v2');
    await world.until('it stalls', () => world.condition('Stalled')?.status === 'True');
    assert.match(world.condition('Stalled')?.message ?? '', /needs the name demo-stable/);
    assert.deepEqual(routeIn(world)?.spec.rules, RULES);
    await world.virtual.client.request('DELETE', pathOf(SERVICES, { namespace: 'default', name: `${NAME}-stable` }));
    await world.untilPaused(1, 180_000);
    assert.equal(world.condition('Stalled')?.status, 'False');
    await world.stop();
  });
});

describe('operator: traffic at rest', () => {
  it('removes what somebody has written as if there were a release', async () => {
    const world = await routedWorld();
    await world.createDeployment();
    await world.createRollout(STEPS, { canary: { trafficRoutings: ROUTING } });
    await world.untilHealthy();
    world.webhook = false;
    await world.patch({ metadata: { annotations: { [TRAFFIC]: 'Apart' } } });
    await world.until('it is gone', () => world.deployment.metadata.annotations?.[TRAFFIC] === undefined);
    await world.until('the status is as before', () => world.canary.traffic === undefined);
    assert.deepEqual(routeIn(world)?.spec.rules, RULES);
    assert.equal(world.rollout.status?.phase, 'Healthy');
    await world.stop();
  });
});

describe('operator: a drain during a release with traffic', () => {
  for (const [mode, steps] of [
    ['shared', STEPS],
    ['apart', APART],
  ] as const)
    for (const held of ['Finish', 'Rollback'] as const)
      it(`leaves nothing behind: ${mode}, ${held}`, async () => {
        const world = await releasing(steps);
        await world.untilPaused(1);
        await drainOf(world, held, { seconds: 110 });
        assert.equal(world.held, false);
        assert.deepEqual(routeIn(world)?.spec.rules, RULES);
        assert.deepEqual(routeIn(world)?.metadata.labels ?? {}, {});
        for (const leg of ['canary', 'stable']) assert.equal(serviceIn(world, `${NAME}-${leg}`), undefined);
        assert.equal(world.deployment.metadata.annotations?.[TRAFFIC], undefined);
        await world.stop();
      });
});

describe('operator: the cost of traffic', () => {
  it('is nothing for a Rollout whose steps need no route', async () => {
    const world = await releasing([{ replicas: 1, traffic: '10%' }, { replicas: '100%' }]);
    await world.untilPaused(1);
    await world.approve();
    await world.untilHealthy();
    const counts = callsOf(world, 0);
    assert.deepEqual(
      Object.keys(counts).filter((call) => !call.endsWith('deployments')),
      [],
    );
    await world.stop();
  });

  it('is a few writes for each routed step', async () => {
    const world = await routedWorld();
    await world.createDeployment();
    await world.createRollout([{ replicas: 1, traffic: '30%' }, { replicas: '100%' }], {
      canary: { trafficRoutings: ROUTING },
    });
    await world.untilHealthy();
    const from = world.calls.length;
    await world.release('v2');
    await world.untilPaused(1);
    await world.approve();
    await world.untilHealthy();
    const {
      'GET httproutes': routes = 0,
      'GET services': services = 0,
      'PATCH deployments': _,
      ...writes
    } = callsOf(world, from);
    assert.deepEqual(writes, { 'POST services': 1, 'DELETE services': 1, 'PATCH httproutes': 3 });
    // All once, and each Service after its creation and deletion. What was patched is known.
    assert.ok(routes <= 4 && services <= 8, `${routes} reads of the route, ${services} of Services`);
    await world.stop();
  });
});
