// The steps of a release, its record and its rollback: the same for every kind of workload.
import assert from 'node:assert/strict';
import * as keys from '../../../src/api/keys.ts';
import type { Span } from '../../../src/engine/trace/spans.ts';
import { pathOf } from '../../../src/kube/path.ts';
import { measured } from '../measuring.ts';
import { ROLLOUT, template } from '../world.ts';
import { MINUTE, overKinds, PODS, STEPS } from './stage.ts';

overKinds('from the change to its end', (stage) => {
  const { kind, users } = stage.fixture;

  for (const { what, spec } of users)
    it(`is held in the answer, goes through its steps, and gives its user’s fields back: ${what}`, async () => {
      const world = await stage.begin({}, { spec });
      const before = world.deployment;
      await world.release('v2');
      assert.equal(world.held, true, 'held in the answer');
      await world.run(1_000);
      await world.untilPaused(1);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 });
      await world.run(MINUTE);
      assert.deepEqual(world.sizes, { v1: 5, v2: 1 }, 'a step waits');
      await world.approve();
      await world.untilPaused(2);
      assert.deepEqual(world.sizes, { v1: 3, v2: 3 });
      await world.approve();
      await world.untilCompleted();
      await world.untilHealthy();
      assert.deepEqual(world.sizes, { v2: 6 });
      stage.assertFree(kind.borrowed(before));
      assert.deepEqual({ ...world.deployment.spec, template: 0 }, { ...before.spec, template: 0 });
      assert.equal(stage.labels[keys.WORKLOAD_TYPE], kind.workloadType, 'enrolled for the next release');
      await world.virtual.settled();
      assert.deepEqual(world.sizes, { v2: 6 });
      assert.equal(world.condition('Bypassed')?.status ?? 'False', 'False');
    });

  it('is recorded in the history, with its author, its versions and its id', async () => {
    const world = await stage.begin();
    const before = world.canary;
    await world.patch({ metadata: { labels: { [keys.ROLLOUT_ID]: 'build-77' } }, spec: { template: template('v2') } });
    await stage.to(1);
    assert.equal(world.canary.observedRolloutID, 'build-77');
    assert.equal(world.canary.stableRevision, before.stableRevision);
    assert.notEqual(world.canary.canaryRevision, before.canaryRevision);
    const { apiVersion, kind: noun } = kind.resource;
    const started = world.events.filter(({ reason }) => reason === 'ReleaseStarted').map(({ about }) => about);
    assert.deepEqual(
      started.map((about) => `${about.apiVersion} ${about.kind}`),
      ['rollouts.kruise.io/v1beta1 Rollout', `${apiVersion} ${noun}`],
    );
    await stage.finish();
    const { outcome, rolloutID, author, revision, startTime, endTime } = stage.last;
    assert.deepEqual([outcome, rolloutID, author], ['Completed', 'build-77', 'admin']);
    assert.equal(revision, world.canary.canaryRevision);
    assert.ok(startTime && endTime);
    await world.run(MINUTE);
    const told = world.events.filter(({ about }) => about.kind === noun).map(({ reason }) => reason);
    assert.deepEqual(told, ['ReleaseStarted', 'ReleaseCompleted'], 'its steps are told on the Rollout alone');
    await world.release('v3');
    assert.notEqual(stage.labels[keys.ROLLOUT_ID], 'build-77', 'an id is that of one release');
  });

  it('writes the workload once for each step that does not wait, and once to give it back', async () => {
    const steps = STEPS.map((step) => ({ ...step, pause: { duration: 0 } }));
    const world = await stage.begin({}, { canary: { steps } });
    const before = world.calls.length;
    await world.release('v2');
    await world.untilCompleted();
    await world.virtual.settled();
    const { namespace, name } = world.deployment.metadata;
    const path = pathOf(kind.resource, { namespace, name });
    const written = world.calls.slice(before).filter((call) => call.method === 'PATCH' && call.path === path).length;
    assert.ok(written <= STEPS.length + 1, `${written} writes`);
    assert.deepEqual(world.sizes, { v2: 6 });
  });

  it('labels the Pods of each batch with the release and the step, if somebody named the release', async () => {
    const world = await stage.begin();
    await world.patch({ metadata: { labels: { [keys.ROLLOUT_ID]: 'build-78' } }, spec: { template: template('v2') } });
    await stage.to(2);
    const batches = stage.podsOf('v2').map(({ metadata }) => metadata.labels?.[keys.ROLLOUT_BATCH_ID]);
    assert.deepEqual(batches.toSorted(), ['1', '2', '2']);
    const ids = new Set(stage.podsOf('v2').map(({ metadata }) => metadata.labels?.[keys.ROLLOUT_ID]));
    assert.deepEqual([...ids], ['build-78']);
  });

  for (const { what, spec } of users)
    it(`rolls back without approvals, and gives its user’s fields back: ${what}`, async () => {
      const world = await stage.begin({}, { spec });
      const before = world.deployment;
      await world.release('v2');
      await stage.to(2);
      await world.release('v1');
      await stage.untilWithout('v2');
      assert.deepEqual(world.sizes, { v1: 6 });
      await world.until('its end is recorded', () => stage.last.endTime !== undefined);
      assert.equal(stage.last.outcome, 'RolledBack');
      stage.assertFree(kind.borrowed(before));
      assert.deepEqual(world.deployment.spec, before.spec);
    });

  it('starts a newer template again at step 1, and records that it was superseded', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(2);
    await world.release('v3');
    await stage.untilFirstStepOf('v3');
    assert.equal(world.canary.currentStepIndex, 1);
    await world.run(MINUTE);
    assert.equal(world.sizes['v3'], 1);
    await stage.finish();
    assert.deepEqual(world.sizes, { v3: 6 });
    assert.deepEqual(
      world.history.slice(0, 2).map(({ outcome }) => outcome),
      ['Completed', 'Superseded'],
    );
  });

  it('rolls back over two versions to the stable one', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(1);
    await world.release('v3');
    await stage.untilFirstStepOf('v3');
    await world.release('v1');
    await world.until('v1 alone', () => world.sizes['v1'] === PODS && world.rollout.status?.phase === 'Healthy');
    assert.deepEqual(world.sizes, { v1: 6 });
  });

  it('is measured and traced like any other', async () => {
    const spans: Span[] = [];
    const world = await stage.begin({ spans });
    const lines = measured(world);
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(90_000);
    await stage.finish();
    await world.run(30_000);
    assert.match(lines[0]!, /^step \d+$/);
    assert.match(lines[1]!, /^approval 9[0-2]$/);
    assert.equal(lines.filter((line) => /^default Completed \d+$/.test(line)).length, 1, lines.join());
    const names = spans.map(({ name }) => name);
    for (const name of ['admission', 'step 1/3: upgrade', 'step 1/3: wait for approval', 'give back', 'release'])
      assert.ok(names.includes(name), `${name}: ${names.join(', ')}`);
    assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
    const root = spans.find(({ name }) => name === 'release');
    assert.equal(root?.attributes[`k8s.${kind.workloadType}.name`], world.deployment.metadata.name);
    assert.equal(root?.attributes['tranche.outcome'], 'Completed');
    const moves = spans.find(({ name }) => name === 'step 1/3: upgrade')?.events ?? [];
    assert.ok(
      moves.some(({ name }) => name === 'move' || name === 'evict'),
      'the writes of the step are its events',
    );
  });

  it('is one of two Rollouts: the older is in effect, the newer says so', async () => {
    const world = await stage.begin();
    await world.run(2_000);
    await world.createRollout([{ replicas: '100%' }] as never, { name: 'newer' });
    await world.until('it says so', () => /already releases/.test(world.rolloutOf('newer')?.status?.message ?? ''));
    await world.release('v2');
    await world.untilPaused(1);
    assert.equal(world.rolloutOf(ROLLOUT)?.status?.phase, 'Progressing');
  });

  it('jumps to another step, forward and back', async () => {
    const world = await stage.begin();
    await world.release('v2');
    await stage.to(1);
    await world.patchStatus({ canaryStatus: { nextStepIndex: 2, currentStepState: 'StepReady' } });
    await world.untilPaused(2);
    await world.patchStatus({ canaryStatus: { nextStepIndex: 1, currentStepState: 'StepReady' } });
    await world.untilPaused(1);
    await world.run(MINUTE);
    assert.deepEqual(world.sizes, { v1: 3, v2: 3 }, 'no updated Pod is taken back');
  });
});
