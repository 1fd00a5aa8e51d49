// helm's commands, the real program against the embedded cluster.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { findTool, versionOf } from '../../support/tools.ts';
import { imageOf, openWorkbench, type Workbench } from './support.ts';

const chart = fileURLToPath(new URL('chart', import.meta.url));

/** Helm 4 applies server-side unless told not to; Helm 3 cannot. */
for (const mode of ['by default', '--server-side=true', '--server-side=false']) {
  describe(`helm ${mode}`, function () {
    let bench: Workbench;
    const flags = mode.startsWith('--') ? [mode] : [];
    const colour = () => bench.kubectl(['get', 'configmap', 'web', '-o', 'jsonpath={.data.colour}']);
    const history = async () =>
      JSON.parse(await bench.helm(['history', 'web', '-o', 'json'])) as { revision: number; status: string }[];

    before(async function () {
      if (flags.length > 0 && ((await versionOf('helm', await findTool('helm')))?.[0] ?? 0) < 4) this.skip();
      bench = await openWorkbench(this, `helm${mode.replace(/[^a-z]/g, '')}`);
    });

    it('installs, and waits for what it installed', async () => {
      const out = await bench.helm(['install', 'web', chart, ...flags, '--wait', '--timeout', '60s']);
      assert.match(out, /^STATUS: deployed$/m);
      assert.equal((await bench.get('deployment/web')).status?.availableReplicas, 2);
      assert.equal(await bench.kubectl(['get', 'configmap', 'web-hook', '-o', 'jsonpath={.data.revision}']), '1');
    });

    it('refuses to install a second time under the same name', async () => {
      const { code, stderr } = await bench.attemptHelm(['install', 'web', chart, ...flags]);
      assert.equal(code, 1);
      assert.match(stderr, /cannot re-?use a name that is still in use/);
    });

    it('upgrades what changed', async () => {
      await bench.helm([
        'upgrade',
        'web',
        chart,
        ...flags,
        '--set',
        'image=nginx:2,colour=green',
        '--wait',
        '--timeout',
        '60s',
      ]);
      assert.equal(imageOf(await bench.get('deployment/web')), 'nginx:2');
      assert.equal(await colour(), 'green');
      assert.deepEqual(
        (await history()).map(({ status }) => status),
        ['superseded', 'deployed'],
      );
    });

    it('leaves alone what somebody else added', async () => {
      await bench.kubectl(['annotate', 'deployment/web', 'team=blue']);
      await bench.helm(['upgrade', 'web', chart, ...flags, '--set', 'image=nginx:3,colour=green']);
      const { metadata } = await bench.get('deployment/web');
      assert.equal(metadata.annotations?.team, 'blue');
    });

    it('rolls back to a revision', async () => {
      await bench.helm(['rollback', 'web', '1', ...flags, '--wait', '--timeout', '60s']);
      assert.equal(imageOf(await bench.get('deployment/web')), 'nginx:1');
      assert.equal(await colour(), 'blue');
      assert.equal((await history()).at(-1)?.revision, 4);
    });

    it('says what it has: list, status, get', async () => {
      assert.match(await bench.helm(['list']), /^web\s+\S+\s+4\s+.*deployed\s+sample-0\.1\.0\s+1\.0\.0/m);
      assert.match(await bench.helm(['status', 'web']), /^REVISION: 4$/m);
      assert.match(await bench.helm(['get', 'manifest', 'web']), /^kind: PodDisruptionBudget$/m);
    });

    it('runs the tests of a chart', async () => {
      assert.match(await bench.helm(['test', 'web', '--timeout', '60s']), /^Phase:\s+Succeeded$/m);
    });

    it('uninstalls, and nothing is left', async () => {
      await bench.helm(['uninstall', 'web', '--wait', '--timeout', '60s']);
      const left = await bench.attempt([
        'get',
        'deployments,replicasets,services,poddisruptionbudgets,serviceaccounts',
        '-o',
        'name',
      ]);
      assert.doesNotMatch(left.stdout, /\/web/);
      assert.equal((await bench.helm(['list', '-q'])).trim(), '');
    });
  });
}

describe('helm upgrade --install', function () {
  let bench: Workbench;

  before(async function () {
    bench = await openWorkbench(this, 'helminstall');
  });

  it('installs what is not there, and upgrades what is', async () => {
    const upgrade = (...args: string[]) => bench.helm(['upgrade', '--install', 'web', chart, ...args]);
    assert.match(await upgrade(), /^REVISION: 1$/m);
    assert.match(await upgrade('--set', 'replicas=3'), /^REVISION: 2$/m);
    assert.equal((await bench.get('deployment/web')).spec.replicas, 3);
  });

  it('fails in time when Pods do not become Ready, and rolls back when asked to', async () => {
    const args = ['upgrade', 'web', chart, '--set', 'image=nginx:broken', '--wait', '--timeout', '5s'];
    const { code, stderr } = await bench.attemptHelm([...args, '--atomic']);
    assert.equal(code, 1);
    assert.match(stderr, /UPGRADE FAILED|has been rolled back/);
    assert.equal(imageOf(await bench.get('deployment/web')), 'nginx:1');
  });

  it('says that a test of the chart failed', async () => {
    await bench.helm(['upgrade', 'web', chart, '--set', 'testImage=busybox:crash']);
    const { code, stdout } = await bench.attemptHelm(['test', 'web', '--timeout', '60s']);
    assert.equal(code, 1);
    assert.match(stdout, /^Phase:\s+Failed$/m);
  });

  it('stores nothing with --dry-run=server', async () => {
    await bench.helm(['install', 'phantom', chart, '--dry-run=server']);
    assert.equal((await bench.attempt(['get', 'deployment', 'phantom'])).code, 1);
  });
});
