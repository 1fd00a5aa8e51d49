// Failures (Pod signals, deadlines, onFailure, failureThreshold) and what is not a failure.
import assert from 'node:assert/strict';
import { FIELD_OWNERS } from '../../src/api/keys.ts';
import type { Pod } from '../../src/api/types.ts';
import type { Misbehaviour } from './api.ts';
import { isReady, World } from './world.ts';

const imageOf = ({ spec }: Pod): string =>
  (spec as unknown as { containers: { image: string }[] }).containers[0]!.image;

const STEPS = [{ replicas: 2 }, { replicas: '50%' }, { replicas: '100%' }];

describe('a release of a version that fails', () => {
  let world: World;

  const begin = async (canary: object = {}): Promise<void> => {
    world = await new World({ seed: 3 }).start();
    await world.createDeployment({ spec: { strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } } });
    await world.createRollout(STEPS, { canary });
    await world.untilHealthy();
    await world.virtual.settled();
  };
  afterEach(() => world.stop());

  const stalled = (reason: string) => (): boolean =>
    world.condition('Stalled')?.status === 'True' && world.condition('Stalled')?.reason === reason;

  it('stalls with the names of its Pods, spends no more, and keeps every good Pod', async () => {
    await begin();
    await world.release('v2:broken');
    await world.until('stalled', stalled('PodsFailing'), 120_000);
    await world.run(60_000);
    assert.match(
      world.rollout.status?.message ?? '',
      /^step 1\/3 stalled: demo-\w+-\w+ \((ErrImagePull|ImagePullBackOff)\)/,
    );
    assert.deepEqual(world.sizes, { v1: 10, 'v2:broken': 1 });
    assert.equal(world.deployment.spec.paused, true, 'held in the middle of the batch');
    assert.equal(world.deployment.status?.availableReplicas, 10);
    assert.ok(world.events.some(({ reason, type }) => reason === 'Stalled' && type === 'Warning'));
  });

  it('goes on when its Pods recover', async () => {
    await begin({ stepDeadlineSeconds: 20 });
    await world.release('v2:slow');
    await world.virtual.client.request('PATCH', '/api/v1/nodes/n0', {
      type: 'application/merge-patch+json',
      body: { spec: { unschedulable: true } },
    });
    await world.until('stalled', stalled('StepDeadlineExceeded'), 120_000);
    assert.equal(world.sizes['v1'], 10);
    await world.virtual.client.request('PATCH', '/api/v1/nodes/n0', {
      type: 'application/merge-patch+json',
      body: { spec: { unschedulable: null } },
    });
    await world.untilPaused(1, 120_000);
    assert.deepEqual(world.sizes, { v1: 8, 'v2:slow': 2 });
    assert.equal(world.condition('Stalled')?.status, 'False');
    assert.ok(world.events.some(({ reason }) => reason === 'Recovered'));
  });

  it('stalls at once on a Pod that restarts again and again', async () => {
    await begin();
    await world.release('v2:crash');
    await world.until('stalled', stalled('PodsFailing'), 120_000);
    assert.match(world.rollout.status?.message ?? '', /CrashLoopBackOff|restarts/);
    assert.equal(world.sizes['v1'], 10);
  });

  it('with onFailure Rollback puts the stable version back, and says why', async () => {
    await begin({ onFailure: 'Rollback' });
    await world.release('v2:broken');
    await world.until('failed', () => world.history[0]?.outcome === 'Failed', 180_000);
    await world.virtual.settled();
    assert.deepEqual(world.sizes, { v1: 10 });
    assert.equal(world.runs, 'v1');
    assert.notEqual(world.deployment.spec.paused, true);
    assert.equal(world.condition('Succeeded')?.status, 'False');
    const event = world.events.find(({ reason }) => reason === 'FailureRollback');
    assert.match(event?.message ?? '', /rolling back to the stable version because of demo-.*ImagePull/);
  });

  it('completes a step when no more Pods are unavailable than failureThreshold says', async () => {
    await begin({ failureThreshold: 1 });
    await world.patch({ spec: { strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 2 } } } });
    await world.virtual.settled();
    await world.release('v2');
    const updated = (): typeof world.pods => world.pods.filter((pod) => imageOf(pod).includes('/v2'));
    await world.until('two new Pods', () => updated().length === 2);
    await world.virtual.client.request('PATCH', `/api/v1/namespaces/default/pods/${updated()[0]!.metadata.name}`, {
      type: 'application/merge-patch+json',
      body: { metadata: { annotations: { 'sandbox.tranche.dev/ready': 'false' } } },
    });
    await world.untilPaused(1);
    assert.equal(updated().filter(isReady).length, 1, 'one of the two is not Ready');
    assert.notEqual(world.condition('Stalled')?.status, 'True');
    assert.equal(world.sizes['v2'], 2);
  });

  it('does not count Pods that are evicted', async () => {
    await begin();
    await world.release('v2');
    await world.untilPaused(1);
    const updated = world.pods.filter(
      (pod) => pod.metadata.labels?.['pod-template-hash'] === world.canary.canaryRevision,
    );
    assert.equal(updated.length, 2);
    for (const pod of updated)
      await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${pod.metadata.name}`);
    await world.virtual.settled();
    assert.notEqual(world.condition('Stalled')?.status, 'True');
    assert.equal(world.canary.currentStepState, 'StepPaused');
    assert.deepEqual(world.sizes, { v1: 8, v2: 2 });
  });
});

describe('writes that the API server refuses', () => {
  const REFUSED = /^the API server refuses a write of the operator, which tries again: injected: not allowed$/;
  // Labels of Pods keep nothing up: missing.test.ts.
  const cases: readonly [what: string, path: RegExp][] = [['to the Deployment', /\/deployments\/demo$/]];
  for (const [what, path] of cases)
    it(`${what} are said in the status and as an event, and the release goes on when they are let through`, async () => {
      let refusing = false;
      const misbehaviour = (): Misbehaviour => ({
        fault: (call) => (refusing && call.method === 'PATCH' && path.test(call.path) ? 'forbidden' : undefined),
        line: () => undefined,
        onCrash: () => {},
      });
      const world = await new World({ seed: 3, misbehaviour }).start();
      await world.createDeployment();
      await world.createRollout(STEPS);
      await world.untilHealthy();
      refusing = true;
      await world.release('v2');
      await world.until('it says so', () => REFUSED.test(world.rollout.status?.message ?? ''), 60_000);
      await world.run(300_000);
      assert.match(world.rollout.status?.canaryStatus?.message ?? '', REFUSED);
      const told = world.events.filter(({ reason }) => reason === 'WriteRefused').length;
      assert.ok(told >= 1 && told <= 5, `${told} events in five minutes of trying`);
      refusing = false;
      await world.untilPaused(1, 120_000);
      assert.doesNotMatch(world.rollout.status?.message ?? '', REFUSED);
      await world.stop();
    });

  it('of field owners after an error of the server is tried again, although nothing else happens', async () => {
    let failing = false;
    const misbehaviour = (): Misbehaviour => ({
      fault: ({ method, path, body }) =>
        failing && method === 'PATCH' && path.endsWith('/demo') && Array.isArray(body) ? 'broken' : undefined,
      line: () => undefined,
      onCrash: () => {},
    });
    const world = await new World({ seed: 3, misbehaviour }).start();
    world.webhook = false;
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.untilHealthy();
    await world.run(60_000);
    failing = true;
    await world.patch({ metadata: { annotations: { [FIELD_OWNERS]: '[]' } } });
    await world.run(60_000);
    assert.equal(world.deployment.metadata.annotations?.[FIELD_OWNERS], '[]');
    failing = false;
    const restored = (): boolean => world.deployment.metadata.annotations?.[FIELD_OWNERS] === undefined;
    await world.until('they are restored', restored, 120_000);
    await world.stop();
  });
});
