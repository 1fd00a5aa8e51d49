// The pipeline in docs/cli.md, command by command as it stands there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import type { Rollout } from '../../src/api/types.ts';
import { temporaryFolder } from '../support/processes.ts';
import { until } from '../main/cluster.ts';
import { deployment, deploymentPath, rollout, rolloutPath, startPlayground, type Playground } from './support.ts';

const pipeline = (): string[] => {
  const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const [, block = ''] = /## In a pipeline\n+```sh\n([^`]*)```/.exec(text) ?? [];
  return block
    .split('\n')
    .map((line) => line.replace(/\s+# .*$/, '').trim())
    .filter((line) => line !== '');
};

describe('the pipeline of docs/cli.md', function () {
  this.timeout(60_000);
  let playground: Playground;

  before(async () => {
    playground = await startPlayground();
  });
  after(() => playground.stop());

  it('goes through as it is written', async () => {
    const { api } = playground.cluster;
    const steps = [{ replicas: 1 }, { replicas: '100%' }];
    await api.request({
      method: 'POST',
      path: '/apis/apps/v1/namespaces/default/deployments',
      body: deployment('default', 'web:v1'),
    });
    await api.request({
      method: 'POST',
      path: '/apis/rollouts.kruise.io/v1beta1/namespaces/default/rollouts',
      body: rollout('default', steps),
    });
    const read = async (): Promise<Rollout> =>
      (await api.request({ method: 'GET', path: rolloutPath('default') })) as Rollout;
    await until(
      async () => (await read()).status?.phase === 'Healthy',
      () => 'the Rollout is not ready',
    );
    const folder = temporaryFolder('pipeline');
    const next = deployment('default', 'web:v2') as { spec: object };
    await writeFile(path.join(folder, 'rollout.yaml'), stringify(rollout('default', steps)));
    await writeFile(path.join(folder, 'deployment.yaml'), stringify(next));
    const lines = pipeline();
    assert.equal(lines.length, 6);
    for (const line of lines) {
      const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare!);
      if (line === 'kubectl apply -f deployment.yaml') {
        const call = {
          method: 'PATCH',
          path: deploymentPath('default'),
          contentType: 'application/merge-patch+json',
        } as const;
        await api.request({ ...call, body: { spec: next.spec } });
        continue;
      }
      assert.deepEqual(words.slice(0, 2), ['kubectl', 'tranche'], line);
      const args = words.slice(2).map((word) => (word.endsWith('.yaml') ? path.join(folder, word) : word));
      const { code, out, err } = await playground.tranche(...args);
      assert.equal(code, 0, `${line}\n${out}${err}`);
    }
    assert.equal((await read()).status?.history?.[0]?.outcome, 'Completed');
  });
});
