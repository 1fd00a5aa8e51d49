// Crash safety of DaemonSets as a property: whatever happens, in whatever order, the invariants hold and the release ends as it should.
import assert from 'node:assert/strict';
import { decide } from '../../src/engine/decide.ts';
import type { Decision } from '../../src/engine/decision.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { daemonPlanOf, playDaemon, type DaemonReport } from './daemon.ts';
import { settings } from './settings.ts';

const HISTORIES = process.env['TRANCHE_HISTORIES'] ? settings.histories : 60;

describe('random histories of a DaemonSet', () => {
  it(`keep their invariants and end as the undisturbed run does (${HISTORIES} from seed ${settings.firstSeed})`, async () => {
    const failed: DaemonReport[] = [];
    let evicted = 0;
    for (let i = 0; i < HISTORIES && failed.length < 5; i++) {
      const plan = daemonPlanOf(settings.firstSeed + i);
      const report = await playDaemon(plan);
      evicted += report.evicted;
      if (report.problems.length > 0) failed.push(report);
      else if (plan.seed % 10 === 0) {
        const { end } = await playDaemon(plan, { trouble: false });
        assert.equal(report.end, end, `seed ${plan.seed} ends otherwise than undisturbed`);
      }
    }
    assert.equal(
      failed.length,
      0,
      `seeds ${failed.map(({ seed }) => seed).join(', ')} failed; again: TRANCHE_SEED=${failed[0]?.seed} TRANCHE_HISTORIES=1\n${failed[0]?.story()}`,
    );
    assert.ok(evicted > 0 || HISTORIES < 10, 'no Pod was evicted');
  });
});

describe('the histories of a DaemonSet themselves', () => {
  const isFound = async (decides: typeof decide, what: RegExp): Promise<boolean> => {
    for (let seed = 1; seed <= 60; seed++) {
      const { problems } = await playDaemon(daemonPlanOf(seed), { decide: decides, trouble: false });
      if (problems.some((problem) => what.test(problem))) return true;
    }
    return false;
  };

  it('find out when Pods are evicted before the ones before are available', async () =>
    assert.ok(await isFound(hasty, /^availability/), 'no history noticed that all Pods were taken for Ready'));

  it('find out when Pods are evicted beyond the step', async () =>
    assert.ok(await isFound(generous, /^step/), 'no history noticed that the status had more nodes than there are'));
});

/** The engine, told that every Pod has been Ready for long, and that no Pod is terminating or missing. */
function hasty(snapshot: Snapshot): Decision {
  if (!snapshot.children || !snapshot.workload) return decide(snapshot);
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }];
  const pods = snapshot.children.pods.map((pod) => ({ ...pod, status: { ...pod.status, conditions } }));
  return decide({ ...snapshot, children: { ...snapshot.children, pods } });
}

/** The engine, told that each step has two Pods more. */
function generous(snapshot: Snapshot): Decision {
  const { rollout } = snapshot;
  const { strategy } = rollout.spec;
  const steps = strategy.canary?.steps?.map((step) =>
    typeof step.replicas === 'number' ? { ...step, replicas: step.replicas + 2 } : step,
  );
  return decide({
    ...snapshot,
    rollout: {
      ...rollout,
      spec: { ...rollout.spec, strategy: { ...strategy, canary: { ...strategy.canary, ...(steps && { steps }) } } },
    },
  });
}
