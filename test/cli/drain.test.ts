// `kubectl tranche drain` beside an operator that runs: what it asks for, what it gives back, and what it leaves alone.
import assert from 'node:assert/strict';
import type { Deployment } from '../../src/api/types.ts';
import { deploymentPath, golden, Stage, startPlayground, type Playground } from './support.ts';

describe('kubectl tranche drain', () => {
  let playground: Playground;

  before(async () => {
    playground = await startPlayground();
  });
  after(() => playground.stop());

  const deployment = (namespace: string): Promise<Deployment> =>
    playground.cluster.api.request({ method: 'GET', path: deploymentPath(namespace) }) as Promise<Deployment>;

  it('asks how releases end, and gives back the Deployments of the namespaces that were named', async () => {
    const shop = await Stage.open(playground, 'shop');
    const pay = await Stage.open(playground, 'pay');
    for (const stage of [shop, pay]) {
      await stage.release('web:v2');
      await stage.waits(1);
    }
    const viewer = await playground.viewer('shop');
    const none = await playground.tranche('drain');
    const wrong = await playground.tranche('drain', '--held', 'delete');
    const namespaced = await playground.tranche('drain', '--held', 'finish', '-n', 'shop');
    const forbidden = await playground.tranche('drain', '--held', 'finish', '--kubeconfig', viewer);
    const drained = await playground.tranche('drain', '--held', 'rollback', 'shop');
    golden(
      'drain',
      ['drain', none],
      ['drain --held delete', wrong],
      ['drain --held finish -n shop', namespaced],
      ['drain --held finish   # without permissions', forbidden],
      ['drain --held rollback shop', drained],
    );
    const { spec, metadata } = await deployment('shop');
    assert.match(JSON.stringify(spec.template), /"web:v1"/);
    assert.notEqual(spec.paused, true);
    assert.equal(metadata.labels?.['rollouts.kruise.io/workload-type'], undefined);
    assert.equal((await deployment('pay')).spec.paused, true, 'not named, still held');
  });
});
