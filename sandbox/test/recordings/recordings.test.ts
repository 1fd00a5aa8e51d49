// The embedded cluster does what a real one did: StatefulSets, DaemonSets, and the endpoints of Services.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'mocha';
import type { ApiError } from '../../src/core/types.ts';
import { VirtualCluster } from '../../src/virtual.ts';
import { play, type Recording, type Scenario, type Target } from './run.ts';
import { scenarios } from './scenarios.ts';

const USUAL_LAG_MS = [0, 3] as const;
const LONG_LAG_MS = [0, 100] as const;

async function embedded(
  seed: number,
  lagMs: readonly [number, number],
): Promise<{ target: Target; cluster: VirtualCluster }> {
  const cluster = new VirtualCluster({ seed, nodes: 3, verbose: true, jitter: [1, 1], lagMs });
  await cluster.start();
  const { client } = cluster;
  const target: Target = {
    request: (method, path, options) => client.request(method, path, options),
    watchPods: (namespace, listener) =>
      Promise.resolve(
        client.watch({ group: '', resource: 'pods' }, ({ type, object }) => {
          if (object.metadata.namespace === namespace) listener(type, object);
        }),
      ),
    pass: (ms) => cluster.run(ms),
  };
  return { target, cluster };
}

const recorded = async ({ name }: Scenario): Promise<Recording> =>
  JSON.parse(await readFile(new URL(`${name}.json`, import.meta.url), 'utf8')) as Recording;

describe('recordings of a real cluster', () => {
  for (const scenario of scenarios) {
    it(scenario.name, async () => {
      const expected = await recorded(scenario);
      for (const [seed, lagMs] of [
        [1, USUAL_LAG_MS],
        [2, USUAL_LAG_MS],
        [3, LONG_LAG_MS],
      ] as const) {
        const { target, cluster } = await embedded(seed, lagMs);
        if (scenario.withoutKubelet) cluster.controllers.byName.kubelet.crash();
        const { outcomes, events } = await play(target, scenario, 'recorded');
        for (const [i, outcome] of outcomes.entries()) {
          assert.deepEqual(outcome, expected.outcomes[i], `seed ${seed}, step ${i}: ${outcome.do}`);
        }
        assert.deepEqual(events, expected.events, `seed ${seed}`);
        const errors = new Set(cluster.errors.map(({ error }) => (error as ApiError).message));
        assert.deepEqual([...errors], scenario.mistake ? [scenario.mistake] : [], `seed ${seed}`);
        cluster.stop();
      }
    });
  }
});
