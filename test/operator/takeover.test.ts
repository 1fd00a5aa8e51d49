// Every shape in which OpenKruise Rollouts can leave a Deployment is taken over, with the operator there before or only afterwards,
// and no Pod is lost by it. In virtual time, with the native controllers acting on caches that lag.
import assert from 'node:assert/strict';
import { HELD } from '../../src/api/keys.ts';
import type { CanaryStep, Deployment, ReplicaSet } from '../../src/api/types.ts';
import { leftoverOf } from '../../src/engine/release/openkruise.ts';
import type { Ending, TakeoverPlan } from '../../src/engine/release/takeover-plan.ts';
import { planTakeover } from '../../src/engine/release/takeover.ts';
import { digest } from '../../src/kube/digest.ts';
import * as kruise from '../support/openkruise.ts';
import { isReady, NAME, ROLLOUT, template, versionOf, World } from './world.ts';

const STEPS: CanaryStep[] = [{ replicas: 1 }, { replicas: '50%' }, { replicas: '100%' }];
const LIMITS = { maxSurge: 2, maxUnavailable: 1 };
const OURS = { type: 'RollingUpdate', rollingUpdate: LIMITS };
const R = 10;
const DEPLOYMENT = `/apis/apps/v1/namespaces/default/deployments/${NAME}`;
const SETS = '/apis/apps/v1/namespaces/default/replicasets';

interface Left {
  /** Pods by version, the oldest first; the last one is the Deployment's template, unless `asks` says otherwise. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly asks?: string;
  /** The step of its Rollout; 0: OpenKruise has not looked at it yet. */
  readonly step: number;
  readonly state?: string;
  /** How it is held: by its controllers, by its webhook alone, or with its webhooks gone before its controller. */
  readonly by?: 'controller' | 'webhook' | 'controller, its webhooks gone';
  readonly rollout?: false;
}

const hash = (version: string): string => `hash${version.replace(/\W/g, '')}`;

/** As OpenKruise's controllers have left it, with none of ours there. */
async function leave(left: Left, seed: number): Promise<World> {
  const world = new World({ seed });
  await world.virtual.start();
  world.webhook = false;
  const [stable, ...others] = Object.keys(left.sizes) as [string, ...string[]];
  const newest = left.asks ?? others.at(-1) ?? stable;
  const { client } = world.virtual;
  await world.createDeployment({ replicas: R, version: stable, spec: { strategy: OURS } });
  await world.until('it runs', () => world.readyPods === R);
  await world.virtual.settled();
  const first = world.replicaSets[0]!;
  const stableHash = first.metadata.labels!['pod-template-hash']!;
  const updated = left.sizes[newest] ?? 0;
  const byWebhook = left.by === 'webhook';
  const { labels, annotations } = kruise.onDeployment(
    { name: ROLLOUT, stable: stableHash, updated },
    { partition: updated, rollingUpdate: LIMITS },
  );
  const only = (map: object | undefined, keys: RegExp): object =>
    Object.fromEntries(Object.entries(map ?? {}).filter(([key]) => !byWebhook || keys.test(key)));
  await world.patch({
    metadata: {
      labels: only(labels, /workload-type|stable-revision/),
      annotations: only(annotations, /in-progressing/),
    },
    spec: {
      paused: true,
      template: template(others.at(-1) ?? newest),
      ...(byWebhook ? {} : { strategy: { type: 'Recreate', rollingUpdate: null } }),
    },
  });
  // While it knows the old template only, it takes every Pod of another.
  await world.virtual.settled();
  for (const version of others) {
    const podLabels = { app: NAME, 'pod-template-hash': hash(version) };
    const spec = template(version) as { metadata: object };
    await client.request('POST', SETS, {
      body: {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        metadata: {
          name: `${NAME}-${hash(version)}`,
          labels: podLabels,
          annotations: {
            'deployment.kubernetes.io/revision': String(2 + others.indexOf(version)),
            'deployment.kubernetes.io/desired-replicas': String(R),
            'deployment.kubernetes.io/max-replicas': String(R + LIMITS.maxSurge),
          },
          ownerReferences: [
            {
              apiVersion: 'apps/v1',
              kind: 'Deployment',
              name: NAME,
              uid: world.deployment.metadata.uid,
              controller: true,
            },
          ],
        },
        spec: {
          replicas: left.sizes[version],
          selector: { matchLabels: podLabels },
          template: { ...spec, metadata: { labels: podLabels } },
        },
      },
    });
  }
  // While it knows of one ReplicaSet only, the native controller gives that one every Pod.
  if (others.length > 0) await world.virtual.settled();
  if (others.length > 0) await resize(world, first, left.sizes[stable]!);
  if (left.rollout !== false) {
    await world.createRollout(STEPS, { metadata: { finalizers: ['rollouts.kruise.io/rollout'] } });
    const canary = others.length > 0 ? hash(others.at(-1)!) : stableHash;
    await world.patchStatus(
      left.step > 0
        ? kruise.rolloutStatus({
            namespace: 'default',
            name: ROLLOUT,
            step: left.step,
            state: left.state ?? 'StepPaused',
            stable: stableHash,
            canary,
            updated,
          })
        : { phase: 'Healthy', message: 'rollout is healthy', currentStepIndex: 3, currentStepState: 'Completed' },
    );
  }
  await world.virtual.settled();
  if (left.asks && others.length > 0) await world.release(left.asks);
  if (left.by === 'controller, its webhooks gone') await world.patch({ spec: { strategy: OURS } });
  await world.run(3_000);
  return world;
}

const resize = (world: World, { metadata }: ReplicaSet, replicas: number): Promise<unknown> =>
  world.virtual.client.request('PATCH', `${SETS}/${metadata.name}`, {
    type: 'application/merge-patch+json',
    body: { spec: { replicas } },
  });

/** The command, in this process: write after write, until nothing is left to do. */
async function takeOver(world: World, ending?: Ending): Promise<TakeoverPlan> {
  for (let attempts = 0; attempts < 200; attempts++) {
    const rollout = world.rolloutOf();
    const facts = {
      now: world.now,
      deployment: world.deployment,
      rollouts: rollout ? [rollout] : [],
      replicaSets: world.replicaSets,
      services: [],
      extras: [],
      digest,
    };
    const plan = planTakeover(facts, ending);
    if (plan.kind === 'Refuse' || plan.kind === 'Nothing') return plan;
    const { client } = world.virtual;
    if (plan.kind === 'PatchReplicaSet')
      await client.request('PATCH', `${SETS}/${plan.set.metadata.name}`, {
        type: 'application/merge-patch+json',
        body: { metadata: { resourceVersion: plan.set.metadata.resourceVersion }, spec: plan.spec },
      });
    if (plan.kind === 'PatchWorkload') {
      await client.request('PATCH', DEPLOYMENT, { type: 'application/json-patch+json', body: plan.ops });
      return plan;
    }
    await world.run(500);
  }
  assert.fail(`it does not come to an end\n${world.describe()}`);
}

/** What everybody who looks at the cluster sees, change by change. */
class Observer {
  fewestReady: number;
  readonly wrong: string[] = [];

  constructor(world: World) {
    this.fewestReady = world.readyPods;
    world.virtual.observe(({ collection, object }) => {
      if (collection === '/pods') this.fewestReady = Math.min(this.fewestReady, world.pods.filter(isReady).length);
      if (collection !== 'apps/deployments') return;
      const { spec } = object as unknown as Deployment;
      if (spec.strategy?.type === 'Recreate' && spec.paused !== true) this.wrong.push('it was un-paused in Recreate');
    });
  }
}

/** Approves whatever waits, until the release has ended. */
async function finish(world: World): Promise<void> {
  const over = (): boolean => world.history[0]?.endTime !== undefined;
  for (let turns = 0; turns < 60 && !over(); turns++) {
    await world.run(5_000);
    await world.approve();
  }
  await world.until('the release has ended', over);
}

function assertGivenBack(world: World): void {
  const { spec, metadata } = world.deployment;
  assert.deepEqual(spec.strategy, OURS);
  assert.equal(spec.paused, undefined);
  assert.equal(spec.minReadySeconds ?? 0, 0);
  const left = [...Object.keys(metadata.annotations ?? {}), ...Object.keys(metadata.labels ?? {})].filter(
    (key) => /kruise|tranche/.test(key) && !/rollout-id|workload-type|changed-by/.test(key),
  );
  assert.deepEqual(left, []);
}

const SHAPES: Readonly<
  Record<string, Left & { readonly goesOn: string; readonly kept?: Readonly<Record<string, number>> }>
> = {
  'between two steps': { sizes: { v1: 5, v2: 5 }, step: 2, goesOn: 'continues with step 2 of 3' },
  'in the middle of a batch': {
    sizes: { v1: 8, v2: 2 },
    step: 2,
    state: 'StepUpgrade',
    goesOn: 'continues with step 2',
  },
  'with surge Pods': { sizes: { v1: 10, v2: 2 }, step: 2, state: 'StepUpgrade', goesOn: 'continues with step 2' },
  'stopped between two writes, with a Pod too few': {
    sizes: { v1: 4, v2: 5 },
    step: 2,
    goesOn: 'continues with step 2',
    kept: { v1: 5, v2: 5 },
  },
  'the other way round, with more new Pods than old': {
    sizes: { v1: 2, v2: 7 },
    step: 2,
    goesOn: 'continues with step 2',
    kept: { v1: 3, v2: 7 },
  },
  'before its first Pod': {
    sizes: { v1: 10 },
    asks: 'v2',
    step: 1,
    state: 'BeforeStepUpgrade',
    goesOn: 'starts with step 1',
  },
  'paused by its webhook alone': {
    sizes: { v1: 10 },
    asks: 'v2',
    step: 0,
    by: 'webhook',
    goesOn: 'starts with step 1',
  },
  'with its webhooks gone before its controller': {
    sizes: { v1: 5, v2: 5 },
    step: 2,
    by: 'controller, its webhooks gone',
    goesOn: 'continues with step 2',
    kept: { v1: 5, v2: 7 },
  },
  'with a newer template since': { sizes: { v1: 6, v2: 4 }, asks: 'v3', step: 2, goesOn: 'starts with step 1' },
  'with three versions': {
    sizes: { v1: 5, v2: 3, v3: 2 },
    step: 2,
    state: 'StepUpgrade',
    goesOn: 'continues with step 2',
  },
  'after a jump back': { sizes: { v1: 3, v2: 7 }, step: 1, goesOn: 'continues with step 1' },
  'with a new version that is broken': {
    sizes: { v1: 9, 'v2:broken': 1 },
    step: 1,
    state: 'StepUpgrade',
    goesOn: 'continues with step 1',
  },
};

describe('a release that OpenKruise Rollouts left', () => {
  let world: World;
  afterEach(() => world.stop());

  for (const [name, shape] of Object.entries(SHAPES)) {
    for (const order of ['the operator already there', 'the operator only afterwards'] as const) {
      it(`${name}, ${order}: held without losing a Pod, and released to the end`, async () => {
        world = await leave(shape, 7);
        const observer = new Observer(world);
        const before = world.readyPods;
        if (order === 'the operator already there') {
          world.startOperator();
          world.webhook = true;
          await world.until('it stands aside', () => world.condition('Stalled')?.reason === 'LeftByOpenKruise');
          const { spec } = world.deployment;
          await world.run(20_000);
          assert.deepEqual(world.deployment.spec, spec, 'nothing of ours touches it');
        }
        const plan = await takeOver(world);
        assert.equal(plan.kind, 'PatchWorkload');
        assert.match('says' in plan ? plan.says : '', new RegExp(shape.goesOn));
        await world.run(order === 'the operator already there' ? 0 : 20_000);
        assert.equal(leftoverOf(world.deployment, world.rollout), undefined);
        if (order === 'the operator only afterwards') {
          assert.deepEqual(world.sizes, shape.kept ?? shape.sizes, 'no Pod comes or goes by it');
          assert.ok(observer.fewestReady >= before, 'nor is one lost');
          world.startOperator();
          world.webhook = true;
        }
        await world.until('its Rollout has it', () => world.canary.templateDigest !== undefined);
        assert.notEqual(world.condition('Stalled')?.reason, 'LeftByOpenKruise');
        assert.equal(world.condition('Bypassed'), undefined, world.describe());
        const broken = Object.keys(shape.sizes).some((version) => version.includes('broken'));
        if (broken) await world.release('v1');
        await finish(world);
        await world.virtual.settled();
        assert.deepEqual(world.sizes, { [broken ? 'v1' : versionOf(world.deployment.spec.template)]: R });
        assertGivenBack(world);
        assert.equal(world.history[0]?.outcome, broken ? 'RolledBack' : 'Completed');
        assert.deepEqual(observer.wrong, []);
        assert.ok(
          observer.fewestReady >= Math.min(before, R - LIMITS.maxUnavailable),
          `${observer.fewestReady} were ready`,
        );
        assert.equal((await takeOver(world)).kind, 'Nothing', 'again, there is nothing to do');
      });
    }
  }

  it('keeps the Pods that it has brought beyond the step', async () => {
    world = await leave({ sizes: { v1: 3, v2: 7 }, step: 1 }, 3);
    await takeOver(world);
    world.startOperator();
    world.webhook = true;
    await world.run(30_000);
    assert.deepEqual(world.sizes, { v1: 3, v2: 7 });
    assert.equal(world.canary.currentStepIndex, 1);
  });

  it('whose old version was put back is given back, and rolls back natively', async () => {
    world = await leave({ sizes: { v1: 5, v2: 5 }, asks: 'v1', step: 2 }, 5);
    const observer = new Observer(world);
    world.startOperator();
    world.webhook = true;
    await world.until('it stands aside', () => world.condition('Stalled')?.reason === 'LeftByOpenKruise');
    const plan = await takeOver(world);
    assert.match('says' in plan ? plan.says : '', /given back: it has the stable template again/);
    await world.until('it has rolled back', () => world.sizes['v1'] === R);
    await world.untilHealthy();
    assertGivenBack(world);
    assert.ok(observer.fewestReady >= R - LIMITS.maxUnavailable);
    assert.equal(world.condition('Succeeded')?.status, 'False');
  });

  it('with nothing left to release is given back at once', async () => {
    world = await leave({ sizes: { v1: 0, v2: 10 }, step: 3 }, 5);
    assert.match(JSON.stringify(await takeOver(world)), /given back: it has only one version left/);
    world.startOperator();
    world.webhook = true;
    await world.untilHealthy();
    assertGivenBack(world);
    assert.equal(world.readyPods, R);
  });

  it('is refused without an ending where no Rollout goes on with it, and with one it goes natively', async () => {
    for (const [ending, version] of [
      ['Finish', 'v2'],
      ['Rollback', 'v1'],
    ] as const) {
      world = await leave({ sizes: { v1: 6, v2: 4 }, step: 2, rollout: false }, 5);
      const observer = new Observer(world);
      assert.match(JSON.stringify(await takeOver(world)), /no Rollout names it/);
      await takeOver(world, ending);
      await world.until('it has ended', () => world.sizes[version] === R && world.readyPods === R);
      assertGivenBack(world);
      assert.ok(observer.fewestReady >= R - LIMITS.maxUnavailable);
      if (ending === 'Finish') await world.stop();
    }
  });

  it('waits with the deletion of its Rollout until it is taken over', async () => {
    world = await leave({ sizes: { v1: 6, v2: 4 }, step: 2 }, 5);
    world.startOperator();
    world.webhook = true;
    await world.deleteRollout();
    await world.until('it says so', () => /takeover .* --finish/.test(world.rolloutOf()?.status?.message ?? ''));
    await world.run(20_000);
    assert.ok(world.rolloutOf(), 'its finalizer stays');
    assert.deepEqual(world.sizes, { v1: 6, v2: 4 });
    await takeOver(world, 'Rollback');
    await world.until('it goes', () => world.rolloutOf() === undefined && world.sizes['v1'] === R);
    assertGivenBack(world);
  });

  it('that was over before we came starts no release and is no bypass, whatever hash OpenKruise gave its template', async () => {
    world = await leave({ sizes: { v1: 10 }, step: 3, state: 'Completed' }, 5);
    await world.patch({
      metadata: {
        annotations: Object.fromEntries(Object.keys(world.deployment.metadata.annotations!).map((key) => [key, null])),
        labels: { 'rollouts.kruise.io/controlled-by-advanced-deployment-controller': null },
      },
      spec: { paused: null, strategy: OURS },
    });
    await world.patchStatus({ phase: 'Healthy', canaryStatus: { canaryRevision: 'another', podTemplateHash: '' } });
    world.startOperator();
    world.webhook = true;
    await world.until('it is known', () => world.canary.templateDigest !== undefined);
    assert.equal(world.condition('Bypassed'), undefined);
    assert.deepEqual(world.history, []);
    assert.equal(world.deployment.metadata.annotations?.[HELD], undefined);
  });
});
