// The chart as a dependency of another chart, packed and rendered by the real helm: switched on, switched off, and under an alias.
import assert from 'node:assert/strict';
import { cp, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { parseAllDocuments, stringify } from 'yaml';
import { temporaryFolder } from '../support/processes.ts';
import { chart, helm, named, type Manifest } from './render.ts';

/** A chart of its own with one object, and with ours as its dependency. */
async function makeParent(dependency: object, values: object): Promise<string> {
  const folder = path.join(temporaryFolder('parent'), 'platform');
  await mkdir(path.join(folder, 'templates'), { recursive: true });
  await cp(chart, path.join(folder, '..', 'tranche'), { recursive: true });
  const dependencies = [{ name: 'tranche', version: '0.x.x', repository: 'file://../tranche', ...dependency }];
  const about = { apiVersion: 'v2', name: 'platform', version: '1.0.0', dependencies };
  await writeFile(path.join(folder, 'Chart.yaml'), stringify(about));
  await writeFile(path.join(folder, 'values.yaml'), stringify(values));
  const own = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'own' } };
  await writeFile(path.join(folder, 'templates', 'own.yaml'), stringify(own));
  const { code, stderr } = await helm('dependency', 'update', folder);
  assert.equal(code, 0, stderr);
  return folder;
}

async function renderParent(parent: string, ...args: string[]): Promise<Manifest[]> {
  const { code, stdout, stderr } = await helm('template', 'platform', parent, '-n', 'platform', ...args);
  assert.equal(code, 0, stderr);
  return parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}

const args = (manifests: readonly Manifest[], name: string): string[] =>
  manifests.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === name)!.spec!['template'].spec
    .containers[0].args;

describe('The chart, as a dependency of another chart,', () => {
  it('is there when its condition is true, and not at all when it is false', async () => {
    const parent = await makeParent(
      { condition: 'tranche.enabled' },
      { tranche: { enabled: true, operator: { logLevel: 'debug' } }, global: { team: 'a' } },
    );
    const on = await renderParent(parent);
    assert.ok(named(on).includes('CustomResourceDefinition/rollouts.rollouts.kruise.io'));
    assert.ok(args(on, 'platform-tranche').includes('--log-level=debug'));
    assert.ok(args(on, 'platform-tranche').includes('--webhook-service=platform-tranche-webhook'));
    assert.deepEqual(named(await renderParent(parent, '--set', 'tranche.enabled=false')), ['ConfigMap/own']);
  });

  it('takes an alias, in its names and in its values', async () => {
    const parent = await makeParent(
      { alias: 'rollouts', condition: 'rollouts.enabled' },
      { rollouts: { enabled: false, watchNamespaces: ['shop'] } },
    );
    assert.deepEqual(named(await renderParent(parent)), ['ConfigMap/own']);
    const on = await renderParent(parent, '--set', 'rollouts.enabled=true');
    assert.ok(args(on, 'platform-rollouts').includes('--watch-namespaces=shop'));
    // The labels by which the Service and the NetworkPolicy select do not depend on the alias.
    const service = on.find(({ kind }) => kind === 'Service')!;
    assert.equal((service.spec!['selector'] as Record<string, string>)['app.kubernetes.io/name'], 'tranche');
  });

  it('still has its values checked', async () => {
    const parent = await makeParent({ condition: 'tranche.enabled' }, { tranche: { replicas: 3 } });
    const { code, stderr } = await helm('template', 'platform', parent);
    assert.equal(code, 1);
    assert.match(stderr, /replicas/);
  });
});
