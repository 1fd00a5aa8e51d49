// The compiled plugin and the emergency command on the Node that the machine has: Node 20 and newer run them.
import assert from 'node:assert/strict';
import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceValidators } from '../../tools/build/validators.ts';
import { run, temporaryFolder, type Result } from '../support/processes.ts';
import { startCluster, type TestCluster } from './cluster.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const OLDEST = 20;

/** A `node` on PATH that is older than the one that runs the tests; undefined if there is none. */
async function olderNode(): Promise<string | undefined> {
  const folders = (process.env['PATH'] ?? '')
    .split(path.delimiter)
    .filter((folder) => !folder.includes('node_modules'));
  for (const folder of folders) {
    const program = path.join(folder, 'node');
    const { stdout } = await run(program, ['--version']).catch(() => ({ stdout: '' }));
    const major = Number(/^v(\d+)\./.exec(stdout)?.[1]);
    if (major >= OLDEST && major < Number(process.versions.node.split('.', 1)[0])) return program;
  }
  return undefined;
}

describe('the compiled program on an older Node', function () {
  // It compiles the program, beside other tests.
  this.timeout(300_000);
  let node = '';
  let cluster: TestCluster | undefined;
  // Below the project, so that it finds its packages.
  const dist = temporaryFolder('older-node', path.join(root, 'node_modules'));

  before(async function () {
    const found = await olderNode();
    if (found === undefined) {
      process.stdout.write('    skipped: no Node 20 or 22 is on PATH\n');
      return this.skip();
    }
    node = found;
    const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
    // Its types are checked elsewhere.
    const options = ['--noCheck', '--outDir', path.join(dist, 'dist')];
    const args = [compiler, '-p', path.join(root, 'tsconfig.build.json'), ...options];
    const { code, stdout } = await run(process.execPath, args, { timeoutSeconds: 240 });
    assert.equal(code, 0, stdout);
    await replaceValidators(path.join(dist, 'dist'));
    await copyFile(path.join(root, 'package.json'), path.join(dist, 'package.json'));
    cluster = await startCluster('https://127.0.0.1:1');
  });
  after(() => cluster?.close());

  const inCluster = (file: string, ...args: string[]): Promise<Result> =>
    run(node, [path.join(dist, 'dist', file), ...args], { env: { ...process.env, KUBECONFIG: cluster!.kubeconfig } });

  it('lists, and looks what is wrong', async () => {
    const listed = await inCluster('plugin.js', 'list', '-A');
    assert.equal(listed.code, 0, listed.stderr);
    assert.match(listed.stderr, /no Rollouts/i);
    const looked = await inCluster('plugin.js', 'doctor');
    assert.match(looked.stdout, /Kubernetes v1\./);
  });

  it('gives every Deployment back in an emergency', async () => {
    const drained = await inCluster('main.js', 'drain', '--namespace', 'tranche-system');
    assert.equal(drained.code, 0, drained.stdout + drained.stderr);
    assert.match(drained.stdout, /"deployments":0/);
  });
});
