// A release that OpenKruise Rollouts left in the middle, of the kinds that it holds with a field of their own: nothing happens before the takeover, the
// takeover starts and stops no Pod, and the release continues at its step.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { IntOrString } from '../../../src/api/types.ts';
import { planHeldTakeover } from '../../../src/engine/release/takeover-held.ts';
import type { Ending, TakeoverPlan } from '../../../src/engine/release/takeover-plan.ts';
import { digest } from '../../../src/kube/digest.ts';
import * as kruise from '../../support/openkruise.ts';
import { ROLLOUT, template, World } from '../world.ts';
import { FIXTURES } from './fixtures.ts';
import { nameOf, PODS, STEPS } from './stage.ts';

const COLLECTION = 'rollouts.kruise.io/rollouts';

for (const fixture of FIXTURES) {
  const { kind, left } = fixture;
  const { openKruise } = kind;
  if (openKruise === undefined || left === undefined) continue;

  describe(`a release of a ${nameOf(fixture)} that OpenKruise left`, () => {
    let world: World;
    afterEach(() => world.stop());

    /** At its first step, with none of ours there. */
    async function leave(updated = 1): Promise<void> {
      world = new World({ seed: 11, kind });
      await world.virtual.start();
      world.webhook = false;
      await world.createDeployment({ replicas: PODS });
      await world.until('all Pods run', () => world.readyPods === PODS);
      const stable = world.versions[0]!.revision;
      const { annotations = {} } = kruise.onDeployment(
        { name: ROLLOUT, stable, updated },
        { partition: updated, rollingUpdate: {} },
      );
      const { [keys.KRUISE_STRATEGY]: _, [keys.KRUISE_EXTRA_STATUS]: __, ...own } = annotations;
      await world.patch({
        metadata: {
          labels: { [keys.WORKLOAD_TYPE]: kind.workloadType, [keys.STABLE_REVISION]: stable },
          annotations: own,
        },
        spec: { ...left!(updated, PODS), template: template('v2') },
      });
      // OpenKruise deletes Pods itself, where its field holds all of them.
      await world.run(3_000);
      const [pod] = world.pods;
      if (world.sizes['v2'] === undefined)
        await world.virtual.client.request('DELETE', `/api/v1/namespaces/default/pods/${pod!.metadata.name}`);
      await world.until('its Pods are updated', () => (world.sizes['v2'] ?? 0) === updated && world.readyPods === PODS);
      await world.createRollout(STEPS, { metadata: { finalizers: [keys.ROLLOUT_FINALIZER] } });
      await world.patchStatus(
        kruise.rolloutStatus({
          namespace: 'default',
          name: ROLLOUT,
          step: 1,
          state: 'StepPaused',
          stable,
          canary: world.versions[0]!.revision,
          updated,
        }),
      );
      world.webhook = true;
      world.startOperator();
      await world.run(10_000);
    }
    const plan = (ending?: Ending, partition?: IntOrString): TakeoverPlan =>
      planHeldTakeover(
        {
          now: world.now,
          digest,
          kind: { ...kind, openKruise },
          workload: world.deployment,
          rollouts: world.virtual.cluster.store.list(COLLECTION, 'default') as never,
          children: world.children,
          services: [],
          partition,
        },
        ending,
      );
    async function takeOver(ending?: Ending, partition?: IntOrString): Promise<string> {
      const planned = plan(ending, partition);
      assert.ok(planned.kind === 'PatchWorkload', JSON.stringify(planned));
      await world.patch(planned.ops, 'application/json-patch+json');
      return planned.says;
    }

    it('is left as it is before its takeover, and says the command', async () => {
      await leave();
      const before = world.deployment;
      assert.equal(world.condition('Stalled')?.reason, 'LeftByOpenKruise');
      assert.match(world.rollout.status?.message ?? '', /take it over with: kubectl tranche takeover \S+\/demo$/);
      await world.run(60_000);
      assert.deepEqual(world.deployment.spec, before.spec);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await world.release('v3');
      await world.run(60_000);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 }, 'a newer template starts nothing');
    });

    it('continues at its step, without a Pod that starts or stops by the takeover', async () => {
      await leave();
      const pods = world.pods.map(({ metadata }) => metadata.uid);
      assert.match(
        await takeOver(),
        /^taken over: .* stays held with 1 of 6 Pods updated, .* continues with step 1 of 3$/,
      );
      await world.untilPaused(1);
      await world.run(60_000);
      assert.deepEqual(
        world.pods.map(({ metadata }) => metadata.uid),
        pods,
      );
      assert.equal(world.condition('Stalled')?.status ?? 'False', 'False');
      assert.equal(world.condition('Bypassed')?.status ?? 'False', 'False');
      assert.equal(plan().kind, 'Nothing');
      await world.approve();
      await world.untilPaused(2);
      assert.deepEqual(world.sizes, { v1: 3, v2: 3 });
      await world.approve();
      await world.untilCompleted();
      await world.untilHealthy();
      assert.deepEqual(world.sizes, { v2: 6 });
      assert.equal(openKruise.holds(world.deployment), false);
      assert.ok(world.events.some(({ reason }) => reason === 'TakenOver'));
    });

    // The user's type of a DaemonSet is known.
    if (openKruise.known === undefined)
      it('restores the partition that its user names', async () => {
        await leave();
        await takeOver(undefined, 2);
        for (const step of [1, 2]) {
          await world.untilPaused(step);
          await world.approve();
        }
        await world.untilCompleted();
        await world.untilHealthy();
        assert.deepEqual(world.sizes, { v2: 6 });
        assert.equal(kind.borrowed(world.deployment)['partition'], 2);
      });

    it('rolls back when its old version is put back after the takeover', async () => {
      await leave();
      await takeOver();
      await world.until('it is taken over', () => world.history.length > 0);
      await world.release('v1');
      await world.until('it is back', () => world.sizes['v1'] === PODS && world.rollout.status?.phase === 'Healthy');
      assert.equal(world.history[0]?.outcome, 'RolledBack');
    });

    for (const [ending, version] of [
      ['Finish', 'v2'],
      ['Rollback', 'v1'],
    ] as const)
      it(`without its Rollout ends natively: ${ending}`, async () => {
        await leave();
        world.crash();
        world.webhook = false;
        await world.patchRollout({ metadata: { finalizers: null } });
        await world.deleteRollout();
        const asks = plan();
        assert.ok(asks.kind === 'Refuse' && asks.remedy.includes('--finish'), JSON.stringify(asks));
        assert.match(await takeOver(ending), /^given back: /);
        await world.until('it ends', () => world.sizes[version] === PODS && world.readyPods === PODS, 120_000);
        const { annotations = {} } = world.deployment.metadata;
        assert.deepEqual(
          Object.keys(annotations).filter((key) => /kruise|tranche/.test(key)),
          [],
        );
      });

    it('is not ended while its Rollout can continue it', async () => {
      await leave();
      const refused = plan('Finish');
      assert.ok(refused.kind === 'Refuse', JSON.stringify(refused));
      assert.match(refused.reason, /can continue this release in steps/);
    });

    it('waits with the end of its Rollout for the takeover', async () => {
      await leave();
      await world.deleteRollout();
      await world.run(10_000);
      assert.ok(world.rolloutOf(), 'its finalizer keeps it');
      assert.match(world.rollout.status?.message ?? '', / --finish$/);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await takeOver('Rollback');
      await world.until('it is gone', () => world.rolloutOf() === undefined);
      await world.until('all is v1', () => world.sizes['v1'] === PODS);
    });
  });
}
