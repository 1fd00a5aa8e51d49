// One pass over a workload that several Rollouts name: what each of them waits for is waited for.
import assert from 'node:assert/strict';
import { HTTP_ROUTES } from '../../src/api/resources.ts';
import type { Rollout } from '../../src/api/types.ts';
import { nothing, type Decision } from '../../src/engine/decision.ts';
import { Reconciler, type ReconcilerDeps } from '../../src/operator/reconcile.ts';

const KEY = 'default/web';
const TRAFFIC: Decision = {
  ...nothing,
  needsTraffic: { service: 'web', route: { resource: HTTP_ROUTES, name: 'web' } },
};
const rollout = (name: string, metadata: object): Rollout =>
  ({
    metadata: { name, namespace: 'default', uid: name, ...metadata },
    spec: { workloadRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, strategy: {} },
  }) as Rollout;
const owner = rollout('owner', { creationTimestamp: '2026-01-01T00:00:00Z' });
const leaving = rollout('leaving', {
  creationTimestamp: '2026-01-02T00:00:00Z',
  deletionTimestamp: '2026-01-03T00:00:00Z',
});

interface Pass {
  readonly againAfterMs: number | undefined;
  /** What was done with what is known of the traffic. */
  readonly traffic: readonly string[];
}

/** A pass in which the Rollouts are decided like this. */
async function pass(ofOwner: Decision, ofLeaving: Decision, fails = false): Promise<Pass> {
  const traffic: string[] = [];
  const decide = ({ rollout: one }: { readonly rollout: Rollout }): Decision => (one === owner ? ofOwner : ofLeaving);
  const deps = {
    facts: {
      syncedFor: () => true,
      rolloutsOf: () => [owner, leaving],
      cached: () => [owner, leaving],
      workload: async () => undefined,
      snapshot: (_: string, one: Rollout) => ({ rollout: one }),
      decide: async (_: string, __: undefined, take: (found: object) => Decision) => take({}),
    },
    applier: {
      evictions: { settle: async () => undefined, forget: () => undefined },
      keepOnly: () => undefined,
      forget: () => undefined,
      async carryOut(_: string, __: Decision, one: Rollout) {
        if (fails && one === leaving) throw new Error('a conflict');
        return false;
      },
    },
    children: { close: async () => undefined },
    writes: { keepOnly: () => undefined },
    traffic: {
      forget: () => void traffic.push('read again'),
      wrote: () => undefined,
      close: async () => void traffic.push('closed'),
    },
    decide,
  } as unknown as ReconcilerDeps;
  const outcome = await new Reconciler(deps).reconcile(KEY).catch(() => undefined);
  return { againAfterMs: outcome?.againAfterMs, traffic };
}

describe('a pass over a workload that two Rollouts name', () => {
  const waits = (decision: Decision, againAfterMs: number): Decision => ({ ...decision, againAfterMs });
  const table: readonly (readonly [title: string, passed: Promise<Pass>, wanted: Pass])[] = [
    ['nobody waits', pass(nothing, nothing), { againAfterMs: undefined, traffic: ['closed'] }],
    ['the older one waits', pass(waits(nothing, 7_000), nothing), { againAfterMs: 7_000, traffic: ['closed'] }],
    [
      'the one that is deleted waits for proxies',
      pass(nothing, waits(TRAFFIC, 3_000)),
      { againAfterMs: 3_000, traffic: ['read again'] },
    ],
    ['both wait', pass(waits(nothing, 2_000), waits(TRAFFIC, 3_000)), { againAfterMs: 2_000, traffic: ['read again'] }],
    [
      'a write for the one that is deleted is refused',
      pass(nothing, TRAFFIC, true),
      { againAfterMs: undefined, traffic: ['read again'] },
    ],
  ];
  for (const [title, passed, wanted] of table) it(title, async () => assert.deepEqual(await passed, wanted));
});

describe('a pass over a workload whose field owners cannot be restored now', () => {
  /** `again`: what the release itself waits for. */
  const outcomeOf = (restored: string, again?: number) =>
    new Reconciler({
      facts: {
        syncedFor: () => true,
        rolloutsOf: () => [owner],
        cached: () => [owner],
        workload: async () => ({ metadata: { name: 'web', namespace: 'default' } }),
        snapshot: (_: string, one: Rollout) => ({ rollout: one }),
        decide: async (_: string, __: unknown, take: (found: object) => Decision) => take({}),
      },
      applier: {
        evictions: { settle: async () => undefined, forget: () => undefined },
        keepOnly: () => undefined,
        forget: () => undefined,
        giveBackOwners: async () => restored,
        carryOut: async () => false,
      },
      children: { close: async () => undefined },
      writes: { keepOnly: () => undefined },
      traffic: { wrote: () => undefined, close: async () => undefined },
      decide: () => (again === undefined ? nothing : { ...nothing, againAfterMs: again }),
    } as unknown as ReconcilerDeps).reconcile(KEY);

  it('is tried again with a backoff', async () => {
    assert.deepEqual(await outcomeOf('Failed'), { retry: true });
    assert.deepEqual(await outcomeOf('Done'), {});
    assert.deepEqual(await outcomeOf('Written'), { againAfterMs: 0 });
  });

  it('does not delay the release: the pass that it waits for tries again', async () => {
    assert.deepEqual(await outcomeOf('Failed', 2_000), { againAfterMs: 2_000 });
  });
});
