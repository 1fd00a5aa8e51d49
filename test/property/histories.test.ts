// Crash safety as a property: whatever happens, in whatever order, the invariants hold and the release ends as it should.
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { decide } from '../../src/engine/decide.ts';
import type { Decision } from '../../src/engine/decision.ts';
import { completedBy } from '../../src/engine/release/completed.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import type { Deployment, Pod, ReplicaSet, Rollout } from '../../src/api/types.ts';
import { play } from './history.ts';
import { planOf } from './plan.ts';
import { settings } from './settings.ts';
import type { Share, ShareReport } from './worker.ts';

const inThread = (share: Share): Promise<ShareReport> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('a worker ended without a report')));
  });

describe('random histories', () => {
  const { histories, soakSeconds, firstSeed, workers } = settings;

  it(`keep I1 to I6 and end as the undisturbed run does (${soakSeconds ? `${soakSeconds} s` : `${histories} histories`} from seed ${firstSeed})`, async () => {
    const until = soakSeconds > 0 ? Date.now() + soakSeconds * 1000 : 0;
    const count = soakSeconds > 0 ? Infinity : Math.ceil(histories / workers);
    const shares = Array.from({ length: workers }, (_, i) => ({ first: firstSeed + i, step: workers, count, until }));
    const reports = await Promise.all(shares.map(inThread));
    const failures = reports.flatMap((report) => report.failures);
    const [worst] = failures;
    assert.equal(
      failures.length,
      0,
      `seeds ${failures.map(({ seed }) => seed).join(', ')} failed; again: TRANCHE_SEED=${worst?.seed} TRANCHE_HISTORIES=1\n${worst?.story}`,
    );
    assert.ok(reports.reduce((sum, { played }) => sum + played, 0) >= (soakSeconds > 0 ? 1 : histories));
  });
});

describe('the histories themselves', () => {
  /** The first history in which something is wrong with this engine. */
  const noticed = async (engine: typeof decide, what: RegExp): Promise<number | undefined> => {
    for (let seed = 1; seed <= 400; seed++) {
      const { problems } = await play(planOf(seed), { decide: engine, trouble: false });
      if (problems.some((problem) => what.test(problem))) return seed;
    }
    return undefined;
  };

  it('find out when the engine acts on what the native controller has not seen', async () => {
    assert.ok(await noticed(hasty, /^I[23]|^bound/), 'no history noticed that the rule "settled" was left out');
  });

  it('find out when the engine takes every Pod for an available one', async () => {
    assert.ok(await noticed(trusting, /^I3/));
  });

  it('find out when a version counts as completed before it is', async () => {
    assert.ok(await noticed(forward, /^I7/));
  });

  it('find out when Pods are granted while a check is Worse', async () => {
    assert.ok(await noticed(careless, /while a check is Worse/));
  });

  it('a Rollout made anew while its Deployment goes back is not held and given back for ever', async () => {
    for (const seed of [216, 441, 1757]) assert.deepEqual((await play(planOf(seed))).problems, []);
  });

  it('make some Deployments anew, with the ReplicaSets of the one before', () => {
    const plans = Array.from({ length: 120 }, (_, i) => planOf(i + 1));
    assert.ok(plans.filter(({ actions }) => actions.some(({ action }) => action.do === 'remake')).length >= 9);
  });

  it('are right where they were wrong once, beyond the seeds that are played here', async () => {
    for (const seed of [
      2102, 2141, 2149, 2883, 5037, 5079, 5362, 5816, 6031, 6892, 50092, 83180, 140361, 200608, 300333, 303404,
    ])
      assert.deepEqual((await play(planOf(seed))).problems, [], `seed ${seed}`);
  });

  it('go back within the window, and would notice a version that was never completed', async () => {
    const windowed = Array.from({ length: 28 }, (_, i) => 1 + 3 * i);
    const reports = await Promise.all(windowed.map((seed) => play(planOf(seed))));
    assert.deepEqual(
      reports.flatMap(({ problems }) => problems),
      [],
    );
    assert.ok(reports.reduce((sum, { cameBack }) => sum + cameBack, 0) >= 3, 'too few changes came without steps');
  });

  it('are stopped by a check, some of them, and wait for sources that fail', async () => {
    const seen = new Set<string>();
    for (let seed = 4; seed <= 80; seed += 4) {
      const watching = (snapshot: Snapshot): Decision => {
        const decision = decide(snapshot);
        for (const { verdict } of decision.status?.canaryStatus?.analysis ?? []) seen.add(verdict);
        return decision;
      };
      assert.deepEqual((await play(planOf(seed), { decide: watching })).problems, []);
    }
    assert.ok(seen.has('Worse') && seen.has('Unknown'), [...seen].join());
  });

  it('are the same for the same seed', async () => {
    const [a, b] = [await play(planOf(7)), await play(planOf(7))];
    assert.equal(a.story(), b.story());
  });
});

/** The engine that is told that every Pod has been Ready for a day. */
function trusting(snapshot: Snapshot): Decision {
  const { children, now } = snapshot;
  if (!children) return decide(snapshot);
  const lastTransitionTime = new Date(now - 86_400_000).toISOString();
  const pods = children.pods.map((pod): Pod => ({
    ...pod,
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] },
  }));
  return decide({ ...snapshot, children: { ...children, pods } });
}

/** The engine that takes a version for completed when its release starts. */
function forward(snapshot: Snapshot): Decision {
  const decision = decide(snapshot);
  const { status } = decision;
  const { templateDigest, canaryRevision: revision = '' } = status?.canaryStatus ?? {};
  const known = status?.completedVersions ?? [];
  if (!status || templateDigest === undefined || known.some((one) => one.templateDigest === templateDigest))
    return decision;
  const completedTime = new Date(snapshot.now).toISOString();
  const started = { workload: completedBy(snapshot.rollout), templateDigest, revision, completedTime };
  return { ...decision, status: { ...status, completedVersions: [started, ...known] } };
}

/** The engine that waits six seconds where a check is Worse, and goes on to the last step then. */
function careless(snapshot: Snapshot): Decision {
  const decision = decide(snapshot);
  const { rollout, now } = snapshot;
  const { status, spec } = rollout;
  const { canaryStatus } = status ?? {};
  const worse = canaryStatus?.analysis?.find(
    ({ verdict, acceptedBy }) => verdict === 'Worse' && acceptedBy === undefined,
  );
  if (!canaryStatus || !worse || canaryStatus.currentStepState !== 'StepPaused') return decision;
  if (now < Date.parse(worse.since) + 6_000) return { ...decision, againAfterMs: 1_000 };
  const currentStepIndex = spec.strategy.canary?.steps?.length ?? 0;
  const at = { currentStepIndex, nextStepIndex: -1, currentStepState: 'StepUpgrade', notBegun: false } as const;
  const goesOn: Rollout = {
    ...rollout,
    status: { ...status!, canaryStatus: { ...canaryStatus, ...at, analysis: [] } },
  };
  return { ...decision, effects: decide({ ...snapshot, rollout: goesOn, evidence: [] }).effects, againAfterMs: 1_000 };
}

/** The engine without the rule "settled": it is told that everybody has seen everything. */
function hasty(snapshot: Snapshot): Decision {
  const { children } = snapshot;
  const deployment = snapshot.workload as Deployment | undefined;
  if (!deployment || !children) return decide(snapshot);
  const replicaSets = children.replicaSets.map((set): ReplicaSet => ({
    ...set,
    status: { ...set.status, replicas: set.spec.replicas ?? 0, observedGeneration: set.metadata.generation ?? 0 },
  }));
  const sum = (of: (set: ReplicaSet) => number | undefined): number =>
    replicaSets.reduce((total, set) => total + (of(set) ?? 0), 0);
  const seen: Deployment = {
    ...deployment,
    status: {
      ...deployment.status,
      observedGeneration: deployment.metadata.generation ?? 0,
      availableReplicas: sum((set) => set.status?.availableReplicas),
      replicas: sum((set) => set.spec.replicas),
    },
  };
  return decide({ ...snapshot, workload: seen, children: { ...children, replicaSets } });
}
