// Two promises as properties of their own: quick newer templates cost no stable Pod, and a dead operator's grant is not exceeded.
import assert from 'node:assert/strict';
import { Worker } from 'node:worker_threads';
import type { Deployment } from '../../src/api/types.ts';
import { decide } from '../../src/engine/decide.ts';
import { grantOn, heldLabels, MARK, type Budget } from '../../src/engine/workload/deployment/hold.ts';
import type { Decision, Effect } from '../../src/engine/decision.ts';
import type { Snapshot } from '../../src/engine/snapshot.ts';
import { versionOf } from '../operator/world.ts';
import { playAlone } from './alone.ts';
import { playNewer } from './newer.ts';
import type { OtherReport, OtherShare } from './others.ts';
import { settings } from './settings.ts';

const inThread = (share: OtherShare): Promise<OtherReport> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./others.ts', import.meta.url), { workerData: share });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => reject(new Error('a worker ended without a report')));
  });

describe('random histories of their own', () => {
  // A soak is for the general ones.
  const histories = Math.ceil(settings.histories * 0.4) || 100;

  const holds = async (kind: OtherShare['kind']): Promise<void> => {
    const { firstSeed, workers } = settings;
    const count = Math.ceil(histories / workers);
    const reports = await Promise.all(
      Array.from({ length: workers }, (_, i) => inThread({ kind, first: firstSeed + i, step: workers, count })),
    );
    const failures = reports.flatMap((report) => report.failures);
    assert.equal(
      failures.length,
      0,
      `seeds ${failures.map(({ seed }) => seed).join(', ')} failed; again: TRANCHE_SEED=${failures[0]?.seed} TRANCHE_HISTORIES=1\n${failures[0]?.story}`,
    );
    assert.ok(reports.reduce((sum, { played }) => sum + played, 0) >= histories);
  };

  it('quick newer templates leave the stable version what their steps leave it, whenever Pods become Ready', () =>
    holds('newer'));

  it('with the operator dead in a batch, scaling gives the new version its share of what was granted, and no more', () =>
    holds('alone'));

  it('find out when abandoned versions are not marked', async () => {
    let found = false;
    for (let seed = 1; seed <= 400 && !found; seed++)
      found = (await playNewer(seed, unmarked)).problems.some((problem) => problem.includes('stable Pods'));
    assert.ok(found, 'no history noticed that the marks were left out');
  });

  it('find out when a budget is a number', async () => {
    let found = false;
    for (let seed = 1; seed <= 100 && !found; seed++)
      found = (await playAlone(seed, inNumbers)).problems.some((problem) => problem.includes('were granted'));
    assert.ok(found, 'no history noticed that the budget does not scale');
  });
});

/** The engine is told that every abandoned version has its mark. */
function unmarked(snapshot: Snapshot): Decision {
  const { children } = snapshot;
  const deployment = snapshot.workload as Deployment | undefined;
  if (!deployment || !children) return decide(snapshot);
  const kept = new Set(['v1', versionOf(deployment.spec.template)]);
  const replicaSets = children.replicaSets.map((set) =>
    kept.has(versionOf(set.spec.template)) ? set : { ...set, spec: { ...set.spec, ...MARK } },
  );
  return decide({ ...snapshot, children: { ...children, replicaSets } });
}

/** The engine's budgets as numbers of Pods. */
function inNumbers(snapshot: Snapshot): Decision {
  const decision = decide(snapshot);
  const replicas = snapshot.workload?.spec.replicas ?? 1;
  const numbers = (limits: object): object =>
    Object.fromEntries(
      Object.entries(limits).map(([key, value]: [string, unknown]) => {
        const exact = (parseInt(String(value)) * replicas) / 100;
        const pods = key === 'maxSurge' ? Math.ceil(exact) : Math.floor(exact);
        return [key, typeof value === 'string' ? pods : value];
      }),
    );
  const effects = decision.effects.map((effect): Effect => {
    if (effect.kind !== 'Patch' || effect.why !== 'move' || !('metadata' in effect.patch)) return effect;
    const { metadata, spec } = effect.patch;
    const strategy = spec?.['strategy'] as { rollingUpdate: object } | undefined;
    const written = metadata['labels'] as Record<string, string> | undefined;
    const granted = grantOn({ name: '', ...(written && { labels: written }) });
    const { budget } = granted;
    const told = budget && heldLabels({ ...granted, budget: numbers(budget) as Budget });
    const rolling = strategy && { strategy: { rollingUpdate: numbers(strategy.rollingUpdate) } };
    return {
      ...effect,
      patch: { metadata: { ...metadata, labels: { ...written, ...told } }, spec: { ...spec, ...rolling } },
    };
  });
  return { ...decision, effects };
}
