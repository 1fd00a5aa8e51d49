import assert from 'node:assert/strict';
import { HELD, TRACEPARENT } from '../../src/api/keys.ts';
import type { CanaryStep } from '../../src/api/types.ts';
import { readHeld } from '../../src/engine/workload/deployment/hold.ts';
import type { Span } from '../../src/engine/trace/spans.ts';
import { template, World, type WorldOptions } from './world.ts';

const PARENT = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) };
const CI = `00-${PARENT.traceId}-${PARENT.spanId}-01`;

interface Traced {
  readonly world: World;
  readonly spans: Span[];
}

async function traced(steps: readonly CanaryStep[], options: WorldOptions & { canary?: object } = {}): Promise<Traced> {
  const spans: Span[] = [];
  const world = await new World({ ...options, spans }).start();
  await world.createDeployment();
  await world.createRollout(steps, { canary: options.canary ?? {} });
  await world.untilHealthy();
  return { world, spans };
}

const named = (spans: readonly Span[], name: string): Span => {
  const found = spans.filter((span) => span.name === name);
  assert.equal(found.length, 1, `one "${name}" among ${names(spans).join(', ')}`);
  return found[0]!;
};
const names = (spans: readonly Span[]): string[] => spans.map(({ name }) => name);
const seconds = ({ startMs, endMs }: Span): number => Math.round((endMs - startMs) / 1000);

/** One trace, whose root is the release; what is in it is within it, and no id is there twice. */
function assertOneTrace(spans: readonly Span[]): Span {
  const root = named(spans, 'release');
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1, 'one trace');
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length, 'an id each');
  for (const span of spans) {
    if (span === root) continue;
    assert.equal(span.parentId, root.spanId, `${span.name} is a child of the release`);
    assert.ok(span.startMs >= root.startMs && span.endMs <= root.endMs, `${span.name} is within the release`);
  }
  return root;
}

describe('the trace of a release', () => {
  it('is one span for the whole, and one for each thing that it did or waited for', async () => {
    const { world, spans } = await traced([
      { replicas: 2 },
      { replicas: 5, pause: { duration: 20 } },
      { replicas: '100%' },
    ]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.run(90_000);
    await world.approve();
    await world.untilCompleted();
    await world.run(5_000);
    const root = assertOneTrace(spans);
    assert.deepEqual(names(spans), [
      'admission',
      'step 1/3: upgrade',
      'step 1/3: wait for approval',
      'step 2/3: upgrade',
      'step 2/3: wait 20 s',
      'step 3/3: upgrade',
      'give back',
      'release',
    ]);
    assert.equal(seconds(named(spans, 'step 1/3: wait for approval')), 90);
    assert.equal(seconds(named(spans, 'step 2/3: wait 20 s')), 20);
    assert.equal(root.parentId, undefined);
    assert.deepEqual(root.attributes, {
      'k8s.namespace.name': 'default',
      'k8s.deployment.name': 'demo',
      'tranche.rollout': 'demo-rollout',
      'tranche.rollout_id': world.history[0]!.rolloutID,
      'tranche.revision': world.history[0]!.revision,
      'tranche.author': world.history[0]!.author,
      'tranche.outcome': 'Completed',
    });
    assert.equal(named(spans, 'step 2/3: upgrade').attributes['tranche.step'], 2);
    assert.deepEqual(
      named(spans, 'step 1/3: upgrade').events.map(({ name }) => name),
      ['move', 'hold'],
    );
    // Parts follow each other without a gap, but for what the API server's whole seconds leave.
    const parts = spans.slice(0, -1);
    for (const [index, part] of parts.slice(1).entries()) {
      assert.ok(Math.abs(part.startMs - parts[index]!.endMs) < 1_000, `${part.name} begins where the last ended`);
    }
    await world.stop();
  });

  it('says who approved, where policies ask for names', async () => {
    const { world, spans } = await traced([{ replicas: 2 }, { replicas: '100%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    const { observedRolloutID: rolloutID, canaryRevision: revision } = world.canary;
    const time = '2030-01-01T00:00:00Z';
    await world.patchStatus({ canaryStatus: { approvals: [{ step: 1, rolloutID, revision, user: 'ann', time }] } });
    await world.approve();
    await world.untilCompleted();
    await world.run(5_000);
    for (const name of ['step 1/2: wait for approval', 'release']) {
      const approved = { name: 'approved', atMs: Date.parse(time), attributes: { user: 'ann', step: 1 } };
      assert.deepEqual(
        named(spans, name).events.filter((event) => event.name === 'approved'),
        [approved],
      );
    }
    await world.stop();
  });

  it('goes on in whoever leads next, who remembers nothing', async () => {
    const { world, spans } = await traced([{ replicas: 2 }, { replicas: 5 }, { replicas: '100%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    world.crash();
    await world.run(60_000);
    await world.approve();
    world.startOperator();
    await world.untilPaused(2);
    world.crash();
    world.startOperator();
    await world.approve();
    await world.untilCompleted();
    await world.run(5_000);
    assertOneTrace(spans);
    assert.ok(seconds(named(spans, 'step 1/3: wait for approval')) >= 60);
    named(spans, 'step 2/3: wait for approval');
    await world.stop();
  });

  it('is a part of the trace of the pipeline that made the change', async () => {
    const { world, spans } = await traced([{ replicas: '100%' }]);
    await world.patch({ metadata: { annotations: { [TRACEPARENT]: CI } }, spec: { template: template('v2') } });
    await world.untilCompleted();
    await world.run(5_000);
    const root = assertOneTrace(spans);
    assert.deepEqual([root.traceId, root.parentId, root.remoteParent], [PARENT.traceId, PARENT.spanId, true]);
    assert.equal(world.deployment.metadata.annotations?.[TRACEPARENT], CI, 'it is the user’s');

    spans.length = 0;
    await world.release('v3');
    await world.until('v3 is completed', () => world.history[0]?.outcome === 'Completed' && world.history.length === 2);
    await world.run(5_000);
    assert.notEqual(
      assertOneTrace(spans).traceId,
      PARENT.traceId,
      'what an earlier pipeline wrote is of another change',
    );
    await world.stop();
  });

  it('is not recorded where the pipeline’s is not', async () => {
    const { world, spans } = await traced([{ replicas: '100%' }]);
    const unsampled = CI.replace(/01$/, '00');
    await world.patch({ metadata: { annotations: { [TRACEPARENT]: unsampled } }, spec: { template: template('v2') } });
    await world.untilCompleted();
    await world.run(5_000);
    assert.deepEqual(spans, []);
    await world.stop();
  });

  it('ends with the rollback, and leaves nothing on the Deployment', async () => {
    const { world, spans } = await traced([{ replicas: 2 }, { replicas: '100%' }]);
    const before = world.deployment.metadata.annotations ?? {};
    await world.release('v2');
    assert.match(readHeld(world.deployment)?.trace?.traceparent ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await world.untilPaused(1);
    await world.run(30_000);
    await world.release('v1');
    await world.untilHealthy();
    await world.run(5_000);
    const root = assertOneTrace(spans);
    assert.equal(root.attributes['tranche.outcome'], 'RolledBack');
    assert.deepEqual(names(spans).slice(2), ['step 1/2: wait for approval', 'roll back', 'release']);
    const ours = Object.keys(world.deployment.metadata.annotations ?? {}).filter((key) => !(key in before));
    assert.deepEqual(
      ours.filter((key) => key.includes('trace') || key === HELD),
      [],
    );
    assert.ok(!JSON.stringify(world.deployment.spec.template).includes('trace'));
    await world.stop();
  });

  it('is another one for a newer template that comes in the middle', async () => {
    const { world, spans } = await traced([{ replicas: 2 }, { replicas: '100%' }]);
    await world.release('v2');
    await world.untilPaused(1);
    await world.release('v3');
    await world.until('the second release waits', () => world.history.length === 2);
    await world.untilPaused(1);
    await world.approve();
    await world.untilCompleted();
    await world.run(5_000);
    const [first, second] = spans.filter(({ name }) => name === 'release');
    assert.notEqual(first?.traceId, second?.traceId);
    assert.equal(first?.attributes['tranche.outcome'], 'Superseded');
    for (const root of [first, second]) assertOneTrace(spans.filter(({ traceId }) => traceId === root?.traceId));
    await world.stop();
  });

  it('shows what stood in the way: Pods that fail, and a pause', async () => {
    const { world, spans } = await traced([{ replicas: 2 }, { replicas: '100%' }], {
      canary: { onFailure: 'Rollback' },
    });
    await world.release('v2');
    await world.untilPaused(1);
    await world.patchRollout({ spec: { strategy: { paused: true } } });
    await world.run(40_000);
    await world.patchRollout({ spec: { strategy: { paused: null } } });
    await world.run(5_000);
    assert.equal(seconds(named(spans, 'paused')), 40);
    await world.release('v3:broken');
    await world.until('it has failed', () => world.history[0]?.outcome === 'Failed', 300_000);
    await world.run(5_000);
    const root = spans.find(({ attributes }) => attributes['tranche.outcome'] === 'Failed');
    assert.match(root?.error ?? '', /failed/);
    const stalled = named(spans, 'stalled');
    assert.equal(stalled.parentId, root?.spanId);
    assert.equal(stalled.attributes['tranche.reason'], 'PodsFailing');
    await world.stop();
  });

  it('has ids of its own where no webhook saw the change', async () => {
    const { world, spans } = await traced([{ replicas: 2 }, { replicas: '100%' }]);
    world.webhook = false;
    await world.release('v2');
    world.webhook = true;
    await world.untilPaused(1);
    await world.approve();
    await world.untilCompleted();
    await world.run(5_000);
    assertOneTrace(spans);
    assert.ok(!names(spans).includes('admission'));
    await world.stop();
  });

  it('ends when the Rollout is disabled, and when it is deleted', async () => {
    for (const end of ['Disabled', 'Deleted']) {
      const { world, spans } = await traced([{ replicas: 2 }, { replicas: '100%' }]);
      await world.release('v2');
      await world.untilPaused(1);
      if (end === 'Deleted') await world.deleteRollout();
      else await world.patchRollout({ spec: { disabled: true } });
      await world.run(60_000);
      assert.equal(assertOneTrace(spans).attributes['tranche.outcome'], end);
      await world.stop();
    }
  });
});
