// Crash safety of workloads whose partition is a number of Pods, as a property: CloneSets, and StatefulSets with unordered updates.
import assert from 'node:assert/strict';
import { decide } from '../../src/engine/decide.ts';
import type { Decision } from '../../src/engine/decision.ts';
import { advancedStatefulSetKind } from '../../src/engine/workload/advanced-statefulset/kind.ts';
import { cloneSetKind } from '../../src/engine/workload/cloneset/kind.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { keptBy } from '../support/kruise/cloneset.ts';
import { countedPlanOf, playCounted, type Counted, type CountedReport } from './counted.ts';
import { settings } from './settings.ts';

const HISTORIES = process.env['TRANCHE_HISTORIES'] ? settings.histories : 30;

const CLONES: Counted = {
  kind: cloneSetKind,
  collection: 'apps.kruise.io/clonesets',
  strategyOf: ({ spec }) => spec.updateStrategy ?? {},
  within: (strategy) => ({ updateStrategy: strategy }),
  kept: keptBy,
  partitions: [0, 1, 3, '20%', '50%'],
  strategies: [
    { maxUnavailable: 1 },
    { maxUnavailable: '40%', type: 'InPlaceIfPossible' },
    { maxUnavailable: 0, maxSurge: 1 },
    { maxUnavailable: 1, maxSurge: '30%' },
  ],
  spec: {},
};
const UNORDERED: Counted = {
  kind: advancedStatefulSetKind,
  collection: 'apps.kruise.io/statefulsets',
  strategyOf: ({ spec }) => spec.updateStrategy?.rollingUpdate ?? {},
  within: (strategy) => ({ updateStrategy: { rollingUpdate: strategy } }),
  kept: (partition) => Number(partition ?? 0),
  partitions: [0, 1, 3],
  strategies: [
    { unorderedUpdate: {} },
    { unorderedUpdate: {}, maxUnavailable: 2, podUpdatePolicy: 'InPlaceIfPossible' },
  ],
  spec: { podManagementPolicy: 'Parallel' },
};

for (const counted of [CLONES, UNORDERED])
  describe(`random histories of a ${counted.kind.resource.kind} of OpenKruise`, () => {
    it(`keep their invariants and end (${HISTORIES} from seed ${settings.firstSeed})`, async () => {
      const failed: CountedReport[] = [];
      for (let i = 0; i < HISTORIES && failed.length < 5; i++) {
        const report = await playCounted(counted, countedPlanOf(counted, settings.firstSeed + i));
        if (report.problems.length > 0) failed.push(report);
      }
      assert.equal(
        failed.length,
        0,
        `seeds ${failed.map(({ seed }) => seed).join(', ')} failed; again: TRANCHE_SEED=${failed[0]?.seed} TRANCHE_HISTORIES=1\n${failed[0]?.story()}`,
      );
    });
  });

describe('these histories themselves', () => {
  /** The engine, with each number of Pods that keep the old version changed. */
  const with_ =
    (change: (partition: number) => number) =>
    (snapshot: Snapshot): Decision => {
      const decision = decide(snapshot);
      const effects = decision.effects.map((effect) => {
        if (effect.kind !== 'Patch' || effect.why !== 'move' || !('metadata' in effect.patch)) return effect;
        const { partition } =
          (effect.patch.spec as { updateStrategy?: { partition?: string | number } }).updateStrategy ?? {};
        const replicas = snapshot.workload?.spec.replicas ?? 1;
        const kept = Math.max(0, change(keptBy(partition, replicas)));
        return { ...effect, patch: { ...effect.patch, spec: { updateStrategy: { partition: kept } } } };
      });
      return { ...decision, effects };
    };

  it('find out when a step is granted one Pod more', async () => {
    let found = false;
    for (let seed = 1; seed <= 60 && !found; seed++) {
      const plan = { ...countedPlanOf(CLONES, seed), trouble: 0 };
      const { problems } = await playCounted(CLONES, plan, { decide: with_((kept) => kept - 1) });
      // A partition that the record does not have is taken for the user's.
      found = problems.some((problem) => /^(step|fields|availability)/.test(problem));
    }
    assert.ok(found, 'no history noticed it');
  });
});
