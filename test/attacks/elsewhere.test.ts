// A Rollout where no webhook holds anything: it is refused when it is written, and one that is there already says that it does nothing.
import assert from 'node:assert/strict';
import type { Rollout } from '../../src/api/types.ts';
import { readReview } from '../../src/admission/review.ts';
import { mutateRollout, validateRolloutRequest } from '../../src/admission/webhooks/rollout.ts';
import { unreachedBy } from '../../src/engine/release/reach.ts';
import { aReview, aRollout, aV1alpha1Rollout, someDeps, type Json } from '../admission/support.ts';
import { World } from '../operator/world.ts';

const everywhere = unreachedBy({ own: 'tranche-system', watched: [] });
const someOnly = unreachedBy({ own: 'tranche-system', watched: ['shop', 'pay'] });
const outside = unreachedBy({ own: undefined, watched: [] });

describe('a Rollout where the webhooks do not reach', () => {
  const ask = async (review: Json, unreached = everywhere) => {
    const deps = someDeps({}, { unreached });
    return (await Promise.all(
      [mutateRollout, validateRolloutRequest].map((judge) => judge(readReview(review), deps)),
    )) as {
      status?: { code: number; message: string };
      warnings?: readonly string[];
    }[];
  };
  const made = (namespace: string, more: Json = {}) =>
    aReview({ ...aRollout(1, '100%'), metadata: { name: 'demo', namespace } }, undefined, { namespace, ...more });

  const refusals: [string, ReturnType<typeof unreachedBy>, RegExp][] = [
    ['kube-system', everywhere, /"kube-system": is excluded from the webhooks.*; use another namespace/],
    ['kube-system', outside, /"kube-system": is excluded from the webhooks/],
    ['kube-system', someOnly, /"kube-system": is excluded from the webhooks/],
    ['tranche-system', everywhere, /"tranche-system": is the namespace of Tranche.*; use another namespace/],
    ['other', someOnly, /"other": is not in watchNamespaces.*; add it to watchNamespaces.*shop, pay/],
  ];
  for (const [namespace, unreached, words] of refusals) {
    it(`is refused in ${namespace}, by whichever webhook is asked first`, async () => {
      for (const { status } of await ask(made(namespace), unreached)) {
        assert.equal(status?.code, 422);
        assert.match(status.message, /^metadata\.namespace: /);
        assert.match(status.message, words);
        assert.match(status.message, /so a Rollout has no effect there/);
      }
    });
  }

  it('is refused in a dry run, in the old version, and beside everything else that is wrong with it', async () => {
    for (const { status } of await ask(made('kube-system', { dryRun: true }))) assert.equal(status?.code, 422);
    const old = { ...aV1alpha1Rollout({ 'rollouts.kruise.io/rolling-style': 'partition' }, 1, '100%') };
    const review = aReview(old, undefined, { namespace: 'kube-system' });
    assert.match((await ask(review))[1]!.status!.message, /metadata\.namespace/);
    const wrong = aReview(aRollout('50%', '10%'), undefined, { namespace: 'kube-system' });
    assert.match(
      (await ask(wrong))[1]!.status!.message,
      /^2 (things|errors)[^]*metadata\.namespace[^]*steps\[1\]\.replicas/,
    );
  });

  it('works in every other namespace', async () => {
    for (const [namespace, unreached] of [
      ['default', everywhere],
      ['tranche-system', outside],
      ['shop', someOnly],
    ] as const)
      for (const { status } of await ask(made(namespace), unreached)) assert.equal(status, undefined, namespace);
  });

  it('that is there already may be edited, turned off and freed of its finalizers, and is warned about', async () => {
    const old = aRollout(1, '100%');
    const edits: [Rollout, boolean][] = [
      [aRollout(2, '100%'), true],
      [{ ...old, metadata: { ...old.metadata, labels: { a: 'b' } } }, false],
      [{ ...old, spec: { ...old.spec, disabled: true } }, true],
    ];
    for (const [next, warned] of edits)
      for (const { status, warnings = [] } of await ask(aReview(next, old, { namespace: 'kube-system' }))) {
        assert.equal(status, undefined);
        assert.equal(/so a Rollout has no effect there/.test(warnings.join()), warned);
      }
  });
});

describe('the operator, with a Rollout where the webhooks do not reach', () => {
  const STEPS = [{ replicas: 1 }, { replicas: '100%' }];
  let world: World;
  afterEach(() => world.stop());

  it('says at once that it does nothing, and touches nothing', async () => {
    world = await new World({ unreached: () => everywhere('kube-system') }).start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.until('it says so', () => world.condition('Stalled')?.reason === 'NotReached');
    assert.match(
      world.rollout.status?.message ?? '',
      /^Deployment "demo" is not released in steps: namespace "kube-system".*; use another namespace$/,
    );
    await world.until('an event too', () => world.events.some(({ reason }) => reason === 'Stalled'));
    world.webhook = false;
    await world.release('v2');
    await world.run(60_000);
    assert.deepEqual(world.sizes, { v2: 10 }, 'the native controller is left alone');
    assert.equal(world.held, false);
    assert.equal(world.events.filter(({ reason }) => reason === 'Stalled').length, 2, 'once on each of the two');
    assert.deepEqual(world.rollout.metadata.finalizers ?? [], [], 'and its Rollout can be deleted');
  });

  it('brings a release that is in flight to its end first', async () => {
    let left = false;
    world = await new World({ unreached: () => (left ? everywhere('kube-system') : undefined) }).start();
    await world.createDeployment();
    await world.createRollout(STEPS);
    await world.until('it is idle', () => world.rollout.status?.phase === 'Healthy');
    await world.release('v2');
    await world.untilPaused(1);
    left = true;
    await world.approve();
    await world.until('it is done', () => world.rollout.status?.phase === 'Healthy' && !world.held);
    assert.deepEqual(world.sizes, { v2: 10 });
    await world.until('it says so', () => world.condition('Stalled')?.reason === 'NotReached');
  });
});
