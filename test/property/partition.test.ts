// Crash safety of StatefulSets as a property: whatever happens, in whatever order, the invariants hold and the release ends as it should.
import assert from 'node:assert/strict';
import { decide } from '../../src/engine/decide.ts';
import type { Decision } from '../../src/engine/decision.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import type { StatefulSet } from '../../src/api/types.ts';
import { partitionPlanOf, playPartition, type PartitionReport } from './partition.ts';
import { settings } from './settings.ts';

const HISTORIES = process.env['TRANCHE_HISTORIES'] ? settings.histories : 200;

describe('random histories of a StatefulSet', () => {
  it(`keep their invariants and end as the undisturbed run does (${HISTORIES} from seed ${settings.firstSeed})`, async () => {
    const failed: PartitionReport[] = [];
    for (let i = 0; i < HISTORIES && failed.length < 5; i++) {
      const plan = partitionPlanOf(settings.firstSeed + i);
      const report = await playPartition(plan);
      if (report.problems.length > 0) failed.push(report);
      else if (plan.seed % 10 === 0) {
        const { end } = await playPartition(plan, { trouble: false });
        assert.equal(report.end, end, `seed ${plan.seed} ends otherwise than undisturbed`);
      }
    }
    assert.equal(
      failed.length,
      0,
      `seeds ${failed.map(({ seed }) => seed).join(', ')} failed; again: TRANCHE_SEED=${failed[0]?.seed} TRANCHE_HISTORIES=1\n${failed[0]?.story()}`,
    );
  });
});

describe('the histories of a StatefulSet themselves', () => {
  it('find out when the partition is lowered before the Pods are there', async () => {
    let found = false;
    for (let seed = 1; seed <= 100 && !found; seed++) {
      const { problems } = await playPartition(partitionPlanOf(seed), { decide: hasty, trouble: false });
      found = problems.some((problem) => problem.startsWith('availability'));
    }
    assert.ok(found, 'no history noticed that all Pods were taken for Ready');
  });

  it('find out when the partition is lowered beyond the step', async () => {
    let found = false;
    for (let seed = 1; seed <= 100 && !found; seed++) {
      const { problems } = await playPartition(partitionPlanOf(seed), { decide: generous, trouble: false });
      // A partition that the record does not have is taken for the user's, so the end shows it if the step does not.
      found = problems.some((problem) => /^(step|fields)/.test(problem));
    }
    assert.ok(found, 'no history noticed that the partition was one lower');
  });
});

/** The engine, told that every Pod has been Ready for long. */
function hasty(snapshot: Snapshot): Decision {
  if (!snapshot.children) return decide(snapshot);
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }];
  const pods = snapshot.children.pods.map((pod) => ({ ...pod, status: { ...pod.status, conditions } }));
  return decide({ ...snapshot, children: { ...snapshot.children, pods } });
}

/** The engine, with one Pod more in each grant. */
function generous(snapshot: Snapshot): Decision {
  const decision = decide(snapshot);
  const effects = decision.effects.map((effect) => {
    if (effect.kind !== 'Patch' || effect.why !== 'move' || !('metadata' in effect.patch)) return effect;
    const { replicas = 1 } = (effect.before as StatefulSet).spec;
    const { rollingUpdate } = (effect.patch.spec as StatefulSet['spec']).updateStrategy ?? {};
    const partition = Math.max(0, Math.min(replicas, rollingUpdate?.partition ?? 0) - 1);
    return { ...effect, patch: { ...effect.patch, spec: { updateStrategy: { rollingUpdate: { partition } } } } };
  });
  return { ...decision, effects };
}
