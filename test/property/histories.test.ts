// Crash safety as a property: whatever happens, in whatever order, the invariants hold and the release ends as it should.
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import { decide } from '../../src/engine/decide.ts';
import type { Decision } from '../../src/engine/decision.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import type { Deployment, ReplicaSet } from '../../src/api/types.ts';
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

describe('random histories', function () {
  const { histories, soakSeconds, firstSeed, workers } = settings;
  // For a slow or busy machine; alone, two cores take less than two minutes.
  this.timeout((soakSeconds + 120) * 1000 + histories * 600);

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

describe('the histories themselves', function () {
  this.timeout(900_000);

  it('find out when the engine acts on what the native controller has not seen', async () => {
    let failed = 0;
    for (let seed = 1; seed <= 400 && failed === 0; seed++) {
      const { problems } = await play(planOf(seed), { decide: hasty, trouble: false });
      if (problems.some((problem) => /^I[23]|^bound/.test(problem))) failed += 1;
    }
    assert.equal(failed, 1, 'no history noticed that the rule "settled" was left out');
  });

  it('a Rollout made anew while its Deployment goes back is not held and given back for ever', async () => {
    for (const seed of [216, 441, 1757]) assert.deepEqual((await play(planOf(seed))).problems, []);
  });

  it('go back within the window, and would notice a version that was never completed', async () => {
    const windowed = Array.from({ length: 12 }, (_, i) => 1 + 3 * i);
    const reports = await Promise.all(windowed.map((seed) => play(planOf(seed))));
    assert.deepEqual(
      reports.flatMap(({ problems }) => problems),
      [],
    );
    assert.ok(reports.reduce((sum, { cameBack }) => sum + cameBack, 0) >= 3, 'too few changes came without steps');
  });

  it('are the same for the same seed', async () => {
    const [a, b] = [await play(planOf(7)), await play(planOf(7))];
    assert.equal(a.story(), b.story());
  });
});

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
