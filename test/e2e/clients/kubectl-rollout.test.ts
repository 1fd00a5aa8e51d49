// kubectl rollout on a Deployment that no Rollout names: the native controllers' part.
import assert from 'node:assert/strict';
import { deploymentYaml, imageOf, openWorkbench, type Workbench } from './support.ts';

describe('kubectl rollout', function () {
  let bench: Workbench;
  const rollout = (...args: string[]) => bench.kubectl(['rollout', ...args]);
  const setImage = async (image: string) => {
    await bench.kubectl(['set', 'image', 'deployment/web', `main=${image}`]);
    return rollout('status', 'deployment/web', '--timeout=40s');
  };

  before('with a Deployment web that went from nginx:1 to nginx:2', async function () {
    bench = await openWorkbench(this, 'rollout');
    await bench.kubectl(['apply', '-f', '-'], { input: deploymentYaml({ replicas: 3 }) });
    await rollout('status', 'deployment/web', '--timeout=40s');
    await setImage('nginx:2');
  });

  it('status waits until it is done', async () => {
    assert.match(await setImage('nginx:3'), /deployment "web" successfully rolled out\n$/);
    await setImage('nginx:2');
  });

  it('status says so when Pods do not become Ready', async () => {
    await bench.kubectl(['set', 'image', 'deployment/web', 'main=nginx:broken']);
    const { code, stdout, stderr } = await bench.attempt(['rollout', 'status', 'deployment/web', '--timeout=2s']);
    assert.equal(code, 1);
    assert.match(
      stdout + stderr,
      /Waiting for deployment "web" rollout to finish: 1 out of 3 new replicas have been updated/,
    );
    await rollout('undo', 'deployment/web');
    await rollout('status', 'deployment/web', '--timeout=40s');
  });

  it('history lists revisions, and shows one', async () => {
    assert.match(await rollout('history', 'deployment/web'), /^REVISION +CHANGE-CAUSE$/m);
    const last = (await bench.get('deployment/web')).metadata.annotations?.['deployment.kubernetes.io/revision'];
    assert.match(await rollout('history', 'deployment/web', `--revision=${last}`), /Image:\s+nginx:2/);
  });

  it('undo goes back one revision, or to a given one', async () => {
    await setImage('nginx:4');
    await rollout('undo', 'deployment/web');
    assert.equal(imageOf(await bench.get('deployment/web')), 'nginx:2');
    await rollout('undo', 'deployment/web', '--to-revision=1');
    assert.equal(imageOf(await bench.get('deployment/web')), 'nginx:1');
    await rollout('status', 'deployment/web', '--timeout=40s');
  });

  it('restart replaces every Pod', async () => {
    const before = (await bench.kubectl(['get', 'pods', '-l', 'app=web', '-o', 'name'])).split('\n').filter(Boolean);
    await rollout('restart', 'deployment/web');
    await rollout('status', 'deployment/web', '--timeout=40s');
    await bench.kubectl(['wait', ...before, '--for=delete', '--timeout=40s']);
    assert.equal((await bench.get('deployment/web')).status?.availableReplicas, 3);
  });

  it('pause stops it, undo is refused meanwhile, and resume goes on', async () => {
    await rollout('pause', 'deployment/web');
    await bench.kubectl(['set', 'image', 'deployment/web', 'main=nginx:5']);
    const refused = await bench.attempt(['rollout', 'undo', 'deployment/web']);
    assert.match(refused.stderr, /cannot rollback a paused deployment; resume it first/);
    assert.equal((await bench.get('deployment/web')).status?.updatedReplicas ?? 0, 0);
    await rollout('resume', 'deployment/web');
    await rollout('status', 'deployment/web', '--timeout=40s');
    assert.equal((await bench.get('deployment/web')).status?.updatedReplicas, 3);
  });
});
