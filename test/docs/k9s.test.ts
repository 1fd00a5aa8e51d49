// The plugins of k9s that the page shows: of the shape that k9s reads, on keys that it leaves free, and each runs a command that the plugin has.
import assert from 'node:assert/strict';
import { parse } from 'yaml';
import { startFakeCluster, type FakeCluster } from '../cli/fake-cluster.ts';
import { runPlugin } from '../cli/support.ts';
import { deployment, progressing, rollout } from '../view/support.ts';
import { readPage } from './page.ts';

interface Plugin {
  readonly shortCut: string;
  readonly description: string;
  readonly scopes: readonly string[];
  readonly command: string;
  readonly args: readonly string[];
  readonly background?: boolean;
  readonly confirm?: boolean;
  readonly dangerous?: boolean;
}

const block = readPage('docs/k9s.md').blocks.find(({ text }) => text.startsWith('# plugins.yaml'))!;
const { plugins } = parse(block.text) as { plugins: Record<string, Plugin> };

/** Of the schema of its plugins. */
const KNOWN = ['shortCut', 'description', 'scopes', 'command', 'args', 'background', 'confirm', 'dangerous'];
/** Keys of every list of k9s, and those that move in it. */
const TAKEN = ['c', 'd', 'e', 'g', 'h', 'j', 'k', 'l', 'n', 'q', 'y'];
const CHANGING = ['approve', 'pause', 'resume', 'abort'];

/** The arguments of `kubectl tranche`, as k9s would pass them. */
function argumentsOf({ command, args }: Plugin): string[] {
  const values: Record<string, string> = { $NAME: 'web', $NAMESPACE: 'shop', $CONTEXT: 'fake' };
  const given = args.map((arg) => values[arg] ?? arg);
  if (command === 'kubectl') {
    assert.equal(given[0], 'tranche');
    return given.slice(1);
  }
  assert.deepEqual([command, given[0]], ['sh', '-c']);
  // What comes from the cluster is an argument of the script, and never a part of it.
  assert.doesNotMatch(given[1]!, /\$[A-Z]/);
  const [script] = given[1]!.split(' | ');
  const words = script!
    .split(' ')
    .map((word) => /^"\$(\d)"$/.exec(word))
    .map((found, i) => (found ? given[2 + Number(found[1])]! : script!.split(' ')[i]!));
  assert.deepEqual(words.slice(0, 2), ['kubectl', 'tranche']);
  return words.slice(2);
}

describe('the plugins of k9s', () => {
  let fake: FakeCluster;

  before(async () => {
    fake = await startFakeCluster();
    fake.objects.set('/apis/rollouts.kruise.io/v1beta1/namespaces/shop/rollouts', [
      rollout(progressing({ nextStepIndex: 2 })),
    ]);
    fake.objects.set('/apis/apps/v1/namespaces/shop/deployments', [deployment()]);
    for (const path of [
      '/apis/apps/v1/namespaces/shop/replicasets',
      '/api/v1/namespaces/shop/pods',
      '/apis/tranche.dev/v1alpha1/releasepolicies',
    ])
      fake.objects.set(path, []);
  });
  after(() => fake.close());

  it('have the shape that k9s reads, and keys of their own', () => {
    const keys = Object.values(plugins).map(({ shortCut }) => shortCut);
    assert.deepEqual([...new Set(keys)], keys);
    for (const [name, plugin] of Object.entries(plugins)) {
      assert.deepEqual(
        Object.keys(plugin).filter((key) => !KNOWN.includes(key)),
        [],
        name,
      );
      assert.deepEqual(plugin.scopes, ['rollouts'], name);
      assert.ok(!TAKEN.includes(plugin.shortCut), name);
    }
  });

  it('ask before they change something, and are off where k9s only reads', () => {
    for (const plugin of Object.values(plugins)) {
      const changes = CHANGING.includes(argumentsOf(plugin)[0]!);
      assert.deepEqual(
        [plugin.confirm === true, plugin.dangerous === true, plugin.background],
        [changes, changes, changes],
        plugin.description,
      );
    }
  });

  for (const [name, plugin] of Object.entries(plugins))
    it(`run a command that the plugin has: ${name}`, async () => {
      const args = argumentsOf(plugin);
      const once = args.includes('--watch') ? [...args, '--timeout', '1ms'] : args;
      const { code, err } = await runPlugin(once, { env: { KUBECONFIG: fake.kubeconfig } });
      // A watch ends with its timeout here, and the objects have no stable version to go back to.
      const expected = args.includes('--watch') ? 3 : args[0] === 'abort' ? 1 : 0;
      assert.equal(code, expected, err);
      if (args[0] === 'abort') assert.match(err, /no ReplicaSet of web has the stable version/);
    });
});
