// What a release costs the API server, by counting the operator's calls (docs/holding.md, "Cost").
import assert from 'node:assert/strict';
import type { CanaryStep } from '../../src/api/types.ts';
import { decide } from '../../src/engine/decide.ts';
import type { ApiCall } from '../../src/kube/api.ts';
import { World, type WorldOptions } from './world.ts';

const STEPS = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];

describe('the cost of a release', () => {
  let world: World;
  let seen = 0;

  interface Beginning extends WorldOptions {
    readonly replicas?: number;
    readonly steps?: readonly CanaryStep[];
  }

  const begin = async (
    spec: object = {},
    { replicas = 10, steps = STEPS, ...options }: Beginning = {},
  ): Promise<void> => {
    world = await new World({ seed: 31, ...options }).start();
    await world.createDeployment({ replicas, spec });
    await world.createRollout(steps);
    await world.untilHealthy();
    await world.until('all Pods count', () => world.deployment.status?.availableReplicas === replicas, 120_000);
    await world.virtual.settled();
  };
  afterEach(() => world.stop());

  /** The calls since this was last asked. */
  const calls = (): readonly ApiCall[] => {
    const all = world.calls;
    const news = all.slice(seen);
    seen = all.length;
    return news;
  };
  const writesTo = (of: readonly ApiCall[], path: RegExp): number =>
    of.filter(({ method, path: to }) => method === 'PATCH' && path.test(to)).length;
  const DEPLOYMENT = /\/deployments\/[^/]+$/;
  const STATUS = /\/rollouts\/[^/]+\/status$/;

  it('a batch that fits into maxUnavailable: at most 3 writes to the Deployment and 3 of the status', async () => {
    await begin({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 5 } } });
    calls();
    await world.release('v2');
    for (const step of [1, 2]) {
      await world.untilPaused(step);
      await world.virtual.settled();
      const batch = calls();
      assert.ok(writesTo(batch, DEPLOYMENT) <= 3, `step ${step}: ${writesTo(batch, DEPLOYMENT)} to the Deployment`);
      assert.ok(writesTo(batch, STATUS) <= 3, `step ${step}: ${writesTo(batch, STATUS)} of the status`);
      await world.approve();
    }
    await world.untilCompleted();
    await world.virtual.settled();
    const last = calls();
    assert.ok(writesTo(last, DEPLOYMENT) <= 3, `last step: ${writesTo(last, DEPLOYMENT)} to the Deployment`);
    assert.ok(writesTo(last, STATUS) <= 3, `last step: ${writesTo(last, STATUS)} of the status`);
  });

  for (const labelsPods of [false, true])
    it(`Pods of a release that nobody named: ${labelsPods ? 'a label each, where the installation asks for them' : 'no label'}`, async () => {
      await begin({}, { labelsPods });
      calls();
      await world.release('v2');
      await world.untilPaused(1);
      assert.equal(writesTo(calls(), /\/pods\/[^/]+$/), labelsPods ? 1 : 0);
    });

  /** The bound of docs/holding.md ("Waves") on the budgets of a batch of d Pods. */
  const waves = (d: number, s: number, u: number): number =>
    d <= s + u ? 1 : 1 + Math.ceil((d - (s + u)) / Math.ceil((s + u) / 2));
  const LIMITS = [
    [1, 0],
    [0, 1],
    [3, 2],
    [0, 5],
    [4, 0],
    [2, 7],
    [30, 0],
  ] as const;

  for (const [maxSurge, maxUnavailable] of LIMITS)
    for (const replicas of [7, 10, 30])
      it(`${replicas} Pods with ${maxSurge} and ${maxUnavailable}: a batch before a step that waits writes the Deployment at most W + 3 times`, async () => {
        await begin({ strategy: { rollingUpdate: { maxSurge, maxUnavailable } } }, { replicas });
        calls();
        await world.release('v2');
        let before = 0;
        for (const step of [1, 2, 3]) {
          if (step < 3) await world.untilPaused(step);
          else await world.untilCompleted();
          await world.virtual.settled();
          const target = [1, Math.ceil(replicas / 2), replicas][step - 1]!;
          const most = waves(target - before, maxSurge, maxUnavailable);
          // A mark, unless it is the first batch; a hold or the end; before a hold, the removal of what surge has left over.
          const more = (step > 1 ? 1 : 0) + 1 + (step < 3 && maxSurge > 0 ? 1 : 0);
          const written = writesTo(calls(), DEPLOYMENT);
          assert.ok(written <= most + more, `step ${step}: ${written} instead of ${most} + ${more}`);
          before = target;
          if (step < 3) await world.approve();
        }
      });

  for (const [maxSurge, maxUnavailable] of LIMITS)
    for (const replicas of [7, 10, 30])
      it(`${replicas} Pods with ${maxSurge} and ${maxUnavailable}: a release without waits writes the Deployment once for each wave, and once to give it back`, async () => {
        const steps = STEPS.map((step) => ({ ...step, pause: { duration: 0 } }));
        await begin({ strategy: { rollingUpdate: { maxSurge, maxUnavailable } } }, { replicas, steps });
        calls();
        await world.release('v2');
        await world.untilCompleted();
        await world.virtual.settled();
        const sizes = [0, 1, Math.ceil(replicas / 2), replicas];
        const most = [1, 2, 3].reduce((sum, i) => sum + waves(sizes[i]! - sizes[i - 1]!, maxSurge, maxUnavailable), 1);
        const all = calls();
        const written = writesTo(all, DEPLOYMENT);
        assert.ok(written <= most, `${written} instead of ${most}`);
        // Thirty waves of one Pod take so long that the status shows the progress once more.
        assert.ok(writesTo(all, STATUS) <= (replicas === 30 ? 6 : 5), `${writesTo(all, STATUS)} of the status`);
        assert.equal(writesTo(all, /\/replicasets\//), 0);
      });

  it('ten Pods in three steps without waits take fewer than fifty decisions', async () => {
    let decisions = 0;
    const counted: typeof decide = (snapshot) => {
      decisions++;
      return decide(snapshot);
    };
    await begin({}, { steps: STEPS.map((step) => ({ ...step, pause: { duration: 0 } })), decide: counted });
    decisions = 0;
    await world.release('v2');
    await world.untilCompleted();
    await world.virtual.settled();
    assert.ok(decisions < 50, `${decisions}`);
  });

  it('a batch whose Pods take half a minute costs no more than a quick one', async () => {
    await begin({ minReadySeconds: 30, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 5 } } });
    calls();
    await world.release('v2');
    for (const step of [1, 2]) {
      await world.untilPaused(step, 120_000);
      await world.virtual.settled();
      const batch = calls();
      assert.ok(writesTo(batch, DEPLOYMENT) <= 3, `step ${step}: ${writesTo(batch, DEPLOYMENT)} to the Deployment`);
      assert.ok(writesTo(batch, STATUS) <= 3, `step ${step}: ${writesTo(batch, STATUS)} of the status`);
      await world.approve();
    }
  });

  it('while Pods take their time the Deployment is held, and nobody calls it unavailable for longer than a status write', async () => {
    world = await new World({ seed: 31, readyMs: 20_000 }).start();
    await world.createDeployment({ spec: { strategy: { rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } } } });
    await world.createRollout(STEPS);
    await world.untilHealthy(120_000);
    await world.until('all Pods count', () => world.deployment.status?.availableReplicas === 10, 120_000);
    await world.release('v2');
    await world.untilPaused(1, 120_000);
    await world.approve();
    let [looks, hidden, unavailable] = [0, 0, 0];
    for (; looks < 2_000 && world.canary.currentStepIndex !== 3; looks++) {
      await world.run(100);
      if (world.canary.currentStepState === 'StepPaused') await world.approve();
      const { availableReplicas = 0, readyReplicas = 0, conditions } = world.deployment.status ?? {};
      if (availableReplicas < readyReplicas) hidden += 1;
      if (conditions?.find(({ type }) => type === 'Available')?.status !== 'True') unavailable += 1;
    }
    assert.equal(world.canary.currentStepIndex, 3);
    assert.ok(looks > 200, `${looks} looks`);
    assert.ok(hidden > 0 && hidden < looks / 3, `${hidden} of ${looks} looks`);
    assert.ok(unavailable <= 3, `${unavailable} of ${looks} looks`);
  });

  it('a batch of minutes tells its progress ever more rarely', async () => {
    await begin({ minReadySeconds: 30, strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } } });
    await world.release('v2');
    await world.untilPaused(1, 120_000);
    await world.virtual.settled();
    calls();
    const began = world.now;
    await world.approve();
    await world.untilPaused(2, 600_000);
    await world.virtual.settled();
    const minutes = (world.now - began) / 60_000;
    const written = writesTo(calls(), STATUS);
    assert.ok(minutes > 2, `${minutes} minutes`);
    // It begins, tells after 10 and 40 seconds, then once a minute, and ends.
    assert.ok(written <= 5 + minutes, `${written} of the status in ${minutes} minutes`);
  });

  it('idle, it costs nothing but its two watches', async () => {
    await begin();
    calls();
    await world.run(3_600_000);
    const idle = calls();
    assert.equal(idle.filter(({ method }) => method !== 'GET').length, 0);
    const paths = new Set(idle.map(({ path }) => path));
    assert.deepEqual([...paths].sort(), ['/apis/apps/v1/deployments', '/apis/rollouts.kruise.io/v1beta1/rollouts']);
    for (const { path, query } of idle)
      if (path.endsWith('/deployments')) assert.equal(query?.['labelSelector'], 'rollouts.kruise.io/workload-type');
  });

  it('ReplicaSets and Pods are watched while a release is in motion, and no longer', async () => {
    await begin();
    calls();
    await world.release('v2');
    await world.untilPaused(1);
    const watched = (of: readonly ApiCall[], resource: string): ApiCall[] =>
      of.filter(({ path, query }) => path.endsWith(`/${resource}`) && query?.['watch'] === 'true');
    const begun = calls();
    assert.equal(watched(begun, 'pods').length, 1);
    assert.equal(watched(begun, 'replicasets')[0]?.query?.['labelSelector'], 'app=demo');
    await world.release('v1');
    await world.untilHealthy();
    await world.run(1_000);
    calls();
    await world.run(3_600_000);
    assert.deepEqual(watched(calls(), 'pods'), []);
  });

  it('waiting for approval, it writes nothing and asks for nothing', async () => {
    await begin();
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(30_000);
    calls();
    await world.run(600_000);
    assert.deepEqual(
      calls().filter(({ method, query }) => method !== 'GET' || (query?.['watch'] !== 'true' && !query?.['limit'])),
      [],
    );
  });
});
